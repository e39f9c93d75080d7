#include "train/algorithms.h"

#include "io/comm/algorithms.h"
#include "model/algorithms.h"

namespace temper {

std::string settle_algorithms(const TrainingInputs& inputs, Stream& stream, Comm& comm, const std::string* kept, TrainingReporter& reporter) {
    const bool on_cpu = stream.device() == Device::cpu;
    if (kept != nullptr && kept->empty() != on_cpu)
        reporter.warn(fmt::format("the checkpoint was written {}, this run computes {}: the same bits are promised on one kind of device only",
                                  kept->empty() ? "without a CUDA device" : "on a CUDA device", on_cpu ? "on the CPU" : "on a CUDA device"));
    return follow_rank_0(stream, comm, [&] {
        const AlgorithmChoice choice =
            choose_algorithms(stream, inputs.model->config(), inputs.lora, inputs.decoder_options, inputs.model->weights(),
                              kept == nullptr ? std::string() : *kept, [&](const std::string& text) { reporter.warn(text); });
        reporter.say(fmt::format("algorithms of {} matrix products, {} of them chosen now", choice.table.size(), choice.tried));
        return choice.table.to_bytes();
    });
}

}  // namespace temper
