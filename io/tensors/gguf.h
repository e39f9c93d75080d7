// GGUF, versions 2 and 3: metadata and tensors. Every length is checked against the file before it is used.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/tensors/tensor_source.h"

namespace temper {

class GgufFile : public TensorSource {
  public:
    // bad_data names the path, the byte and what was found there; missing_input when there is no such file.
    explicit GgufFile(const std::filesystem::path& path);
    ~GgufFile() override;

    // Metadata by key; empty when the key is absent, bad_data when it has another type.
    std::optional<std::string> text(const std::string& key) const;
    std::optional<std::int64_t> integer(const std::string& key) const;
    std::optional<double> number(const std::string& key) const;  // float or integer
    std::optional<bool> boolean(const std::string& key) const;
    std::vector<std::string> texts(const std::string& key) const;
    std::vector<std::int32_t> integers(const std::string& key) const;
    std::vector<float> numbers(const std::string& key) const;

    std::vector<std::string> names() const override;
    const TensorInfo* find(const std::string& name) const override;
    void read(const std::string& name, View destination) const override;
    // Its blocks: kept as they are where they are asked for.
    QuantFormat kept_as(const std::string& name) const override;
    void read_quantized(const std::string& name, QuantMatrix& to) const override;
    std::string describe() const override;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace temper
