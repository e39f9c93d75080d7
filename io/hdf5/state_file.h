// The body of a checkpoint: named f32 / f64 / bf16 / integer arrays and JSON attributes in one HDF5 file, built and parsed in memory
// (core driver, no backing store, no object times, contiguous datasets), so that the same state gives the same bytes.
// A name "a/b" is the dataset b in the group a. Metadata carries the library's checksums (format of HDF5 1.8 and later).
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace temper {

constexpr const char* state_version_attribute = "format_version";  // of the root group, int64
constexpr const char* state_dtype_attribute = "dtype";             // of a dataset of uint16
constexpr const char* state_bfloat16 = "bfloat16";

struct State {
    static constexpr int format_version = 1;
    std::map<std::string, std::vector<float>> floats;         // HDF5 float32
    std::map<std::string, std::vector<double>> doubles;       // HDF5 float64
    std::map<std::string, std::vector<std::uint16_t>> bf16s;  // HDF5 uint16 with attribute dtype="bfloat16"
    std::map<std::string, std::vector<std::int64_t>> integers;
    std::map<std::string, std::string> texts;  // string attributes of the root group; no NUL bytes
};

// A name belongs to one array only.
// By value: a state that is moved in is given back array by array as it is written, so that at most two copies are held.
std::string encode_state(State state);
// bad_data names `name` and what is wrong. The caller has verified the bytes' hash before.
State decode_state(std::string_view bytes, const std::string& name);

}  // namespace temper
