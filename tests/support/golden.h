// Reads the goldens of tests/goldens/models: a tiny model, an adapter, and what the reference computed with them.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "io/jsonl.h"
#include "io/tensors/tensor_source.h"

namespace temper::test {

inline std::filesystem::path golden_models() { return std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/models"; }

inline std::vector<std::string> golden_names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(golden_models()))
        if (std::filesystem::exists(entry.path() / "golden.json")) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

struct Golden {
    explicit Golden(const std::string& name)
        : directory(golden_models() / name),
          json(Json::parse(read_file(directory / "golden.json"))),
          tensors(open_safetensors(directory / "golden.safetensors")) {}

    std::vector<float> floats(const std::string& name) const {
        const TensorInfo* info = tensors->find(name);
        if (info == nullptr) throw_error(ExitCode::internal, "golden has no tensor {}", name);
        std::int64_t elements = 1;
        for (const std::int64_t size : info->shape) elements *= size;
        std::vector<float> values(static_cast<std::size_t>(elements));
        if (info->shape.size() == 1) tensors->read(name, View(values.data(), DType::f32, {info->shape[0]}));
        else tensors->read(name, View(values.data(), DType::f32, {info->shape[0], info->shape[1]}));
        return values;
    }

    // I32 tensors are data of the tests alone: read here, as the engine reads floats only.
    std::vector<std::int32_t> integers(const std::string& name) const {
        const std::string bytes = read_file(directory / "golden.safetensors");
        std::uint64_t header = 0;
        std::memcpy(&header, bytes.data(), sizeof header);
        const Json info = Json::parse(bytes.substr(8, header)).at(name);
        const std::size_t begin = info["data_offsets"][0], end = info["data_offsets"][1];
        std::vector<std::int32_t> values((end - begin) / sizeof(std::int32_t));
        std::memcpy(values.data(), bytes.data() + 8 + header + begin, end - begin);
        return values;
    }

    std::filesystem::path directory;
    Json json;
    std::unique_ptr<TensorSource> tensors;
};

// NaN fails: the comparison is written so that only a true "close" passes.
inline void expect_close(const float* got, const float* expected, std::size_t count, double absolute, double relative, const std::string& what) {
    double worst = 0.0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const double g = static_cast<double>(got[i]), e = static_cast<double>(expected[i]);
        const double excess = std::abs(g - e) - relative * std::abs(e);
        if (!(excess <= worst)) {
            worst = excess;
            at = i;
        }
    }
    EXPECT_TRUE(worst <= absolute) << what << " [" << at << "]: got " << got[at] << ", expected " << expected[at] << ", tolerance " << absolute
                                   << " + " << relative << " * |x|";
}

}  // namespace temper::test
