// The second micro-batch of a size takes no memory: everything it writes was cut from arenas before, and the lists it fills keep theirs.
#include <atomic>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "model/lora.h"
#include "tests/support/golden.h"
#include "train/sft_batch.h"

// Sanitizers have allocators of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEMPER_COUNTS_ALLOCATIONS 0
#else
#define TEMPER_COUNTS_ALLOCATIONS 1
#endif

namespace {

std::atomic<std::int64_t> allocations{0};

#if TEMPER_COUNTS_ALLOCATIONS
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
#endif

}  // namespace

#if TEMPER_COUNTS_ALLOCATIONS
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
#endif

namespace temper {
namespace {

class Allocation : public testing::TestWithParam<std::string> {};

TEST_P(Allocation, AMicroBatchAfterTheFirstTakesNone) {
    if (TEMPER_COUNTS_ALLOCATIONS == 0) GTEST_SKIP() << "allocations are not counted under sanitizers";
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
            SftBatch batch(decoder, {step.tokens, step.labels, leaves, keep});
            std::vector<LeafResult> results;
            results.reserve(static_cast<std::size_t>(2 * leaves));
            batch.run(data, step, {0, leaves}, 0.1f, results);
            const std::int64_t before = allocations;
            batch.run(data, step, {0, leaves}, 0.1f, results);
            EXPECT_EQ(allocations - before, 0) << name_of(dtype);
        }
}

// The plan's part for kernels: no op takes more, with any variant of the adapter.
void check_scratch(const ModelFiles& files) {
    std::vector<TokenRow> rows(5);
    for (std::size_t i = 0; i < rows.size(); ++i)
        for (std::int32_t t = 0; t < 60; ++t) rows[i].ids.push_back(3 + t), rows[i].supervised.push_back(t > 10);
    const TokenDataset data = TokenDataset::from_rows(rows);
    const StepRows step = cut_step(data, {0, 1, 2, 3, 4}, 100, files.config());
    const auto leaves = static_cast<std::int64_t>(step.leaves.size());
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const bool dora : {false, true})
            for (const double dropout : {0.0, 0.1})
                for (const int threads : {1, 2, 7}) {
                    LoraSettings settings;
                    settings.r = 5;
                    settings.use_dora = dora;
                    settings.dropout = dropout;
                    const LoraLayout lora = make_lora_layout(files.config(), settings);
                    std::vector<float> parameters(static_cast<std::size_t>(lora.parameters), 0.1f);
                    Stream stream(threads);
                    Decoder decoder(stream, files, lora, {dtype, true, 128});
                    decoder.refresh_adapter(View(parameters.data(), DType::f32, {lora.parameters}));
                    SftBatch batch(decoder, {step.tokens, step.labels, leaves, Activations::Keep::all});
                    if (dropout > 0.0) batch.set_dropout(dropout, 42, 0);
                    std::vector<LeafResult> results;
                    batch.run(data, step, {0, leaves}, 0.1f, results);
                    EXPECT_LE(stream.scratch_bytes(), Decoder::predict_scratch(Device::cpu, files.config(), lora, dtype, step.tokens, step.tokens, 60,
                                                                               threads, &files.weights()))
                        << name_of(dtype) << " dora " << dora << " dropout " << dropout << " threads " << threads;
                }
}

TEST(ScratchPlan, CoversWhatAStepTakes) { check_scratch(ModelFiles(test::golden_models() / "llama_gqa_tied")); }

TEST(ScratchPlan, CoversWhatQuantisedWeightsTake) {
    check_scratch(ModelFiles(test::golden_models() / "llama_gqa_tied", {true, true}));
    check_scratch(ModelFiles(std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/nf4/checkpoint"));
}

INSTANTIATE_TEST_SUITE_P(Models, Allocation, testing::ValuesIn(test::golden_names()), [](const auto& model) { return model.param; });

}  // namespace
}  // namespace temper
