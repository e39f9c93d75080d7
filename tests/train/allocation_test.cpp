// The second micro-batch of a size takes no memory: everything it writes was cut from arenas before, and the lists it fills keep theirs.
#include <atomic>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "model/lora.h"
#include "tests/support/golden.h"
#include "train/sft_batch.h"

namespace {

std::atomic<std::int64_t> allocations{0};

void* counted(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}

void* counted(std::size_t size, std::align_val_t alignment) {
    ++allocations;
    const auto unit = static_cast<std::size_t>(alignment);
    if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
    throw std::bad_alloc();
}

}  // namespace

// Of this program alone.
void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void* operator new(std::size_t size, std::align_val_t alignment) { return counted(size, alignment); }
void* operator new[](std::size_t size, std::align_val_t alignment) { return counted(size, alignment); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace temper {
namespace {

class Allocation : public testing::TestWithParam<std::string> {};

TEST_P(Allocation, AMicroBatchAfterTheFirstTakesNone) {
    const test::Golden golden(GetParam());
    const ModelFiles files(golden.directory);
    const LoraLayout lora = make_lora_layout(files.config(), read_adapter_settings(golden.directory / "adapter"));
    std::vector<TokenRow> rows(6);
    for (std::size_t i = 0; i < rows.size(); ++i)
        for (std::int32_t t = 0; t < 40; ++t)
            rows[i].ids.push_back(3 + (t * 7 + static_cast<std::int32_t>(i)) % 300), rows[i].supervised.push_back(t > 20);
    const TokenDataset data = TokenDataset::from_rows(rows);
    const StepRows step = cut_step(data, {0, 1, 2, 3, 4, 5}, 80, files.config());
    const auto leaves = static_cast<std::int64_t>(step.leaves.size());
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const auto keep : {Activations::Keep::all, Activations::Keep::inputs}) {
            Stream stream(2);
            const Decoder decoder(stream, files, lora, {dtype, true, 128});
            SftBatch batch(decoder, step.tokens, leaves, keep);
            std::vector<LeafResult> results;
            results.reserve(static_cast<std::size_t>(2 * leaves));
            batch.run(data, step, {0, leaves}, 0.1f, results);
            const std::int64_t before = allocations;
            batch.run(data, step, {0, leaves}, 0.1f, results);
            EXPECT_EQ(allocations - before, 0) << name_of(dtype);
        }
}

INSTANTIATE_TEST_SUITE_P(Models, Allocation, testing::ValuesIn(test::golden_names()), [](const auto& model) { return model.param; });

}  // namespace
}  // namespace temper
