// NF4 as bitsandbytes makes it and reads it, bit for bit.
#include "kernels/nf4.h"

#include <cstring>

#include <gtest/gtest.h>

#include "io/tensors/tensor_source.h"

namespace temper {
namespace {

class Nf4Golden : public testing::TestWithParam<std::tuple<std::string, bool>> {
  protected:
    Nf4Golden() : source_(open_safetensors(std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/nf4/quantized.safetensors")) {
        const auto& [name, twice] = GetParam();
        weight_name_ = name + ".weight";
        prefix_ = name + (twice ? ".double." : ".plain.");
        const TensorInfo& info = *source_->find(weight_name_);
        dtype_ = info.dtype == "F32" ? DType::f32 : DType::bf16;
        memory_.resize(static_cast<std::size_t>(info.shape[0] * info.shape[1] * size_of(dtype_)));
        weight_ = View(memory_.data(), dtype_, {info.shape[0], info.shape[1]});
        source_->read(weight_name_, weight_);
        quantize_nf4(quantized_, weight_, twice);
    }
    template <class T> void expect_same(const std::string& part, const std::vector<T>& got) const {
        const std::vector<std::uint8_t> expected = source_->read_bytes(prefix_ + part, 1 << 20);
        ASSERT_EQ(expected.size(), got.size() * sizeof(T)) << part;
        for (std::size_t i = 0; i < got.size(); ++i)
            ASSERT_EQ(std::memcmp(expected.data() + i * sizeof(T), &got[i], sizeof(T)), 0) << part << " " << i;
    }
    std::unique_ptr<TensorSource> source_;
    std::string weight_name_, prefix_;
    DType dtype_ = DType::f32;
    std::vector<char> memory_;
    View weight_;
    QuantMatrix quantized_;
};

TEST_P(Nf4Golden, Quantizes) {
    expect_same("packed", quantized_.data);
    if (!quantized_.view.format.nested()) return expect_same("absmax", quantized_.absmax);
    expect_same("offset", std::vector<float>{quantized_.view.offset});
    expect_same("nested_absmax", quantized_.nested_absmax);
    expect_same("absmax", quantized_.absmax_codes);
}

TEST_P(Nf4Golden, Dequantizes) {
    const std::int64_t out = weight_.size(0), in = weight_.size(1);
    std::vector<float> whole(static_cast<std::size_t>(out * in));
    dequantize(View(whole.data(), DType::f32, {out, in}), quantized_.view);
    if (source_->find(prefix_ + "float32") != nullptr) expect_same("float32", whole);
    std::vector<bf16> half(whole.size());
    dequantize(View(half.data(), DType::bf16, {out, in}), quantized_.view);
    expect_same("bfloat16", half);
    // Any part of a row gives what the whole gives.
    for (std::int64_t begin = 0; begin < in; begin += 13) {
        std::vector<float> part(static_cast<std::size_t>(std::min<std::int64_t>(29, in - begin)));
        dequantize(part.data(), quantized_.view, out - 1, begin, static_cast<std::int64_t>(part.size()));
        EXPECT_EQ(std::memcmp(part.data(), whole.data() + (out - 1) * in + begin, part.size() * sizeof(float)), 0) << begin;
    }
}

TEST_P(Nf4Golden, Maps) {
    prefix_ = "maps.";
    expect_same("nf4", std::vector<float>(nf4_map(), nf4_map() + 16));
    expect_same("dynamic", std::vector<float>(dynamic_map(), dynamic_map() + 256));
}

INSTANTIATE_TEST_SUITE_P(Cases, Nf4Golden, testing::Combine(testing::Values("blocks", "across_rows", "cut", "single", "constant"), testing::Bool()),
                         [](const auto& nf4) { return std::get<0>(nf4.param) + (std::get<1>(nf4.param) ? "_double" : ""); });

}  // namespace
}  // namespace temper
