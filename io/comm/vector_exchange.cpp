#include "io/comm/vector_exchange.h"

#include "io/log.h"
#include "kernels/cuda/runtime.h"
#include "kernels/error.h"

namespace temper {
namespace {

class StagedExchange final : public VectorExchange {
  public:
    StagedExchange(Comm& comm, Stream& stream, std::int64_t length) : comm_(comm), stream_(stream) {
        if (stream.device() == Device::cuda && comm.size() > 1) staged_ = Arena(static_cast<std::size_t>(length) * sizeof(float), Memory::pinned);
    }

    void send(View values, int to) override { comm_.send(brought(values), bytes(values), to, MessageTag::vectors); }
    void receive(View values, int from) override {
        comm_.receive(place(values), bytes(values), from, MessageTag::vectors);
        take(values);
    }
    void broadcast(View values, int root) override {
        if (comm_.size() == 1) return;
        const bool mine = comm_.rank() == root;
        comm_.broadcast(mine ? brought(values) : place(values), bytes(values), root);
        if (!mine) take(values);
    }
    const char* name() const override { return "MPI"; }

  private:
    static std::size_t bytes(const View& values) { return static_cast<std::size_t>(values.elements()) * sizeof(float); }
    bool apart() const { return stream_.device() == Device::cuda; }
    void* place(const View& values) {
        if (apart() && bytes(values) > staged_.capacity())
            throw_error(ExitCode::internal, "exchange: {}, expected at most {} bytes", values.describe(), staged_.capacity());
        return apart() ? staged_.data() : values.data;
    }
    void* brought(const View& values) {
        void* const host = place(values);
        if (apart()) {
            stream_.cuda().copy_out(host, values.data, bytes(values));
            stream_.synchronize();
        }
        return host;
    }
    void take(const View& values) {
        if (!apart()) return;
        stream_.cuda().copy_in(values.data, staged_.data(), bytes(values));
        stream_.synchronize();  // the next one comes to the same place
    }

    Comm& comm_;
    Stream& stream_;
    Arena staged_;
};

}  // namespace

std::unique_ptr<VectorExchange> staged_exchange(Comm& comm, Stream& stream, std::int64_t length) {
    return std::make_unique<StagedExchange>(comm, stream, length);
}

std::unique_ptr<VectorExchange> start_exchange(const std::string& wanted, Comm& comm, Stream& stream, std::int64_t length) {
    if (wanted != "host" && comm.size() > 1) {
        std::string reason;
        if (auto direct = nccl_exchange(comm, stream, reason)) return direct;
        if (wanted == "nccl") throw_error(ExitCode::usage, "rank_exchange: nccl cannot be used: {}; take auto or host", reason);
        log_debug("ranks exchange gradients through host memory: {}", reason);
    }
    return staged_exchange(comm, stream, length);
}

}  // namespace temper
