// Gradients of a whole adapter against a small golden (tests/goldens/make_dpo_goldens.py): of every tensor some entries, and norm and sum of all.
#pragma once
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "io/tensors/tensor_source.h"
#include "model/lora.h"

namespace temper::test {

struct GradientSample {
    static constexpr std::size_t samples = 16, prime = 7919;
    std::array<double, samples> entries{};
    double norm = 0.0, sum = 0.0;

    GradientSample(const float* values, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            norm += static_cast<double>(values[i]) * static_cast<double>(values[i]);
            sum += static_cast<double>(values[i]);
        }
        norm = std::sqrt(norm);
        for (std::size_t k = 0; k < samples; ++k) entries[k] = static_cast<double>(values[prime * (k + 1) % count]);
    }
    // NaN is not close to anything.
    bool close(const float* expected, std::size_t count, double tolerance) const {
        const double norm_of_expected = static_cast<double>(expected[samples]), rms = norm_of_expected / std::sqrt(static_cast<double>(count));
        bool good = std::abs(norm - norm_of_expected) <= tolerance * norm_of_expected &&
                    std::abs(sum - static_cast<double>(expected[samples + 1])) <= tolerance * norm_of_expected;
        for (std::size_t k = 0; k < samples; ++k) good = good && std::abs(entries[k] - static_cast<double>(expected[k])) <= tolerance * rms;
        return good;
    }
};

struct AdapterTensor {
    std::string name;  // PEFT's
    std::int64_t offset = 0, count = 0;
};
inline std::vector<AdapterTensor> adapter_tensors(const LoraLayout& lora) {
    std::vector<AdapterTensor> tensors;
    for (const LoraModule& module : lora.modules) {
        tensors.push_back({"base_model.model." + module.path + ".lora_A.weight", module.offset_a, module.rank * module.in});
        tensors.push_back({"base_model.model." + module.path + ".lora_B.weight", module.offset_b, module.rank * module.out});
    }
    std::sort(tensors.begin(), tensors.end(), [](const AdapterTensor& a, const AdapterTensor& b) { return a.name < b.name; });
    return tensors;
}

// Names of the adapter tensors whose gradient is not the golden's. The golden has a row for every one that there is.
inline std::vector<std::string> wrong_gradients(const TensorSource& golden, const std::string& sampled, const LoraLayout& lora,
                                                const std::vector<float>& gradient, double tolerance) {
    const std::vector<AdapterTensor> tensors = adapter_tensors(lora);
    constexpr std::size_t width = GradientSample::samples + 2;
    std::vector<float> expected(tensors.size() * width);
    golden.read(sampled, View(expected.data(), DType::f32, {static_cast<std::int64_t>(tensors.size()), std::int64_t{width}}));
    std::vector<std::string> wrong;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const auto count = static_cast<std::size_t>(tensors[i].count);
        if (!GradientSample(gradient.data() + tensors[i].offset, count).close(&expected[i * width], count, tolerance))
            wrong.push_back(tensors[i].name);
    }
    return wrong;
}

}  // namespace temper::test
