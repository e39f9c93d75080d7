// Vectors from device to device over NCCL, on the stream's own queue: sends, receives and copies alone, none of its reductions, whose order is its own.
// The communicator does not block: the host polls it and the queue against a deadline, so that a peer that is lost is named (as in mpi.cpp).
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <future>
#include <thread>
#include <vector>

#include <cuda_runtime_api.h>
#include <nccl.h>
#include <unistd.h>

#include "io/comm/vector_exchange.h"
#include "io/log.h"
#include "kernels/cuda/runtime.h"
#include "kernels/error.h"

namespace temper {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double timeout_seconds = 600.0;

cudaStream_t queue_of(const Stream& stream) { return static_cast<cudaStream_t>(stream.cuda().queue()); }

class NcclExchange final : public VectorExchange {
  public:
    NcclExchange(Comm& comm, Stream& stream) : rank_(comm.rank()), stream_(stream) {
        ncclUniqueId id;
        if (rank_ == 0) check(ncclGetUniqueId(&id), "ncclGetUniqueId", -1);
        comm.broadcast(&id, sizeof id, 0);
        ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
        config.blocking = 0;
        begin_wait();
        check(ncclCommInitRankConfig(&nccl_, comm.size(), id, rank_, &config), "ncclCommInitRankConfig", -1);
        while (pending("ncclCommInitRankConfig", -1)) pause();
    }
    ~NcclExchange() override {
        if (nccl_ != nullptr) ncclCommAbort(nccl_);  // nothing is under way; ncclCommDestroy would wait for a peer that is lost
    }

    void send(View values, int to) override {
        begin_wait();
        check(ncclSend(values.data, count(values), ncclFloat, to, nccl_, queue_of(stream_)), "ncclSend", to);
        complete("ncclSend", to);
    }
    void receive(View values, int from) override {
        begin_wait();
        check(ncclRecv(values.data, count(values), ncclFloat, from, nccl_, queue_of(stream_)), "ncclRecv", from);
        complete("ncclRecv", from);
    }
    void broadcast(View values, int root) override {
        begin_wait();
        check(ncclBroadcast(values.data, values.data, count(values), ncclFloat, root, nccl_, queue_of(stream_)), "ncclBroadcast", root);
        complete("ncclBroadcast", root);
    }
    const char* name() const override { return "NCCL"; }

  private:
    static std::size_t count(const View& values) { return static_cast<std::size_t>(values.elements()); }

    void check(ncclResult_t result, const char* call, int peer) {
        if (result == ncclSuccess || result == ncclInProgress) return;
        fail(fmt::format("{}: {}", call, ncclGetErrorString(result)), peer);
    }
    // What waits on the device must end first, or nothing behind it would; but ending it may itself wait for the peer that is lost.
    [[noreturn]] void fail(const std::string& what, int peer) {
        const std::string text = fmt::format("NCCL: rank {}{}: {}", rank_, peer < 0 ? std::string() : fmt::format(", with rank {}", peer), what);
        if (nccl_ != nullptr) {
            std::packaged_task<void()> abort([comm = nccl_] { ncclCommAbort(comm); });
            const std::future<void> ended = abort.get_future();
            std::thread(std::move(abort)).detach();
            if (ended.wait_for(std::chrono::seconds(10)) == std::future_status::timeout) {
                log_error("{}; and its communicator does not end", text);
                std::_Exit(static_cast<int>(ExitCode::peer_lost));  // the launcher ends the other ranks
            }
            nccl_ = nullptr;
        }
        throw_error(ExitCode::peer_lost, "{}", text);
    }

    // Whether NCCL itself is still at work; its errors are thrown.
    bool pending(const char* call, int peer) {
        ncclResult_t state = ncclSuccess;
        check(ncclCommGetAsyncError(nccl_, &state), "ncclCommGetAsyncError", peer);
        check(state, call, peer);
        return state == ncclInProgress;
    }
    // Until the transfer is done on the queue.
    void complete(const char* call, int peer) {
        for (;; pause(call, peer)) {
            if (pending(call, peer)) continue;
            const cudaError_t state = cudaStreamQuery(queue_of(stream_));
            if (state == cudaSuccess) return;
            if (state != cudaErrorNotReady) fail(fmt::format("{}: {}", call, cudaGetErrorString(state)), peer);
        }
    }

    void begin_wait() { begun_ = Clock::now(); }
    void pause(const char* call = "ncclCommInitRankConfig", int peer = -1) {
        const double waited = std::chrono::duration<double>(Clock::now() - begun_).count();
        if (waited > timeout_seconds) fail(fmt::format("{} waited {:.1f} s: a rank was lost or hangs", call, waited), peer);
        if (waited < 0.002) std::this_thread::yield();
        else std::this_thread::sleep_for(std::chrono::microseconds(waited < 0.1 ? 50 : 500));
    }

    int rank_;
    Stream& stream_;
    ncclComm_t nccl_ = nullptr;
    Clock::time_point begun_;
};

using Place = std::array<char, 320>;  // host and device, zeros behind them; all zeros where there is no device

Place place_of(const Stream& stream) {
    Place place{};
    int device = 0;
    if (stream.device() != Device::cuda || cudaGetDevice(&device) != cudaSuccess) return place;
    char bus[64] = "";
    if (cudaDeviceGetPCIBusId(bus, sizeof bus, device) != cudaSuccess) {
        cudaGetLastError();
        return place;
    }
    gethostname(place.data(), 256);
    place[255] = '\0';
    std::memcpy(place.data() + 256, bus, sizeof bus);
    return place;
}

// NCCL wants a device of its own for every rank.
std::int64_t places_differ(Comm& comm, const Place& mine) {
    std::int64_t differ = 1;
    if (comm.rank() != 0) {
        comm.send(mine.data(), mine.size(), 0, MessageTag::nccl_places);
    } else {
        std::vector<Place> places = {mine};
        for (int rank = 1; rank < comm.size(); ++rank) {
            Place other;
            comm.receive(other.data(), other.size(), rank, MessageTag::nccl_places);
            places.push_back(other);
        }
        for (std::size_t i = 0; i < places.size(); ++i) {
            if (places[i] == Place{}) differ = 0;
            for (std::size_t j = 0; j < i; ++j)
                if (places[i] == places[j]) differ = 0;
        }
    }
    comm.broadcast(&differ, sizeof differ, 0);
    return differ;
}

}  // namespace

std::unique_ptr<VectorExchange> nccl_exchange(Comm& comm, Stream& stream, std::string& reason) {
    if (places_differ(comm, place_of(stream)) == 0) {
        reason = "it needs a CUDA device of its own for every rank";
        return nullptr;
    }
    return std::make_unique<NcclExchange>(comm, stream);
}

std::string nccl_version() {
    int version = 0;
    if (ncclGetVersion(&version) != ncclSuccess) return "unknown";
    return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

}  // namespace temper
