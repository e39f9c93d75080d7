// GGUF files, version 3: metadata, then tensors computed one at a time, so that peak memory holds one tensor in float32. The same input
// gives the same bytes; no date, id or path.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "io/durable.h"

namespace temper {

// In the widths that llama.cpp's converter writes.
using GgufWritten = std::variant<bool, std::uint32_t, float, std::string, std::vector<std::string>, std::vector<std::int32_t>, std::vector<float>>;
using GgufMetadata = std::vector<std::pair<std::string, GgufWritten>>;

// What a tensor is stored as. Q8_0: blocks of 32 numbers q d with d = largest / 127 in binary16, q rounded half away from zero; the bits
// are those of gguf.quants.quantize.
enum class GgufStored : std::uint8_t { F32, F16, BF16, Q8_0 };
const char* name_of(GgufStored type);
// usage Error that names the known ones.
GgufStored parse_gguf_stored(const std::string& name);

struct GgufOutput {
    std::string name;
    std::vector<std::int64_t> shape;  // outermost first
    GgufStored type = GgufStored::F32;
    std::function<void(float*)> fill;  // writes the tensor's numbers, row by row
};

// `type` where rows of `width` numbers can be stored so, else binary16: what llama.cpp's converter falls back to.
GgufStored stored_for(GgufStored type, std::int64_t width);
// The stored bytes of whole rows. bad_data when a number is not finite or, in binary16, too large; the message opens with `place`.
std::string encode_gguf(GgufStored type, const float* numbers, std::int64_t count, const std::string& place);
// For write_durable and StagedDirectory::write.
Producer gguf_bytes(GgufMetadata metadata, std::vector<GgufOutput> tensors);

}  // namespace temper
