// A condition of `temper runs query`: what compiles is SQL that an index takes.
#include "runs/run_query.h"

#include <fstream>

#include "runs/run_index.h"
#include "tests/fuzz/fuzz.h"

namespace {

const temper::RunIndex& index_of_one_run() {
    static const temper::RunIndex index = [] {
        const std::filesystem::path folder = temper::fuzz_file(nullptr, 0, "empty").parent_path() / "runs";
        std::filesystem::create_directories(folder / "one");
        std::ofstream(folder / "one" / "run.json") << R"({"schema_version": 1, "run_id": "one", "status": "finished", "metrics": {"loss": 0.5},
            "tags": {"outcome": "success"}, "config": {"lora": {"r": 8}}})";
        return temper::RunIndex::open(folder);
    }();
    return index;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const temper::RunIndex& index = index_of_one_run();
    return temper::fuzz_one([&] {
        const temper::RunQuery query = temper::compile_run_query(std::string(reinterpret_cast<const char*>(data), size));
        std::size_t found = 2;
        try {
            found = index.select(query, {}).size();
        } catch (const temper::Error&) {}
        if (found > 1) __builtin_trap();
    });
}
