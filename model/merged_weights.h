// Weights computed from those of a base model while they are read.
#pragma once
#include <vector>

#include "io/tensors/gguf_writer.h"
#include "model/lora.h"
#include "model/model_files.h"

namespace temper {

// W + scale * B A, summed in float32 from the base as it is stored and rounded once where the destination is bfloat16; modules that were
// trained whole as the adapter has them. non_finite names the tensor and the element.
class MergedWeights : public TensorSource {
  public:
    // All three must outlive it.
    MergedWeights(const TensorSource& base, const LoraLayout& lora, const std::vector<float>& parameters)
        : base_(base), lora_(lora), parameters_(parameters) {}
    std::vector<std::string> names() const override { return base_.names(); }
    const TensorInfo* find(const std::string& name) const override { return base_.find(name); }
    void read(const std::string& name, View destination) const override;
    std::string describe() const override { return base_.describe(); }

  private:
    const TensorSource& base_;
    const LoraLayout& lora_;
    const std::vector<float>& parameters_;
};

// How far a number may be from what it was before it was stored: half the distance to its neighbours. Of Q8_0 the largest number of the
// block decides. `numbers` are whole rows.
void rounding_steps(GgufStored type, const float* numbers, std::int64_t count, float* steps);

// Every weight moved by the step that its storage explains, up or down as a counter-based coin falls.
class MovedWeights : public TensorSource {
  public:
    using TypeOf = std::function<GgufStored(const TensorInfo&)>;
    MovedWeights(const TensorSource& base, TypeOf type_of, std::uint64_t seed) : base_(base), type_of_(std::move(type_of)), seed_(seed) {}
    std::vector<std::string> names() const override { return base_.names(); }
    const TensorInfo* find(const std::string& name) const override { return base_.find(name); }
    void read(const std::string& name, View destination) const override;
    std::string describe() const override { return base_.describe(); }

  private:
    const TensorSource& base_;
    TypeOf type_of_;
    std::uint64_t seed_;
};

}  // namespace temper
