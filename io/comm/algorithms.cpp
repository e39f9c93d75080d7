#include "io/comm/algorithms.h"

#include <fmt/format.h>

#include "kernels/cuda/algorithms.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::string broadcast_text(Comm& comm, std::string text, int root) {
    auto size = static_cast<std::int64_t>(text.size());
    comm.broadcast(&size, sizeof size, root);
    text.resize(static_cast<std::size_t>(size));
    comm.broadcast(text.data(), text.size(), root);
    return text;
}

// The same on all ranks, or an Error of all.
void check_same(Comm& comm, const std::string& mine) {
    const std::string first = broadcast_text(comm, mine, 0);
    const auto other = static_cast<int>(comm.all_max(mine == first ? -1 : comm.rank()));
    if (other < 0) return;
    throw_error(
        ExitCode::usage,
        "rank 0 computes with {}, rank {} with {}: a run has the same bits on any ranks only where all have one kind of device and one version "
        "of its library; start it on machines that are alike (CUDA_VISIBLE_DEVICES chooses among the devices of one), or with device=cpu",
        first, other, broadcast_text(comm, mine, other));
}

}  // namespace

std::string follow_rank_0(Stream& stream, Comm& comm, const std::function<std::string()>& choose) {
    const bool on_cpu = stream.device() == Device::cpu;
    check_same(comm, on_cpu ? std::string("the CPU") : cuda::empty_table(stream).describe());
    if (on_cpu) return "";
    std::string bytes;
    if (comm.rank() == 0) bytes = choose();
    bytes = broadcast_text(comm, std::move(bytes), 0);
    cuda::follow_algorithms(stream, cuda::AlgorithmTable::from_bytes(bytes));
    return bytes;
}

}  // namespace temper
