// PEFT's variants of LoRA (patterns with rsLoRA and LoRA+, dropout, DoRA, both; starts from the weights): logits, loss, every gradient and ten steps against PEFT in
// float32, and that threads, micro-batches and recomputing change no bit in either dtype.
#include <cstring>

#include <gtest/gtest.h>

#include "model/lora_start.h"
#include "model/merged_weights.h"
#include "tests/support/golden_runs.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

using namespace test;

// Of one row, as evaluation sees it: nothing is dropped.
std::vector<float> logits_of(const ModelFiles& files, const LoraLayout& lora, std::vector<float> parameters, std::vector<std::int32_t> ids) {
    Stream stream(1);
    Decoder decoder(stream, files, lora, {DType::f32, false, 128});
    if (!parameters.empty()) decoder.refresh_adapter(View(parameters.data(), DType::f32, {lora.parameters}));
    const auto n = static_cast<std::int64_t>(ids.size()), vocabulary = files.config().vocab_size;
    std::vector<std::int32_t> positions;
    for (std::int32_t i = 0; i < n; ++i) positions.push_back(i);
    TokenBatch tokens;
    tokens.ids = View(ids.data(), DType::i32, {n});
    tokens.positions = View(positions.data(), DType::i32, {n});
    Segment segment;
    segment.length = n;
    tokens.segments = {segment};
    Activations activations(Device::cpu, files.config(), lora, DType::f32, n, Activations::Keep::nothing);
    const View hidden = decoder.forward(tokens, activations);
    std::vector<float> logits(static_cast<std::size_t>(n * vocabulary));
    const View out(logits.data(), DType::f32, {n, vocabulary});
    ops::linear(stream, out, hidden, decoder.head(), View());
    if (files.config().logit_softcap > 0.0) ops::softcap(stream, out, static_cast<float>(files.config().logit_softcap));
    return logits;
}

class LoraVariant : public ::testing::TestWithParam<std::string> {
  protected:
    LoraVariant() : golden("../lora/" + GetParam()), model(golden), files(*model.files), lora(layout_of(golden, files)) {
        parameters = read_adapter(golden.directory / "adapter", lora);
    }
    View flat() { return View(parameters.data(), DType::f32, {lora.parameters}); }
    // Every tensor of the adapter under this prefix of the golden.
    void expect_tensors(const std::string& prefix, const float* values, double absolute, double relative) const {
        std::int64_t compared = 0;
        const auto compare = [&](const std::string& name, std::int64_t offset, std::int64_t count) {
            const std::vector<float> expected = golden.floats(prefix + name);
            ASSERT_EQ(static_cast<std::int64_t>(expected.size()), count) << name;
            expect_close(values + offset, expected.data(), expected.size(), absolute, relative, name);
            compared += count;
        };
        for (const LoraModule& module : lora.modules) {
            const std::string name = "base_model.model." + module.path;
            compare(name + ".lora_A.weight", module.offset_a, module.rank * module.in);
            compare(name + ".lora_B.weight", module.offset_b, module.rank * module.out);
            if (module.offset_m >= 0) compare(name + ".lora_magnitude_vector", module.offset_m, module.out);
        }
        EXPECT_EQ(compared, lora.adapter_parameters());
        // What training made of whole modules is in the golden as logits.
        if (prefix == "grad.")
            for (const SavedModule& module : lora.saved)
                compare("base_model.model." + module.paths().front() + ".modules_to_save.weight", module.offset, module.elements());
    }

    void expect_logits(const std::string& name, const std::vector<float>& values, double absolute, double relative) const {
        std::vector<std::int32_t> ids = golden.integers("input_ids");
        ids.resize(static_cast<std::size_t>(golden.integers("lengths")[0]));
        const std::vector<float> logits = logits_of(files, lora, values, ids), expected = golden.floats(name);
        ASSERT_EQ(logits.size(), expected.size());
        expect_close(logits.data(), expected.data(), logits.size(), absolute, relative, name);
    }

    const Golden golden;
    const GoldenModel model;
    const ModelFiles& files;
    const LoraLayout lora;
    std::vector<float> parameters;
};

TEST_P(LoraVariant, LossLogitsAndEveryGradient) {
    Stream stream(2);
    Decoder decoder(stream, files, lora, {DType::f32, true, 128});
    decoder.refresh_adapter(flat());
    const TokenDataset data = TokenDataset::from_rows(rows_of_golden(golden));
    const StepRows step = cut_step(data, {0, 1}, 100000, files.config());
    SftBatch batch(decoder, {step.tokens, step.labels, 1, Activations::Keep::all});
    batch.set_dropout(lora.settings.dropout, golden.json["seed"].get<std::uint64_t>(), 0);
    std::vector<LeafResult> results;
    batch.run(data, step, {0, 1}, static_cast<float>(1.0 / static_cast<double>(step.labels)), results);
    const double loss = golden.json["loss"];
    EXPECT_NEAR(results[0].nll / static_cast<double>(step.labels), loss, loss * golden.json["tol"]["loss"]["rtol"].get<double>());
    expect_tensors("grad.", batch.gradients().as<float>(), golden.json["tol"]["grad"]["atol"], golden.json["tol"]["grad"]["rtol"]);
    expect_logits("logits", parameters, golden.json["tol"]["logits"]["atol"], golden.json["tol"]["logits"]["rtol"]);
}

TEST_P(LoraVariant, TenStepsFollowPeft) {
    const Json& trajectory = golden.json["trajectory"];
    const Json& tol = golden.json["tol"]["trajectory"];
    const Trajectory run = run_trajectory(golden, training_config(trajectory), DType::f32, 2);
    ASSERT_EQ(run.steps.size(), trajectory["steps"].size());
    for (std::size_t i = 0; i < run.steps.size(); ++i) {
        const double loss = trajectory["steps"][i]["loss"], norm = trajectory["steps"][i]["grad_norm"];
        EXPECT_NEAR(run.steps[i].loss, loss, loss * tol["loss_rtol"].get<double>()) << "step " << i;
        EXPECT_NEAR(run.steps[i].grad_norm, norm, norm * tol["grad_norm_rtol"].get<double>()) << "step " << i;
    }
    expect_tensors("trained.", run.parameters.data(), tol["adapter_atol"], 0.0);
    if (!lora.saved.empty()) expect_logits("trained_logits", run.parameters, 2e-3, 1e-3);
}

TEST_P(LoraVariant, ThreadsMicroBatchesAndRecomputingChangeNoBit) {
    TrainingConfig config = training_config(golden.json["trajectory"]);
    config.leaf_tokens = 16;
    for (const DType dtype : {DType::f32, DType::bf16}) {
        const Trajectory first = run_trajectory(golden, config, dtype, 1);
        TrainingConfig small = config;
        small.micro_batch_tokens = 1;
        for (const Trajectory& other : {run_trajectory(golden, config, dtype, 3), run_trajectory(golden, small, dtype, 2),
                                        run_trajectory(golden, small, dtype, 2, Activations::Keep::inputs)})
            EXPECT_EQ(std::memcmp(first.parameters.data(), other.parameters.data(), first.parameters.size() * sizeof(float)), 0) << name_of(dtype);
    }
}

// In bfloat16 the losses stay near those of float32.
TEST_P(LoraVariant, Bfloat16StaysNear) {
    const Trajectory run = run_trajectory(golden, training_config(golden.json["trajectory"]), DType::bf16, 2);
    for (std::size_t i = 0; i < run.steps.size(); ++i) {
        const double loss = golden.json["trajectory"]["steps"][i]["loss"];
        EXPECT_NEAR(run.steps[i].loss, loss, loss * 0.01) << "step " << i;
    }
}

class WholeModules : public LoraVariant {};

// The start of a run is the model's own weights, new rows their mean: what PEFT's adapter holds before its first step.
TEST_P(WholeModules, StartAsTheWeightsAre) {
    std::vector<float> start(parameters.size());
    init_saved(lora, files.weights(), start.data());
    for (const SavedModule& module : lora.saved)
        expect_close(start.data() + module.offset, parameters.data() + module.offset, static_cast<std::size_t>(module.elements()), 1e-7, 0.0,
                     module.paths().front());
}

TEST_P(WholeModules, WriteAndReadBack) {
    const TemporaryDirectory directory;
    write_adapter(directory.path(), lora, parameters.data(), "base");
    const AdaptedModel read = open_adapted_model(model_of(golden), directory.path());
    ASSERT_EQ(read.lora.parameters, lora.parameters);
    EXPECT_EQ(read.parameters, parameters);
    EXPECT_EQ(read.files().config().vocab_size, files.config().vocab_size);
    EXPECT_EQ(read.files().config().tied_head, files.config().tied_head);
}

// Merged and read as a plain model, the logits are those of base and adapter.
TEST_P(WholeModules, MergedModelGivesTheSameLogits) {
    const MergedWeights merged(files.weights(), lora, parameters);
    const ModelFiles plain(files, std::make_unique<MergedWeights>(merged));
    std::vector<std::int32_t> ids = golden.integers("input_ids");
    ids.resize(static_cast<std::size_t>(golden.integers("lengths")[0]));
    const std::vector<float> logits = logits_of(plain, {}, {}, ids), expected = logits_of(files, lora, parameters, ids);
    expect_close(logits.data(), expected.data(), logits.size(), 1e-5, 1e-5, "logits");
}

INSTANTIATE_TEST_SUITE_P(Peft, WholeModules, ::testing::Values("whole_both", "whole_tied", "whole_head"), [](const auto& v) { return v.param; });

class LoraStart : public ::testing::TestWithParam<std::string> {};

// The start is our own: singular vectors may have other signs than PEFT's, which no loss or norm sees. The adapter saved is the difference,
// and gives on the weights as they were what PEFT's model gives on its changed ones.
TEST_P(LoraStart, TenStepsAndTheDifferenceFollowPeft) {
    const Golden golden("../lora/" + GetParam());
    const ModelFiles files(model_of(golden));
    const Json& given = golden.json["settings"];
    LoraSettings settings;
    settings.r = given["r"];
    settings.alpha = given["lora_alpha"];
    settings.init = given["init_lora_weights"];
    settings.use_dora = given.value("use_dora", false);
    const LoraLayout lora = make_lora_layout(files.config(), settings);
    std::vector<float> start(static_cast<std::size_t>(lora.parameters));
    start_from_weights(lora, files.weights(), DType::f32, 42, 2, {}, start.data());
    std::vector<float> parameters = start;
    init_magnitudes(lora, files.weights(), DType::f32, parameters.data());
    const Json& trajectory = golden.json["trajectory"];
    const Json& tol = golden.json["tol"]["trajectory"];
    const Trajectory run = train_trajectory(golden, files, lora, parameters, start, training_config(trajectory), DType::f32, 2);
    ASSERT_EQ(run.steps.size(), trajectory["steps"].size());
    for (std::size_t i = 0; i < run.steps.size(); ++i) {
        const double loss = trajectory["steps"][i]["loss"], norm = trajectory["steps"][i]["grad_norm"];
        EXPECT_NEAR(run.steps[i].loss, loss, loss * tol["loss_rtol"].get<double>()) << "step " << i;
        EXPECT_NEAR(run.steps[i].grad_norm, norm, norm * tol["grad_norm_rtol"].get<double>()) << "step " << i;
    }
    const DifferenceAdapter difference = difference_adapter(files.config(), lora, run.parameters.data(), start.data());
    EXPECT_EQ(difference.layout.settings.r, 2 * settings.r);
    const std::vector<float> got = logits_of(files, difference.layout, difference.parameters, trajectory["rows"][0]["input_ids"]);
    const std::vector<float> expected = golden.floats("logits");
    ASSERT_EQ(got.size(), expected.size());
    expect_close(got.data(), expected.data(), got.size(), 2e-3, 1e-3, "logits");
}

INSTANTIATE_TEST_SUITE_P(Peft, LoraStart, ::testing::Values("pissa", "olora", "pissa_dora"), [](const auto& v) { return v.param; });

INSTANTIATE_TEST_SUITE_P(Peft, LoraVariant,
                         ::testing::Values("patterns", "dropout", "dora", "dora_dropout", "whole_both", "whole_tied", "whole_head"),
                         [](const auto& v) { return v.param; });

}  // namespace
}  // namespace temper
