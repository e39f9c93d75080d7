// Ranks over MPI. Only non-blocking point-to-point calls are used, polled against a deadline on the monotonic clock, so that a rank that died
// or hangs is named; collectives of integers and bytes are built from them. Messages travel in chunks, since MPI counts are ints.
#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include <mpi.h>
#include <sched.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/comm/comm.h"
#include "io/comm/launcher.h"
#include "kernels/error.h"

namespace temper {
namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;
constexpr std::size_t chunk_bytes = std::size_t(256) << 20;

std::string error_text(int code) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    return std::string(text, static_cast<std::size_t>(std::max(length, 0)));
}

class MpiComm final : public Comm {
  public:
    explicit MpiComm(double timeout_seconds) : timeout_(timeout_seconds) {
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
        MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
        MPI_Comm_size(MPI_COMM_WORLD, &size_);
        // Two communicators: the caller's tags never meet those of our own collectives.
        for (MPI_Comm* comm : {&direct_, &collective_}) {
            const int code = MPI_Comm_dup(MPI_COMM_WORLD, comm);
            if (code != MPI_SUCCESS) throw_error(ExitCode::peer_lost, "comm: the ranks could not be joined: {}", error_text(code));
            MPI_Comm_set_errhandler(*comm, MPI_ERRORS_RETURN);
        }
    }

    // MPI_Finalize waits for every rank. While an error is under way here, or when a peer does not come to the end, waiting would hang:
    // the process then ends without it, and the launcher ends the rest.
    ~MpiComm() override {
        if (std::uncaught_exceptions() > 0) return;
        try {
            barrier();
        } catch (const Error& error) {
            std::fprintf(stderr, "%s\n", error.what());
            abort(static_cast<int>(error.code()));
        }
        MPI_Comm_free(&direct_);
        MPI_Comm_free(&collective_);
        MPI_Finalize();
    }

    int rank() const override { return rank_; }
    int size() const override { return size_; }
    void barrier() override { all_max(0); }
    std::int64_t all_max(std::int64_t value) override {
        return all_combine(value, [](std::int64_t a, std::int64_t b) { return std::max(a, b); });
    }
    std::int64_t all_sum(std::int64_t value) override {
        return all_combine(value, [](std::int64_t a, std::int64_t b) { return a + b; });
    }

    // Binomial tree over ranks counted from the root: receive from the parent, then pass on to ever nearer children.
    void broadcast(void* bytes, std::size_t bytes_size, int root) override {
        assert(root >= 0 && root < size_);
        const int relative = (rank_ - root + size_) % size_;
        int bit = 1;
        for (; bit < size_; bit <<= 1) {
            if (relative & bit) {
                receive_on(collective_, bytes, bytes_size, (relative - bit + root) % size_, broadcast_tag);
                break;
            }
        }
        for (bit >>= 1; bit > 0; bit >>= 1) {
            if (relative + bit < size_) send_on(collective_, bytes, bytes_size, (relative + bit + root) % size_, broadcast_tag);
        }
    }

    void send(const void* bytes, std::size_t bytes_size, int to, MessageTag tag) override {
        send_on(direct_, bytes, bytes_size, to, static_cast<int>(tag));
    }
    void receive(void* bytes, std::size_t bytes_size, int from, MessageTag tag) override {
        receive_on(direct_, bytes, bytes_size, from, static_cast<int>(tag));
    }

    void set_patience(double seconds) override { patience_ = seconds; }

    [[noreturn]] void abort(int exit_code) override {
        std::fflush(nullptr);
        MPI_Abort(MPI_COMM_WORLD, exit_code);
        std::_Exit(exit_code);
    }

  private:
    static constexpr int gather_tag = 1, result_tag = 2, broadcast_tag = 3;

    // Rank 0 collects, combines and answers. It waits the timeout; the others wait a little longer, so that rank 0, which knows which rank
    // is missing, is the one that speaks.
    template <class Combine> std::int64_t all_combine(std::int64_t value, Combine combine) {
        if (rank_ != 0) {
            send_on(collective_, &value, sizeof value, 0, gather_tag);
            receive_on(collective_, &value, sizeof value, 0, result_tag, timeout_ + std::min(5.0, timeout_ / 4));
            return value;
        }
        for (int peer = 1; peer < size_; ++peer) {
            std::int64_t other = 0;
            receive_on(collective_, &other, sizeof other, peer, gather_tag);
            value = combine(value, other);
        }
        for (int peer = 1; peer < size_; ++peer) send_on(collective_, &value, sizeof value, peer, result_tag);
        return value;
    }

    void send_on(MPI_Comm comm, const void* bytes, std::size_t bytes_size, int to, int tag) {
        assert(to >= 0 && to < size_ && to != rank_);
        const char* at = static_cast<const char*>(bytes);
        do {
            const std::size_t count = std::min(bytes_size, chunk_bytes);
            MPI_Request request = MPI_REQUEST_NULL;
            check(MPI_Isend(at, static_cast<int>(count), MPI_BYTE, to, tag, comm, &request), "send to", to);
            wait(request, "send to", to, count, timeout_);
            at += count;
            bytes_size -= count;
        } while (bytes_size > 0);
    }

    void receive_on(MPI_Comm comm, void* bytes, std::size_t bytes_size, int from, int tag, double timeout = 0) {
        assert(from >= 0 && from < size_ && from != rank_);
        char* at = static_cast<char*>(bytes);
        do {
            const std::size_t count = std::min(bytes_size, chunk_bytes);
            MPI_Request request = MPI_REQUEST_NULL;
            check(MPI_Irecv(at, static_cast<int>(count), MPI_BYTE, from, tag, comm, &request), "receive from", from);
            const std::size_t received = wait(request, "receive from", from, count, timeout > 0 ? timeout : timeout_);
            if (received != count) {
                throw_error(ExitCode::internal, "comm: rank {}: received {} bytes of tag {} from rank {}, expected {}", rank_, received, tag, from,
                            count);
            }
            at += count;
            bytes_size -= count;
        } while (bytes_size > 0);
    }

    // Polls: yields at first, since the answer is usually near and MPI moves bytes only inside its calls, then sleeps.
    std::size_t wait(MPI_Request& request, const char* what, int peer, std::size_t bytes, double timeout) {
        const Clock::time_point begin = Clock::now();
        for (;;) {
            int done = 0;
            MPI_Status status{};
            check(MPI_Test(&request, &done, &status), what, peer);
            if (done) {
                int count = 0;
                MPI_Get_count(&status, MPI_BYTE, &count);
                return static_cast<std::size_t>(std::max(count, 0));
            }
            const double waited = Seconds(Clock::now() - begin).count();
            if (waited > timeout + patience_) {
                throw_error(ExitCode::peer_lost, "comm: rank {} waited {:.1f} s for rank {} ({} it, {} bytes): that rank was lost or hangs", rank_,
                            waited, peer, what, bytes);
            }
            if (waited < 0.002) sched_yield();
            else std::this_thread::sleep_for(std::chrono::microseconds(waited < 0.1 ? 50 : 500));
        }
    }

    void check(int code, const char* what, int peer) const {
        if (code != MPI_SUCCESS) throw_error(ExitCode::peer_lost, "comm: rank {}: {} rank {} failed: {}", rank_, what, peer, error_text(code));
    }

    double timeout_, patience_ = 0;
    int rank_ = 0, size_ = 1;
    MPI_Comm direct_ = MPI_COMM_NULL, collective_ = MPI_COMM_NULL;
};

// Containers often forbid process_vm_readv; Open MPI then complains once a message before it falls back.
void quiet_open_mpi() {
    int source = 1, copy = 0;
    iovec local{&copy, sizeof copy}, remote{&source, sizeof source};
    if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != ssize_t(sizeof copy)) {
        setenv("OMPI_MCA_btl_vader_single_copy_mechanism", "none", 0);
    }
    setenv("OMPI_MCA_btl_base_warn_component_unused", "0", 0);
    setenv("OMPI_MCA_mca_base_component_show_load_errors", "0", 0);
}

}  // namespace

std::unique_ptr<Comm> start_comm(double timeout_seconds) {
#ifdef OPEN_MPI
    const bool launched = open_mpi_launched();  // Open MPI ends the process in MPI_Init under a launcher that does not speak PMIx
    quiet_open_mpi();
#else
    const bool launched = open_mpi_launched() || pmi_launched();
#endif
    if (!launched) {
        refuse_lost_tasks(1, true);
        return single_comm();
    }
    int provided = 0;
    const int code = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
    if (code != MPI_SUCCESS || provided < MPI_THREAD_FUNNELED) {
        throw_error(ExitCode::internal, "comm: MPI_Init_thread failed (code {}, thread level {}, expected at least {})", code, provided,
                    MPI_THREAD_FUNNELED);
    }
    auto comm = std::make_unique<MpiComm>(timeout_seconds);
    refuse_lost_tasks(comm->size(), true);
    return comm;
}

std::string comm_version() {
    char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    MPI_Get_library_version(text, &length);
    const std::string version(text, static_cast<std::size_t>(std::max(length, 0)));
    return version.substr(0, version.find_first_of(",\n"));
}

}  // namespace temper
