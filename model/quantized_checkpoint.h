// A checkpoint in which some weights are quantised, with tensors beside them that say how: these are left out of its names.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/tensors/tensor_source.h"

namespace temper {

class QuantizedCheckpoint : public TensorSource {
  public:
    explicit QuantizedCheckpoint(std::unique_ptr<TensorSource> base) : base_(std::move(base)) {}
    std::vector<std::string> names() const override;
    const TensorInfo* find(const std::string& name) const override { return base_->find(name); }
    std::string describe() const override { return base_->describe(); }
    // Where only some linears of a stack are quantised, the others are kept as they are stored beside them.
    QuantFormat kept_as(const std::string& name) const override;
    void read(const std::string& name, View destination) const override;
    void read_quantized(const std::string& name, QuantMatrix& to) const override;

  protected:
    virtual const QuantFormat* format_of(const std::string& name) const = 0;  // null: not quantised
    virtual bool is_part(const std::string& name) const = 0;                  // of another tensor
    virtual void read_scales(const std::string& name, QuantMatrix& to) const = 0;
    [[noreturn]] void fail(const std::string& name, const std::string& what) const;
    const TensorSource& base() const { return *base_; }
    // The name without its end; empty where it does not end so.
    static std::string before_end(const std::string& name, std::string_view end);

  private:
    std::unique_ptr<TensorSource> base_;
};

}  // namespace temper
