// Ranks of a job. MPI under a launcher, otherwise a world of one; mpi.cpp and mpi_absent.cpp are chosen at link time.
// There is no floating-point reduction here on purpose: sums of floats are done by the caller in a fixed order.
// Every call that waits for a peer has a deadline; past it, Error(peer_lost) names the rank waited for.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace temper {

// The conversation of two ranks that a message belongs to; one of another is never taken for it.
enum class MessageTag { gradient_nodes, vectors, nccl_places, gathered_rows, keep_alive };

class Comm {
  public:
    virtual ~Comm() = default;
    virtual int rank() const = 0;
    virtual int size() const = 0;
    virtual void barrier() = 0;
    virtual std::int64_t all_max(std::int64_t value) = 0;
    virtual std::int64_t all_sum(std::int64_t value) = 0;
    virtual void broadcast(void* bytes, std::size_t size, int root) = 0;
    virtual void send(const void* bytes, std::size_t size, int to, MessageTag tag) = 0;
    virtual void receive(void* bytes, std::size_t size, int from, MessageTag tag) = 0;
    // From now on every wait may take so much longer than the deadline: the ranks come from work that took this one so long.
    virtual void set_patience(double seconds) { (void)seconds; }
    // After an error on this rank: ends all ranks with this exit code.
    [[noreturn]] virtual void abort(int exit_code) = 0;
};

// MPI starts only under a launcher. Several Slurm tasks that see a world of one are a usage error, not N single runs.
std::unique_ptr<Comm> start_comm(double timeout_seconds = 600.0);
std::unique_ptr<Comm> single_comm();
int local_rank();            // of this process among those of its host, as its launcher says; 0 without one
std::string comm_version();  // library and version for --version, "none" without MPI

}  // namespace temper
