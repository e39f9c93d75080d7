// Loss, every LoRA gradient and ten optimizer steps of tiny decoders against PEFT and TRL, in float32; and that ranks of memory
// (micro_batch_tokens), threads and the cut into calls change no bit.
#include <cstring>

#include <gtest/gtest.h>

#include "tests/support/golden_runs.h"

namespace temper {
namespace {

using test::Golden;
using namespace test;

class SftGolden : public testing::TestWithParam<std::string> {};

TEST_P(SftGolden, LossAndEveryGradient) {
    const Golden golden(GetParam());
    const ModelFiles files(golden.directory);
    const LoraLayout lora = make_lora_layout(files.config(), read_adapter_settings(golden.directory / "adapter"));
    std::vector<float> parameters = read_adapter(golden.directory / "adapter", lora);
    Stream stream(2);
    Decoder decoder(stream, files, lora, {DType::f32, true, 128});
    decoder.refresh_adapter(View(parameters.data(), DType::f32, {lora.parameters}));
    const TokenDataset data = TokenDataset::from_rows(rows_of_golden(golden));
    const StepRows step = cut_step(data, {0, 1, 2}, 100000, files.config());
    ASSERT_EQ(step.leaves.size(), 1u);
    SftBatch batch(decoder, {step.tokens, step.labels, 1, Activations::Keep::all});
    std::vector<LeafResult> results;
    batch.run(data, step, {0, 1}, static_cast<float>(1.0 / static_cast<double>(step.labels)), results);
    EXPECT_EQ(results[0].labels, golden.json["supervised_tokens"].get<std::int64_t>());
    const double loss = golden.json["loss"];
    EXPECT_NEAR(results[0].nll / static_cast<double>(step.labels), loss, loss * golden.json["tol"]["loss"]["rtol"].get<double>());
    const double absolute = golden.json["tol"]["grad"]["atol"], relative = golden.json["tol"]["grad"]["rtol"];
    for (const LoraModule& module : lora.modules) {
        const std::string name = "grad.base_model.model." + module.path;
        const float* gradients = batch.gradients().as<float>();
        const std::vector<float> a = golden.floats(name + ".lora_A.weight"), b = golden.floats(name + ".lora_B.weight");
        test::expect_close(gradients + module.offset_a, a.data(), a.size(), absolute, relative, name + " A");
        test::expect_close(gradients + module.offset_b, b.data(), b.size(), absolute, relative, name + " B");
    }
}

TEST_P(SftGolden, TenStepsFollowTheReference) {
    const Golden golden(GetParam());
    const Json& trajectory = golden.json["trajectory"];
    const Json& tol = golden.json["tol"]["trajectory"];
    const Trajectory run = run_trajectory(golden, training_config(trajectory), DType::f32, 2);
    ASSERT_EQ(run.steps.size(), trajectory["steps"].size());
    for (std::size_t i = 0; i < run.steps.size(); ++i) {
        for (const char* source : {"steps", "trl_steps"}) {
            const Json& expected = trajectory[source][i];
            const double loss = expected["loss"], norm = expected["grad_norm"];
            EXPECT_NEAR(run.steps[i].loss, loss, loss * tol["loss_rtol"].get<double>()) << source << " step " << i;
            EXPECT_NEAR(run.steps[i].grad_norm, norm, norm * tol["grad_norm_rtol"].get<double>()) << source << " step " << i;
        }
        const double rate = trajectory["steps"][i]["learning_rate"];
        EXPECT_NEAR(run.steps[i].learning_rate, rate, 1e-15 + rate * tol["learning_rate_rtol"].get<double>());
    }
    const ModelFiles files(golden.directory);
    const LoraLayout lora = make_lora_layout(files.config(), read_adapter_settings(golden.directory / "trained"));
    const std::vector<float> trained = read_adapter(golden.directory / "trained", lora);
    test::expect_close(run.parameters.data(), trained.data(), trained.size(), tol["adapter_atol"], 0.0, "trained adapter");
}

TEST_P(SftGolden, Bfloat16FollowsWithinItsBounds) {
    const Golden golden(GetParam());
    const Json& trajectory = golden.json["trajectory"];
    const Trajectory run = run_trajectory(golden, training_config(trajectory), DType::bf16, 1);
    for (std::size_t i = 0; i < run.steps.size(); ++i) {
        const double loss = trajectory["steps"][i]["loss"], norm = trajectory["steps"][i]["grad_norm"];
        EXPECT_NEAR(run.steps[i].loss, loss, loss * 0.01) << "step " << i;
        EXPECT_NEAR(run.steps[i].grad_norm, norm, norm * 0.05) << "step " << i;
    }
}

TEST_P(SftGolden, MicroBatchesAndThreadsChangeNoBit) {
    const Golden golden(GetParam());
    TrainingConfig config = training_config(golden.json["trajectory"]);
    config.leaf_tokens = 16;  // several leaves a step
    for (const DType dtype : {DType::f32, DType::bf16}) {
        const Trajectory first = run_trajectory(golden, config, dtype, 1);
        for (const auto& [micro, threads] : {std::pair<std::int64_t, int>{1, 1}, {24, 2}, {60, 1}, {4096, 2}}) {
            config.micro_batch_tokens = micro;
            const Trajectory other = run_trajectory(golden, config, dtype, threads);
            EXPECT_EQ(std::memcmp(first.parameters.data(), other.parameters.data(), first.parameters.size() * sizeof(float)), 0)
                << name_of(dtype) << " micro_batch_tokens " << micro << " threads " << threads;
            for (std::size_t i = 0; i < first.steps.size(); ++i) EXPECT_EQ(first.steps[i].loss, other.steps[i].loss);
        }
    }
}

// The last layer is computed behind its attention only for rows with a label: the same losses bit for bit; sums of gradients pair other
// tokens, so they agree to the rounding of a product of two numbers of the dtype.
TEST_P(SftGolden, LeavingOutRowsWithoutALabelChangesNoLoss) {
    const Golden golden(GetParam());
    const ModelFiles files(golden.directory);
    const LoraLayout lora = make_lora_layout(files.config(), read_adapter_settings(golden.directory / "adapter"));
    std::vector<float> parameters = read_adapter(golden.directory / "adapter", lora);
    const TokenDataset data = TokenDataset::from_rows(rows_of_golden(golden));
    const StepRows step = cut_step(data, {0, 1, 2}, 16, files.config());
    ASSERT_LT(step.labels, step.tokens - 3) << "the golden has no row to leave out";
    for (const DType dtype : {DType::f32, DType::bf16}) {
        Stream stream(2);
        Decoder decoder(stream, files, lora, {dtype, true, 128});
        decoder.refresh_adapter(View(parameters.data(), DType::f32, {lora.parameters}));
        const auto leaves = static_cast<std::int64_t>(step.leaves.size());
        SftBatch thin(decoder, {step.tokens, step.labels, leaves, Activations::Keep::all}),
            whole(decoder, {step.tokens, step.tokens, leaves, Activations::Keep::all});
        whole.compute_every_row(true);
        std::vector<LeafResult> thin_results, whole_results;
        thin.run(data, step, {0, leaves}, 0.1f, thin_results);
        whole.run(data, step, {0, leaves}, 0.1f, whole_results);
        for (std::size_t leaf = 0; leaf < thin_results.size(); ++leaf) EXPECT_EQ(thin_results[leaf].nll, whole_results[leaf].nll) << name_of(dtype);
        double largest = 0.0, difference = 0.0;
        for (std::int64_t leaf = 0; leaf < leaves; ++leaf)
            for (std::int64_t p = 0; p < lora.parameters; ++p) {
                const double a = thin.gradients().row<float>(leaf)[p], b = whole.gradients().row<float>(leaf)[p];
                largest = std::max(largest, std::abs(b));
                difference = std::max(difference, std::abs(a - b));
            }
        EXPECT_LE(difference, largest * (dtype == DType::f32 ? 1e-5 : 1e-2)) << name_of(dtype);
    }
}

TEST_P(SftGolden, RecomputingLayersChangesNoBit) {
    const Golden golden(GetParam());
    TrainingConfig config = training_config(golden.json["trajectory"]);
    config.leaf_tokens = 16;
    for (const DType dtype : {DType::f32, DType::bf16}) {
        const Trajectory kept = run_trajectory(golden, config, dtype, 2),
                         recomputed = run_trajectory(golden, config, dtype, 2, Activations::Keep::inputs);
        EXPECT_EQ(std::memcmp(kept.parameters.data(), recomputed.parameters.data(), kept.parameters.size() * sizeof(float)), 0) << name_of(dtype);
    }
}

INSTANTIATE_TEST_SUITE_P(Models, SftGolden, testing::ValuesIn(test::golden_names()), [](const auto& model) { return model.param; });

}  // namespace
}  // namespace temper
