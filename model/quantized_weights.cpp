#include "model/quantized_weights.h"

#include <set>

#include "kernels/fp8.h"
#include "kernels/nf4.h"
#include "kernels/stream.h"
#include "model/weight_names.h"

namespace temper {
namespace {

class QuantizedAsRead : public TensorSource {
  public:
    QuantizedAsRead(std::unique_ptr<TensorSource> base, const ModelConfig& config, const Quantization& how) : base_(std::move(base)), how_(how) {
        for (std::int64_t layer = 0; layer < config.layers; ++layer)
            for (const LinearShape& linear : block_linears(config))
                linears_.insert(fmt::format("model.layers.{}.{}.{}.weight", layer, linear.block, linear.name));
    }
    std::vector<std::string> names() const override { return base_->names(); }
    const TensorInfo* find(const std::string& name) const override { return base_->find(name); }
    std::string describe() const override { return base_->describe(); }
    QuantFormat kept_as(const std::string& name) const override {
        if (!quantizes(name)) return base_->kept_as(name);
        if (how_.load_in_fp8) return {&encoding_f8, 0, 0, 1, find(name)->shape[1]};
        return {nullptr, nf4_block, how_.double_quant ? nf4_nested_block : 0};
    }
    void read(const std::string& name, View destination) const override {
        if (!quantizes(name)) return base_->read(name, destination);
        QuantMatrix quantized;
        read_quantized(name, quantized);
        dequantize(destination, quantized.view);
    }
    void read_quantized(const std::string& name, QuantMatrix& to) const override {
        if (!quantizes(name)) return base_->read_quantized(name, to);
        const std::vector<std::int64_t>& shape = base_->find(name)->shape;
        Arena memory(static_cast<std::size_t>(shape[0] * shape[1] * size_of(how_.dtype)));
        const View numbers(memory.data(), how_.dtype, {shape[0], shape[1]});
        base_->read(name, numbers);
        if (how_.load_in_fp8) quantize_f8(to, numbers);
        else quantize_nf4(to, numbers, how_.double_quant);
    }

  private:
    bool quantizes(const std::string& name) const { return linears_.contains(name) && !base_->kept_as(name).quantized(); }
    std::unique_ptr<TensorSource> base_;
    Quantization how_;
    std::set<std::string> linears_;
};

}  // namespace

QuantFormat plain_format(const TensorInfo* tensor) {
    if (tensor == nullptr) return {};
    return {tensor->dtype == "F32" ? &encoding_f32 : tensor->dtype == "F16" ? &encoding_f16 : tensor->dtype == "BF16" ? &encoding_bf16 : nullptr};
}

std::unique_ptr<TensorSource> quantize_while_reading(std::unique_ptr<TensorSource> weights, const ModelConfig& config, const Quantization& how) {
    return std::make_unique<QuantizedAsRead>(std::move(weights), config, how);
}

}  // namespace temper
