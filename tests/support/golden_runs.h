// Training on the goldens of tests/goldens: the reference's rows, in its order, with its numbers.
#pragma once
#include "model/extended_model.h"
#include "tests/support/golden.h"
#include "train/sft_objective.h"
#include "train/trainer.h"

namespace temper::test {

// A golden that is no model itself names one of tests/goldens/models.
inline std::filesystem::path model_of(const Golden& golden) {
    return golden.json.contains("model") ? golden_models() / golden.json["model"].get<std::string>() : golden.directory;
}

inline LoraLayout layout_of(const Golden& golden, const ModelFiles& files) {
    LoraSettings settings = read_adapter_settings(golden.directory / "adapter");
    settings.dropout = golden.json.value("dropout", 0.0);
    return make_lora_layout(files.config(), settings);
}

// The golden's model as its adapter needs it.
struct GoldenModel {
    std::unique_ptr<ModelFiles> base, files;
    explicit GoldenModel(const Golden& golden)
        : base(std::make_unique<ModelFiles>(model_of(golden))), files(extend_model(*base, read_adapter_settings(golden.directory / "adapter"))) {}
};

inline std::vector<TokenRow> rows_of_golden(const Golden& golden) {
    std::vector<TokenRow> rows;
    const std::vector<std::int32_t> ids = golden.integers("input_ids"), labels = golden.integers("labels");
    std::size_t at = 0;
    for (const std::int32_t length : golden.integers("lengths")) {
        TokenRow row;
        for (std::size_t i = 0; i < static_cast<std::size_t>(length); ++i, ++at) {
            row.ids.push_back(ids[at]);
            row.supervised.push_back(labels[at] >= 0 ? 1 : 0);
        }
        rows.push_back(row);
    }
    return rows;
}

// The trajectory's rows in the order in which its steps take them.
inline std::vector<TokenRow> rows_of_trajectory(const Json& trajectory) {
    std::vector<TokenRow> rows;
    for (const Json& step : trajectory["order"]) {
        for (const Json& index : step) {
            const Json& source = trajectory["rows"][index.get<std::size_t>()];
            TokenRow row;
            row.ids = source["input_ids"].get<std::vector<std::int32_t>>();
            for (const Json& label : source["labels"]) row.supervised.push_back(label.get<int>() >= 0 ? 1 : 0);
            rows.push_back(row);
        }
    }
    return rows;
}

inline TrainingConfig training_config(const Json& trajectory) {
    const Json& args = trajectory["args"];
    TrainingConfig config;
    config.num_train_epochs = 1;
    config.global_batch_size = static_cast<std::int64_t>(trajectory["order"][0].size());
    config.lr_scheduler_type = args["lr_scheduler_type"];
    config.warmup_steps = args["warmup_steps"];
    if (args.contains("loraplus_lr_ratio") && args["loraplus_lr_ratio"].is_number()) config.loraplus_lr_ratio = args["loraplus_lr_ratio"];
    config.weight_decay = args["weight_decay"];
    config.max_grad_norm = args["max_grad_norm"];
    config.adam_beta1 = args["adam_beta1"];
    config.adam_beta2 = args["adam_beta2"];
    config.adam_epsilon = args["adam_epsilon"];
    return config;
}

struct Trajectory {
    std::vector<StepOutcome> steps;
    std::vector<float> parameters;
};

// `start`: of an adapter that starts from the weights, else empty.
inline Trajectory train_trajectory(const Golden& golden, const ModelFiles& files, const LoraLayout& lora, std::vector<float> parameters,
                                   const std::vector<float>& start, const TrainingConfig& config, DType dtype, int threads,
                                   Activations::Keep keep = Activations::Keep::all) {
    const Json& trajectory = golden.json["trajectory"];
    Stream stream(threads);
    Decoder decoder(stream, files, lora, {dtype, true, 128, start.empty() ? nullptr : start.data()});
    const TokenDataset data = TokenDataset::from_rows(rows_of_trajectory(trajectory));
    const std::unique_ptr<Comm> comm = single_comm();
    const StepBounds bounds = bound_steps(sizes_of(data), config, lora);
    SftObjective objective(decoder, data, config, bounds.size(keep));
    Trainer trainer(decoder, *comm, objective, config, trajectory["args"]["learning_rate"], false);
    TrainState state;
    state.parameters = std::move(parameters);
    state.first_moment.resize(state.parameters.size());
    state.second_moment.resize(state.parameters.size());
    trainer.set_state(state);
    Trajectory run;
    for (std::int64_t step = 0; step < trainer.total_steps(); ++step) run.steps.push_back(trainer.step(step));
    run.parameters = trainer.state().parameters;
    return run;
}

inline Trajectory run_trajectory(const Golden& golden, const TrainingConfig& config, DType dtype, int threads,
                                 Activations::Keep keep = Activations::Keep::all) {
    const GoldenModel model(golden);
    const LoraLayout lora = layout_of(golden, *model.files);
    return train_trajectory(golden, *model.files, lora, read_adapter(golden.directory / "adapter", lora), {}, config, dtype, threads, keep);
}

}  // namespace temper::test
