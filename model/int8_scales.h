// The file of a calibration: how the inputs of an encoder's linears become integers, and how near the vectors of 8-bit integers come to float32's.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kernels/ops.h"

namespace temper {

struct Int8Scales {
    std::string model_sha256;       // of the transformer that they are for
    std::vector<Int8Input> inputs;  // in the order of Encoder::linears; without multipliers: it keeps its weights
    std::string texts_sha256;       // of the file that they were measured on, and how much of it
    std::int64_t texts = 0, tokens = 0;
    double least_cosine = 0.0, mean_cosine = 0.0;  // of vectors of those texts, to float32's

    std::size_t accepted() const;  // linears of 8-bit integers
    std::string identity() const;  // a hash of what decides the numbers
};

// Vectors that are further from float32's than this are not worth their speed.
constexpr double least_int8_cosine = 0.999;

Int8Scales read_int8_scales(const std::filesystem::path& path);  // missing_input; bad_data names path and field
void write_int8_scales(const std::filesystem::path& path, const Int8Scales& scales);
// usage when they are not of the transformer with this hash.
void check_int8_scales(const Int8Scales& scales, const std::string& model_sha256, const std::filesystem::path& transformer);

}  // namespace temper
