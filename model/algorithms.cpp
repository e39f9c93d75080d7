#include "model/algorithms.h"

#include "io/algorithm_cache.h"
#include "io/log.h"
#include "kernels/cuda/algorithms.h"

namespace temper {
namespace {

cuda::AlgorithmTable table_of_checkpoint(const std::string& bytes, const cuda::AlgorithmTable& like, const AlgorithmWarning& warn) {
    if (bytes.empty()) return like;
    cuda::AlgorithmTable table = cuda::AlgorithmTable::from_bytes(bytes);
    if (table.is_like(like)) return table;
    warn(fmt::format("the checkpoint was written with {}, this is {}: the same bits are promised within one library and one kind of device only",
                     table.describe(), like.describe()));
    return like;
}

void log_it(const std::string& text) { log_warning("{}", text); }

}  // namespace

AlgorithmChoice choose_algorithms(Stream& stream, const std::function<void()>& work, const std::string& kept, const AlgorithmWarning& warn) {
    const std::vector<cuda::ProductKey> products = cuda::rehearse_products(stream, work);
    const cuda::AlgorithmTable empty = cuda::empty_table(stream);
    const AlgorithmCache cache(empty, warn);
    const cuda::AlgorithmTable cached = cache.load();
    cuda::AlgorithmTable table = table_of_checkpoint(kept, empty, warn);
    table.add(cached);
    AlgorithmChoice choice{empty, 0};
    for (const cuda::ProductKey& product : products) {
        if (table.find(product) != nullptr) continue;
        table.keep(product, cuda::choose_algorithm(stream, product));
        ++choice.tried;
    }
    choice.table = table.only(products);
    if (cached.only(products).size() < choice.table.size()) cache.add(choice.table);
    return choice;
}

AlgorithmChoice choose_algorithms(Stream& stream, const ModelConfig& config, const LoraLayout& lora, Decoder::Options options,
                                  const TensorSource& weights, const std::string& kept, const AlgorithmWarning& warn) {
    return choose_algorithms(
        stream, [&] { Decoder::rehearse(stream, config, lora, options, &weights); }, kept, warn);
}

std::string chosen_algorithms(Stream& stream, const ModelFiles& files, const LoraLayout& lora, Decoder::Options options) {
    return choose_algorithms(stream, files.config(), lora, options, files.weights(), "", log_it).table.to_bytes();
}

std::string chosen_algorithms(Stream& stream, const std::function<void()>& work) {
    return choose_algorithms(stream, work, "", log_it).table.to_bytes();
}

void settle_algorithms(Stream& stream, const std::function<std::string()>& choose) {
    if (stream.device() != Device::cpu) cuda::follow_algorithms(stream, cuda::AlgorithmTable::from_bytes(choose()));
}

}  // namespace temper
