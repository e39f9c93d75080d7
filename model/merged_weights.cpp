#include "model/merged_weights.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "io/tensors/tensor_decode.h"

namespace temper {
namespace {

// All of a tensor in float32, whatever the destination is, changed and then rounded into it.
template <class Change> void read_changed(const TensorSource& base, const std::string& name, const View& destination, const Change& change) {
    std::vector<float> numbers(static_cast<std::size_t>(destination.elements()));
    View exact = destination;
    exact.data = numbers.data();
    exact.dtype = DType::f32;
    std::int64_t step = 1;
    for (int i = destination.rank - 1; i >= 0; step *= destination.shape[static_cast<std::size_t>(i)], --i)
        exact.stride[static_cast<std::size_t>(i)] = step;
    base.read(name, exact);
    change(numbers);
    const Rows rows(destination);
    for (std::int64_t row = 0; row < rows.count; ++row) {
        const float* from = numbers.data() + row * rows.width;
        if (destination.dtype == DType::f32) std::copy(from, from + rows.width, reinterpret_cast<float*>(rows.row(row)));
        else std::transform(from, from + rows.width, reinterpret_cast<bf16*>(rows.row(row)), to_bf16);
    }
}

void require_finite(const std::string& name, const std::vector<float>& numbers) {
    for (std::size_t i = 0; i < numbers.size(); ++i)
        if (!std::isfinite(numbers[i])) throw_error(ExitCode::non_finite, "merge: {} is not finite at element {}", name, i);
}

std::uint64_t mixed(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

}  // namespace

void MergedWeights::read(const std::string& name, View destination) const {
    for (const SavedModule& saved : lora_.saved)
        for (const std::string& path : saved.paths())
            if (path + ".weight" == name)
                return read_changed(base_, name, destination, [&](std::vector<float>& numbers) {
                    std::copy_n(parameters_.data() + saved.offset, numbers.size(), numbers.data());
                    require_finite(name, numbers);
                });
    const auto module = std::find_if(lora_.modules.begin(), lora_.modules.end(), [&](const LoraModule& m) { return m.path + ".weight" == name; });
    if (module == lora_.modules.end()) return base_.read(name, destination);
    read_changed(base_, name, destination, [&](std::vector<float>& numbers) {
        apply_adapter(View(numbers.data(), DType::f32, {module->out, module->in}), *module, parameters_.data());
        require_finite(name, numbers);
    });
}

void rounding_steps(GgufStored type, const float* numbers, std::int64_t count, float* steps) {
    constexpr int block = 32;
    const std::uint32_t digits = type == GgufStored::F16 ? 11 : type == GgufStored::BF16 ? 8 : 24;
    for (std::int64_t i = 0; i < count; ++i) {
        const std::uint32_t exponent = std::bit_cast<std::uint32_t>(numbers[i]) >> 23 & 255u;
        steps[i] = exponent > digits ? std::bit_cast<float>((exponent - digits) << 23) : 0.0f;
        if (type == GgufStored::F16 && numbers[i] != 0.0f) steps[i] = std::max(steps[i], 0x1p-25f);
    }
    if (type != GgufStored::Q8_0) return;
    // Half a step of the block, and the scale's own rounding to binary16.
    for (std::int64_t begin = 0; begin < count; begin += block) {
        float largest = 0.0f;
        for (std::int64_t i = begin; i < begin + block; ++i) largest = std::max(largest, std::abs(numbers[i]));
        const float d = largest / 127.0f;
        for (std::int64_t i = begin; i < begin + block; ++i) steps[i] = 0.5f * d + std::max(std::abs(numbers[i]) * 0x1p-11f, 127.0f * 0x1p-25f);
    }
}

void MovedWeights::read(const std::string& name, View destination) const {
    read_changed(base_, name, destination, [&](std::vector<float>& numbers) {
        std::vector<float> steps(numbers.size());
        rounding_steps(type_of_(*base_.find(name)), numbers.data(), static_cast<std::int64_t>(numbers.size()), steps.data());
        const std::uint64_t stream = mixed(std::hash<std::string>()(name) + seed_ * 0x9e3779b97f4a7c15u);
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            // Sums in another order are worth some roundings of float32 a weight: never less than 2^-20 of it.
            const float step = std::max(steps[i], std::abs(numbers[i]) * 0x1p-20f);
            numbers[i] += (mixed(stream + i) & 1u) != 0 ? step : -step;
        }
    });
}

}  // namespace temper
