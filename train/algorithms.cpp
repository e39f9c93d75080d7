#include "train/algorithms.h"

#include "kernels/cuda/algorithms.h"
#include "kernels/error.h"
#include "model/algorithms.h"

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

std::string settle_algorithms(const TrainingInputs& inputs, Stream& stream, Comm& comm, const std::string* kept, TrainingReporter& reporter) {
    const bool on_cpu = stream.device() == Device::cpu;
    check_same(comm, on_cpu ? std::string("the CPU") : cuda::empty_table(stream).describe());
    if (kept != nullptr && kept->empty() != on_cpu)
        reporter.warn(fmt::format("the checkpoint was written {}, this run computes {}: the same bits are promised on one kind of device only",
                                  kept->empty() ? "without a CUDA device" : "on a CUDA device", on_cpu ? "on the CPU" : "on a CUDA device"));
    if (on_cpu) return "";
    std::string bytes;
    if (comm.rank() == 0) {
        const AlgorithmChoice choice =
            choose_algorithms(stream, inputs.model->config(), inputs.lora, inputs.decoder_options, inputs.model->weights(),
                              kept == nullptr ? std::string() : *kept, [&](const std::string& text) { reporter.warn(text); });
        reporter.say(fmt::format("algorithms of {} matrix products, {} of them chosen now", choice.table.size(), choice.tried));
        bytes = choice.table.to_bytes();
    }
    bytes = broadcast_text(comm, std::move(bytes), 0);
    cuda::follow_algorithms(stream, cuda::AlgorithmTable::from_bytes(bytes));
    return bytes;
}

}  // namespace temper
