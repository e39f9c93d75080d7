#include "io/comm/job_ranks.h"

#include <chrono>
#include <cstdio>
#include <thread>

#include "io/json_text.h"
#include "io/result_line.h"
#include "kernels/error.h"

namespace temper {

Json broadcast_json(Comm& comm, const Json& object) {
    std::string text = comm.rank() == 0 ? json_text(object) : "";
    auto size = static_cast<std::int64_t>(text.size());
    comm.broadcast(&size, sizeof size, 0);
    text.resize(static_cast<std::size_t>(size));
    comm.broadcast(text.data(), text.size(), 0);
    return Json::parse(text);
}

int run_on_ranks(Comm& comm, bool json, const std::function<int()>& body) {
    try {
        return body();
    } catch (const std::exception& error) {
        if (comm.size() == 1) throw;
        const int code = static_cast<int>(exit_code_of(error));
        // All ranks may fail alike: rank 0 speaks for them and ends them; another rank waits for that before it speaks for itself.
        if (comm.rank() != 0) std::this_thread::sleep_for(std::chrono::seconds(5));
        fmt::print(stderr, "temper: error: {}\n", error.what());
        if (json && comm.rank() == 0) print_result({{"status", "failed"}, {"exit_code", code}, {"error", error.what()}});
        std::fflush(nullptr);
        comm.abort(code);
        return code;
    }
}

}  // namespace temper
