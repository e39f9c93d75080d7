// Checkpoints whose weights are 8-bit floats with scales.
#include <algorithm>
#include <cmath>
#include <map>

#include "io/tensors/tensor_decode.h"
#include "kernels/fp8.h"
#include "model/quantized_checkpoint.h"
#include "model/quantized_weights.h"

namespace temper {
namespace {

constexpr std::int64_t fine_block = 128;  // rows and columns that share a scale in fine-grained checkpoints; others have even parts
const std::string weight_end = ".weight";

struct Entry {
    QuantFormat format;
    std::string scale;  // the tensor's name
};

class Fp8Weights : public QuantizedCheckpoint {
  public:
    explicit Fp8Weights(std::unique_ptr<TensorSource> weights) : QuantizedCheckpoint(std::move(weights)) {
        for (const std::string& name : base().names())
            if (base().find(name)->dtype == "F8_E4M3") add(name);
    }

  private:
    const QuantFormat* format_of(const std::string& name) const override {
        const auto found = entries_.find(name);
        return found == entries_.end() ? nullptr : &found->second.format;
    }
    void read_scales(const std::string& name, QuantMatrix& to) const override { to.scale = scales(entries_.at(name).scale); }

    // Scales of quantised weights, of what goes in and out of them, and of cached keys and values.
    bool is_part(const std::string& name) const override {
        for (const char* end : {".k_scale", ".v_scale"})
            if (!before_end(name, end).empty()) return true;
        for (const char* end : {".weight_scale", ".weight_scale_inv", ".input_scale", ".input_scale_ub", ".output_scale"})
            if (entries_.contains(before_end(name, end) + weight_end)) return true;
        return false;
    }

    void add(const std::string& name) {
        const TensorInfo& info = *base().find(name);
        if (before_end(name, weight_end).empty() || info.shape.size() != 2)
            fail(name, fmt::format("shape {} of F8_E4M3, expected 8-bit floats in matrices that are named X.weight", shape_text(info.shape)));
        Entry entry;
        entry.scale = base().find(name + "_scale") != nullptr ? name + "_scale" : name + "_scale_inv";
        const TensorInfo* const scale = base().find(entry.scale);
        if (scale == nullptr) fail(name, "8-bit floats without a tensor X.weight_scale or X.weight_scale_inv beside them");
        if (plain_format(scale).encoding == nullptr) fail(entry.scale, "scales of " + scale->dtype + ", expected F32, BF16 or F16");
        const std::int64_t out = info.shape[0], in = info.shape[1];
        const auto [rows, columns] = grid_of(*scale, out);
        const auto parts = [](std::int64_t count) { return (count + fine_block - 1) / fine_block; };
        if (rows == parts(out) && columns == parts(in)) entry.format = {&encoding_f8, 0, 0, fine_block, fine_block};
        else if (rows > 0 && columns > 0 && out % rows == 0 && in % columns == 0) entry.format = {&encoding_f8, 0, 0, out / rows, in / columns};
        else
            fail(entry.scale, fmt::format("shape {} for a weight {}, expected one scale, one a row, or one for {} x {} numbers",
                                          shape_text(scale->shape), shape_text(info.shape), fine_block, fine_block));
        entries_[name] = entry;
    }

    // Scales that there are along the rows and along the columns; none where the shape is another.
    static std::pair<std::int64_t, std::int64_t> grid_of(const TensorInfo& scale, std::int64_t out) {
        const std::vector<std::int64_t>& shape = scale.shape;
        if (shape.empty()) return {1, 1};
        if (shape.size() == 1) return {shape[0] == 1 || shape[0] == out ? shape[0] : 0, 1};
        return shape.size() == 2 ? std::pair{shape[0], shape[1]} : std::pair{std::int64_t{0}, std::int64_t{0}};
    }

    std::vector<float> scales(const std::string& name) const {
        const TensorInfo& info = *base().find(name);
        const Encoding& encoding = *plain_format(&info).encoding;
        std::int64_t count = 1;
        for (const std::int64_t size : info.shape) count *= size;
        std::vector<float> values(static_cast<std::size_t>(count));
        encoding.to_f32(base().read_bytes(name, static_cast<std::uint64_t>(count * encoding.bytes)).data(), count, values.data());
        for (const float value : values)
            if (!std::isfinite(value)) fail(name, "a scale is not finite");
        return values;
    }

    std::map<std::string, Entry> entries_;
};

}  // namespace

bool is_fp8(const TensorSource& weights) {
    const std::vector<std::string> names = weights.names();
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return weights.find(name)->dtype == "F8_E4M3"; });
}

std::unique_ptr<TensorSource> open_fp8(std::unique_ptr<TensorSource> weights) { return std::make_unique<Fp8Weights>(std::move(weights)); }

}  // namespace temper
