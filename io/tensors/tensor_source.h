// Named tensors in files, whatever the format: what the model reads its weights from. Sources may be read by several threads at once.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "io/durable.h"
#include "kernels/quantized.h"
#include "kernels/tensor.h"

namespace temper {

struct TensorInfo {
    std::string name;
    std::string dtype;                // as stored: "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", ...
    std::vector<std::int64_t> shape;  // outermost first, (out, in) for a linear weight, in both formats
};

class TensorSource {
  public:
    virtual ~TensorSource() = default;
    virtual std::vector<std::string> names() const = 0;
    virtual const TensorInfo* find(const std::string& name) const = 0;  // null when absent
    // Decode into destination (f32 or bf16, contiguous rows or row stride respected). The shapes must be equal: bad_data names the
    // tensor, its file, the shape found and the shape expected. missing_input when there is no such tensor.
    virtual void read(const std::string& name, View destination) const = 0;
    virtual std::string describe() const = 0;  // path, for messages
    // How the tensor is to be kept in memory: stored() where it stays as the file has it, or as it is quantised while it is read.
    virtual QuantFormat kept_as(const std::string& /*name*/) const { return {}; }
    // A tensor that is kept so.
    virtual void read_quantized(const std::string& name, QuantMatrix& to) const;
    // The bytes of a tensor as the file has them, at most `limit`. Not of every source.
    virtual std::vector<std::uint8_t> read_bytes(const std::string& name, std::uint64_t limit) const;
};

// A .safetensors file, or a directory with model.safetensors or model.safetensors.index.json and its shards.
std::unique_ptr<TensorSource> open_safetensors(const std::filesystem::path& path);

struct NamedTensor {
    std::string name;
    View value;  // f32 or bf16, contiguous or with a row stride
};
// The bytes of a .safetensors file: f32 tensors before bf16 ones, each by name, as the reference library writes them (its Python
// save_file gives the same bytes); no date, id or path. For write_durable and StagedDirectory::write.
Producer safetensors_bytes(std::vector<NamedTensor> tensors);
// Written durably.
void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors);

}  // namespace temper
