// Preference tuning against TRL 1.16: the log-probabilities of the first step, its loss, metrics and gradients, and ten steps with the gradients
// of the last; with the prompt computed once and apart; and that ranks' shares, threads, micro-batches and recomputing change no bit.
#include <cstring>

#include <gtest/gtest.h>

#include "model/extended_model.h"
#include "tests/support/golden.h"
#include "tests/support/gradient_samples.h"
#include "train/preference_data.h"
#include "train/trainer.h"

namespace temper {
namespace {

using test::adapter_tensors;
using test::AdapterTensor;
using test::expect_close;
using test::golden_models;

struct DpoGolden {
    explicit DpoGolden(const std::string& name) : path(std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/dpo" / name) {
        json = parse_json(read_file(path.string() + ".json"), path.string());
        tensors = open_safetensors(path.string() + ".safetensors");
        directory = golden_models() / json["model"].get<std::string>();
        adapter = directory / json["adapter"].get<std::string>();
        Json settings = json["settings"];
        settings["model"] = directory.string();
        settings["data"]["train"] = "none.jsonl";
        settings["train"]["num_train_epochs"] = 1;
        settings["train"].erase("learning_rate");
        if (settings["dpo"].value("reference", "") == "init_adapter") settings["lora"]["init_adapter"] = adapter.string();
        config = parse_config(settings.dump(), path.string(), {}, TrainKind::dpo);
        learning_rate = json["settings"]["train"]["learning_rate"];
    }
    // The rows in the order in which the steps take them.
    PreferenceDataset data() const {
        std::vector<PreferenceRow> rows;
        for (const Json& step : json["order"])
            for (const Json& index : step) {
                const Json& source = json["rows"][index.get<std::size_t>()];
                PreferenceRow row;
                row.prompt = source["prompt_ids"].get<std::vector<std::int32_t>>();
                for (const char* name : {"chosen_ids", "rejected_ids", "completion_ids"})
                    if (source.contains(name)) row.answers.push_back(source[name].get<std::vector<std::int32_t>>());
                row.label = source.value("label", true);
                rows.push_back(row);
            }
        return PreferenceDataset::from_rows(rows);
    }
    double tolerance(const char* of, const char* kind) const { return json["tol"][of].value(kind, 0.0); }

    std::filesystem::path path, directory, adapter;
    Json json;
    std::unique_ptr<TensorSource> tensors;
    Config config;
    double learning_rate = 0.0;
};

struct TrainingResult {
    std::vector<StepOutcome> steps;
    std::vector<NamedMetrics> metrics;
    std::vector<float> first_gradient, last_gradient, parameters;
    LoraLayout lora;
};

struct Way {
    DType dtype = DType::f32;
    int threads = 2;
    Activations::Keep keep = Activations::Keep::all;
    std::int64_t steps = -1;
};

// Sums the leaves of the first step, which is all in one micro-batch here.
TrainingResult train(const DpoGolden& golden, const Config& config, Way way) {
    const ModelFiles files(golden.directory);
    TrainingResult result;
    result.lora = make_lora_layout(files.config(), read_adapter_settings(golden.adapter));
    const std::vector<float> start = read_adapter(golden.adapter, result.lora);
    Stream stream(way.threads);
    Decoder decoder(stream, files, result.lora, {way.dtype, true, 128});
    PreferenceData data(golden.data(), config, false);
    const std::unique_ptr<Comm> comm = single_comm();
    const std::function<std::vector<float>()> first = [&] { return start; };
    const std::function<std::string()> identity = [] { return "test"; };
    const std::function<void(const std::string&)> say = [](const std::string&) {};
    std::vector<float> now = start;
    decoder.refresh_adapter(View(now.data(), DType::f32, {result.lora.parameters}));
    const StepBounds bounds = bound_steps(data.sizes(), config.train, result.lora);
    EXPECT_TRUE(data.begin({decoder, *comm, config, start, first, identity, bounds.tokens, say}));
    const std::unique_ptr<Objective> objective = data.make_objective(decoder, config, bounds.size(way.keep));
    Trainer trainer(decoder, *comm, *objective, config.train, golden.learning_rate, false);
    TrainState state;
    state.parameters = start;
    state.first_moment.resize(start.size());
    state.second_moment.resize(start.size());
    trainer.set_state(state);
    const std::int64_t steps = way.steps < 0 ? trainer.total_steps() : way.steps;
    for (std::int64_t step = 0; step < steps; ++step) {
        result.steps.push_back(trainer.step(step));
        result.metrics.push_back(objective->metrics(result.steps.back().sums));
        if (step == 0) result.first_gradient = trainer.gradients();
    }
    result.last_gradient = trainer.gradients();
    result.parameters = trainer.state().parameters;
    return result;
}

void expect_tensors(const DpoGolden& golden, const TrainingResult& run, const std::string& prefix, const std::vector<float>& values,
                    const char* tolerance) {
    std::int64_t compared = 0;
    for (const std::string& name : golden.tensors->names()) {
        if (name.rfind(prefix, 0) != 0) continue;
        for (const LoraModule& module : run.lora.modules)
            for (const char which : {'A', 'B'}) {
                if (name != fmt::format("{}base_model.model.{}.lora_{}.weight", prefix, module.path, which)) continue;
                const std::int64_t count = module.rank * (which == 'A' ? module.in : module.out);
                std::vector<float> expected(static_cast<std::size_t>(count));
                const TensorInfo& info = *golden.tensors->find(name);
                golden.tensors->read(name, View(expected.data(), DType::f32, {info.shape[0], info.shape[1]}));
                expect_close(values.data() + (which == 'A' ? module.offset_a : module.offset_b), expected.data(), expected.size(),
                             golden.tolerance(tolerance, "atol"), golden.tolerance(tolerance, "rtol"), name);
                ++compared;
            }
    }
    if (prefix == "grad.") {
        EXPECT_GT(compared, 0);
    }
}

// Names of the adapter tensors whose gradient is not the golden's, of all that there are.
std::vector<std::string> wrong_gradients(const DpoGolden& golden, const LoraLayout& lora, const char* sampled, const std::vector<float>& gradient) {
    return test::wrong_gradients(*golden.tensors, sampled, lora, gradient, golden.tolerance("sampled", "rms"));
}

void expect_steps(const DpoGolden& golden, const TrainingResult& run) {
    ASSERT_EQ(run.steps.size(), golden.json["steps"].size());
    for (std::size_t i = 0; i < run.steps.size(); ++i) {
        SCOPED_TRACE(fmt::format("step {}", i));
        const Json& expected = golden.json["steps"][i];
        const auto near = [&](const char* name, double got, double wanted, const char* tolerance) {
            EXPECT_NEAR(got, wanted, golden.tolerance(tolerance, "atol") + std::abs(wanted) * golden.tolerance(tolerance, "rtol")) << name;
        };
        near("loss", run.steps[i].loss, expected["loss"], "loss");
        near("grad_norm", run.steps[i].grad_norm, expected["grad_norm"], "grad_norm");
        EXPECT_NEAR(run.steps[i].learning_rate, expected["learning_rate"].get<double>(), 1e-12);
        for (const auto& [name, value] : run.metrics[i])
            // Without a weight for it TRL leaves the likelihood out, and logs 0.
            if (expected.contains(name) && !(name == "nll_loss" && expected[name] == 0.0)) {
                near(name.c_str(), value, expected[name], "metrics");
            }
    }
}

class DpoGoldens : public ::testing::TestWithParam<std::string> {
  protected:
    DpoGoldens() : golden(GetParam()) {}
    const DpoGolden golden;
};

TEST_P(DpoGoldens, TenStepsFollowTrl) {
    for (const bool shared : {true, false}) {
        SCOPED_TRACE(shared ? "the prompt once" : "a prompt for every answer");
        Config config = golden.config;
        config.dpo.prefix_sharing = shared;
        const TrainingResult result = train(golden, config, {});
        expect_steps(golden, result);
        expect_tensors(golden, result, "grad.", result.first_gradient, "grad");
        expect_tensors(golden, result, "trained.", result.parameters, "adapter");
        EXPECT_EQ(wrong_gradients(golden, result.lora, "sampled.first", result.first_gradient), std::vector<std::string>());
        EXPECT_EQ(wrong_gradients(golden, result.lora, "sampled.last", result.last_gradient), std::vector<std::string>());
        // Every figure that TRL logs is there under its name.
        for (const auto& [name, value] : golden.json["steps"][0].items())
            if (name.find('/') != std::string::npos) {
                EXPECT_TRUE(std::any_of(result.metrics[0].begin(), result.metrics[0].end(), [&](const auto& metric) { return metric.first == name; }))
                    << name;
            }
    }
}

// The comparison itself: one adapter tensor that is 0.5% too large, has its largest entry's sign turned,
// its entries shifted by one or lost is found, by name.
TEST_P(DpoGoldens, AWrongGradientOfAnyModuleIsSeen) {
    const TrainingResult result = train(golden, golden.config, {});
    for (const bool first : {true, false})
        for (const AdapterTensor& tensor : adapter_tensors(result.lora)) {
            const std::vector<float>& right = first ? result.first_gradient : result.last_gradient;
            const char* sampled = first ? "sampled.first" : "sampled.last";
            const auto seen = [&](const std::function<void(float*, float*)>& spoil) {
                std::vector<float> gradient = right;
                spoil(&gradient[static_cast<std::size_t>(tensor.offset)], &gradient[static_cast<std::size_t>(tensor.offset)] + tensor.count);
                return wrong_gradients(golden, result.lora, sampled, gradient) == std::vector<std::string>{tensor.name};
            };
            EXPECT_TRUE(seen([](float* begin, float* end) { std::for_each(begin, end, [](float& value) { value *= 1.005f; }); })) << tensor.name;
            EXPECT_TRUE(seen([](float* begin, float* end) {
                float& largest = *std::max_element(begin, end, [](float a, float b) { return std::abs(a) < std::abs(b); });
                largest = -largest;
            })) << tensor.name;
            EXPECT_TRUE(seen([](float* begin, float* end) { std::rotate(begin, begin + 1, end); })) << tensor.name;
            EXPECT_TRUE(seen([](float* begin, float* end) { std::fill(begin, end, 0.0f); })) << tensor.name;
        }
}

TEST_P(DpoGoldens, ThreadsMicroBatchesAndRecomputingChangeNoBit) {
    Config config = golden.config;
    config.train.leaf_tokens = 16;
    for (const DType dtype : {DType::f32, DType::bf16}) {
        const TrainingResult first = train(golden, config, {dtype, 1});
        Config small = config;
        small.train.micro_batch_tokens = 1;
        Config middle = config;
        middle.train.micro_batch_tokens = 60;
        for (const TrainingResult& other : {train(golden, config, {dtype, 3}), train(golden, small, {dtype, 2}), train(golden, middle, {dtype, 2}),
                                            train(golden, small, {dtype, 2, Activations::Keep::inputs})})
            EXPECT_EQ(std::memcmp(first.parameters.data(), other.parameters.data(), first.parameters.size() * sizeof(float)), 0) << name_of(dtype);
    }
}

std::vector<std::string> goldens(const char* kind) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/dpo" / kind))
        if (entry.path().extension() == ".json") names.push_back(std::string(kind) + "/" + entry.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}
std::string plain_name(const ::testing::TestParamInfo<std::string>& info) {
    std::string name = info.param;
    std::replace(name.begin(), name.end(), '/', '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(Losses, DpoGoldens, ::testing::ValuesIn(goldens("losses")), plain_name);
INSTANTIATE_TEST_SUITE_P(Models, DpoGoldens, ::testing::ValuesIn(goldens("models")), plain_name);

// With a fresh adapter policy and reference are the same function, computed the same way: exactly ln 2, and a margin of exactly 0.
TEST(Dpo, BeginsAtLnTwoExactly) {
    const DpoGolden golden("losses/sigmoid");
    const ModelFiles files(golden.directory);
    const LoraLayout lora = make_lora_layout(files.config(), {});
    for (const DType dtype : {DType::f32, DType::bf16})
        for (const bool shared : {true, false}) {
            Config config = golden.config;
            config.dpo.prefix_sharing = shared;
            Stream stream(2);
            Decoder decoder(stream, files, lora, {dtype, true, 128});
            std::vector<float> parameters(static_cast<std::size_t>(lora.parameters));
            init_lora(lora, 1, parameters.data());
            PreferenceData data(golden.data(), config, false);
            const StepBounds bounds = bound_steps(data.sizes(), config.train, lora);
            const auto objective = data.make_objective(decoder, config, bounds.size(Activations::Keep::all));
            const auto comm = single_comm();
            Trainer trainer(decoder, *comm, *objective, config.train, 1e-3, false);
            trainer.set_state({0, parameters, std::vector<float>(parameters.size()), std::vector<float>(parameters.size()), {}});
            const StepOutcome outcome = trainer.step(0);
            EXPECT_EQ(outcome.loss, std::log(2.0));
            for (const auto& [name, value] : objective->metrics(outcome.sums))
                if (name == "rewards/margins" || name == "rewards/accuracies") {
                    EXPECT_EQ(value, 0.0) << name;
                }
        }
}

}  // namespace
}  // namespace temper
