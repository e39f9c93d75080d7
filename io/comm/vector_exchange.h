// Vectors of float32 that go from rank to rank as they are: through host memory over MPI, or from device to device over NCCL (nccl.cpp and
// nccl_absent.cpp are chosen at link time). Which of them a run takes changes no bit: nothing is added up on the way.
#pragma once
#include <memory>
#include <string>

#include "io/comm/comm.h"
#include "kernels/stream.h"

namespace temper {

// `values`: contiguous float32 on the stream's device, as long as the peer's. In order with the stream's ops; a peer that does not come is
// Error(peer_lost).
class VectorExchange {
  public:
    virtual ~VectorExchange() = default;
    virtual void send(View values, int to) = 0;
    virtual void receive(View values, int from) = 0;
    virtual void broadcast(View values, int root) = 0;
    virtual const char* name() const = 0;
};

// Vectors of at most `length`, whose place in pinned memory is taken now.
std::unique_ptr<VectorExchange> staged_exchange(Comm& comm, Stream& stream, std::int64_t length);
// wanted: "auto" (NCCL where it can be), "host" or "nccl". All ranks together. Usage Error where NCCL is wanted and cannot be, saying why.
std::unique_ptr<VectorExchange> start_exchange(const std::string& wanted, Comm& comm, Stream& stream, std::int64_t length);
// NCCL over the ranks' devices; null, and why in `reason`, where it cannot be: the same on all ranks.
std::unique_ptr<VectorExchange> nccl_exchange(Comm& comm, Stream& stream, std::string& reason);
std::string nccl_version();  // "none" without it

}  // namespace temper
