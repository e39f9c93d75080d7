// Linked in place of nccl.cpp when the build has no NCCL.
#include "io/comm/vector_exchange.h"

namespace temper {

std::unique_ptr<VectorExchange> nccl_exchange(Comm&, Stream&, std::string& reason) {
    reason = "this build has no NCCL";
    return nullptr;
}

std::string nccl_version() { return "none"; }

}  // namespace temper
