#include "train/training_setup.h"

#include <algorithm>

#include "io/durable.h"
#include "io/machine.h"
#include "kernels/cuda/attention_cudnn.h"
#include "kernels/cuda/runtime.h"
#include "kernels/error.h"
#include "model/extended_model.h"
#include "model/lora_start.h"
#include "train/config.h"
#include "train/init_adapter.h"
#include "train/memory_fit.h"
#include "train/preference_data.h"
#include "train/sft_objective.h"

namespace temper {
namespace {

DataRequest data_request(const Config& config, TrainKind kind, const std::vector<DataFile>& files, const char* role, const ModelFiles& model,
                         const Tokenizer& tokenizer) {
    DataRequest request;
    if (kind == TrainKind::dpo) request.kind = is_unpaired(config.dpo) ? RowKind::unpaired : RowKind::pairs;
    request.files = files;
    request.role = role;
    request.model = config.model;
    request.max_length = config.data.max_length;
    request.on_overlong = config.data.on_overlong;
    request.completion_only_loss = config.data.completion_only_loss;
    request.assistant_only_loss = config.data.assistant_only_loss;
    request.on_identical = config.data.on_identical;
    request.on_empty = config.data.on_empty;
    request.chat_template = chat_template_text(config.data);
    request.val_size = config.data.val_size;
    request.val_seed = static_cast<std::uint64_t>(config.train.seed);
    request.end_ids = model.config().eos_ids;
    if (const auto eos = tokenizer.eos_id(); eos && std::find(request.end_ids.begin(), request.end_ids.end(), *eos) == request.end_ids.end())
        request.end_ids.push_back(*eos);
    request.cache_directory = std::filesystem::path(config.output_dir) / "cache";
    return request;
}

std::unique_ptr<TrainingData> open_data(const Config& config, TrainKind kind, const char* role, const TrainingInputs& inputs, Comm& comm) {
    const bool eval = std::string_view(role) == "eval";
    const std::vector<DataFile>& files = eval && !config.data.eval.empty() ? config.data.eval : config.data.train;
    const DataRequest request = data_request(config, kind, files, role, *inputs.model, *inputs.tokenizer);
    std::unique_ptr<TrainingData> data;
    if (kind == TrainKind::sft) data = std::make_unique<SftData>(TokenDataset::open(request, *inputs.tokenizer, comm));
    else
        data = std::make_unique<PreferenceData>(PreferenceDataset::open(request, *inputs.tokenizer, comm), config,
                                                starts_from_weights(inputs.lora.settings));
    data->check_ids(inputs.model->config(), role);
    return data;
}

LoraSettings lora_settings(const LoraConfig& config) {
    LoraSettings settings;
    if (config.init_adapter) {
        settings = read_adapter_settings(*config.init_adapter);
        settings.dropout = config.lora_dropout;  // of this training, whatever the adapter was trained with before
        return settings;
    }
    settings.dropout = config.lora_dropout;
    settings.use_dora = config.use_dora;
    settings.r = config.r;
    settings.alpha = config.lora_alpha;
    settings.use_rslora = config.use_rslora;
    settings.init = config.init_lora_weights;
    settings.target_modules = parse_module_names(config.target_modules);
    settings.exclude_modules = parse_module_names(config.exclude_modules);
    settings.layers_to_transform = config.layers_to_transform;
    settings.layers_pattern = config.layers_pattern;
    settings.rank_pattern.assign(config.rank_pattern.begin(), config.rank_pattern.end());
    settings.alpha_pattern.assign(config.alpha_pattern.begin(), config.alpha_pattern.end());
    settings.modules_to_save = config.modules_to_save;
    settings.ensure_weight_tying = config.ensure_weight_tying;
    return settings;
}

// The tokenizer with lora.new_tokens, and the vocabulary that it needs.
Tokenizer extend_tokenizer(const TrainingInputs& inputs, const LoraConfig& config, LoraSettings& settings) {
    if (config.init_adapter && std::filesystem::exists(*config.init_adapter + "/tokenizer.json") && settings.vocabulary > 0)
        return Tokenizer::from_directory(*config.init_adapter);
    Tokenizer tokenizer = inputs.base->load_tokenizer();
    if (config.new_tokens.empty()) return tokenizer;
    // Also where the vocabulary has spare rows for them: nothing has learned those.
    const SavedNames saved = parse_modules_to_save(config.modules_to_save);
    const bool one = inputs.base->config().tied_head && config.ensure_weight_tying;
    if (!(one ? saved.embedding || saved.head : saved.embedding && saved.head))
        throw_error(ExitCode::usage, "lora.new_tokens: embedding and head must learn them, with lora.modules_to_save: [embed_tokens, lm_head]");
    tokenizer = tokenizer.with_special_tokens(config.new_tokens);
    settings.vocabulary = std::max(inputs.base->config().vocab_size, tokenizer.vocabulary_size());
    return tokenizer;
}

Quantization quantization_of(const Config& config) {
    return {config.load_in_4bit, config.bnb_4bit_use_double_quant, config.keep_quantized, config.dtype == "float32" ? DType::f32 : DType::bf16,
            config.load_in_fp8};
}

void open_model(TrainingInputs& inputs, const Config& config) {
    inputs.base = std::make_unique<ModelFiles>(config.model, quantization_of(config));
    LoraSettings settings = lora_settings(config.lora);
    inputs.tokenizer = extend_tokenizer(inputs, config.lora, settings);
    inputs.chat_template = chat_template_text(config.data);
    if (config.lora.init_adapter && inputs.tokenizer->take_templates_of(*config.lora.init_adapter) && inputs.chat_template.empty())
        inputs.chat_template = *inputs.tokenizer->chat_template();
    inputs.model = extend_model(*inputs.base, settings);
    inputs.lora = make_lora_layout(inputs.model->config(), settings);
    check_asked_modules(config.lora, inputs.model->config(), inputs.lora);
    check_lora_start(inputs.lora);
}

}  // namespace

TrainingInputs read_inputs(const TrainingOptions& options, Comm& comm, const Stream& stream) {
    const Config& config = options.config;
    TrainingInputs inputs;
    inputs.kind = options.kind;
    open_model(inputs, config);
    if (inputs.kind == TrainKind::dpo && !inputs.lora.saved.empty())
        throw_error(
            ExitCode::usage,
            "lora.init_adapter: {} brings an embedding or a head of its own, which belong to the reference, too: merge it into the model first",
            *config.lora.init_adapter);
    inputs.decoder_options = {config.dtype == "float32" ? DType::f32 : DType::bf16, true, config.data.max_length};
    inputs.decoder_options.library_attention = config.attention == "cudnn";
    if (config.attention == "cudnn" && cuda::cudnn_version() == "none")
        throw_error(ExitCode::usage,
                    "attention: this build has no cuDNN, found cudnn; take own, or build with TEMPER_CUDNN=on where cuDNN and its frontend are");
    inputs.peak_learning_rate = config.train.learning_rate.value_or(1e-4);
    inputs.config_hash = config_hash(config);
    if (options.kind == TrainKind::dpo) inputs.config_hash = sha256_hex("dpo " + inputs.config_hash);
    inputs.resolved = config_json(config);
    inputs.resolved_yaml = config_yaml(config);
    inputs.train = open_data(config, options.kind, "train", inputs, comm);
    if (!config.data.eval.empty() || config.data.val_size > 0) inputs.eval = open_data(config, options.kind, "eval", inputs, comm);
    inputs.bounds = made_up(bound_steps(inputs.train->sizes(), config.train, inputs.lora), inputs.lora, stream);
    inputs.keep = config.train.gradient_checkpointing == "true" ? Activations::Keep::inputs : Activations::Keep::all;
    inputs.plan = plan_with(config, inputs, comm, stream, inputs.keep);
    // Ranks decide together: each sees other memory, and what a faster one has taken already.
    if (config.train.gradient_checkpointing == "auto" && comm.all_max(room_of(comm, stream).holds(inputs.plan) ? 0 : 1) != 0) {
        inputs.keep = Activations::Keep::inputs;
        inputs.plan = plan_with(config, inputs, comm, stream, inputs.keep);
    }
    return inputs;
}

std::unique_ptr<Objective> make_objective(const TrainingInputs& inputs, const Config& config, Decoder& decoder) {
    return inputs.train->make_objective(decoder, config, inputs.bounds.size(inputs.keep));
}

std::function<std::shared_ptr<Objective>()> evaluation_of(const TrainingInputs& inputs, const Config& config, Decoder& decoder) {
    if (!inputs.eval) return {};
    const auto make = [&inputs, &config, &decoder]() -> std::shared_ptr<Objective> {
        return inputs.eval->make_objective(decoder, config, evaluation_size(*inputs.eval, config.train, inputs.bounds.quantum));
    };
    if (decoder.stream().device() == Device::cpu) return make;
    // A device's memory is taken before the first step.
    return [made = make()] { return made; };
}

void report_inputs(const TrainingInputs& inputs, TrainingReporter& reporter) {
    const std::int64_t longest = inputs.train->report().longest, limit = inputs.model->config().max_position_embeddings;
    if (longest > limit) reporter.warn(fmt::format("the longest row has {} tokens, the model was trained for {} positions", longest, limit));
    reporter.data("train", inputs.train->report(), inputs.train->sources());
    if (inputs.eval) reporter.data("eval", inputs.eval->report(), inputs.eval->sources());
    if (inputs.kind == TrainKind::dpo && inputs.lora.settings.dropout > 0.0)
        reporter.warn("lora.lora_dropout is off in preference tuning, as with TRL's disable_dropout");
    reporter.plan(inputs.plan, inputs.lora);
}

void check_memory(const TrainingInputs& inputs, const TrainingOptions& options, Comm& comm, const Stream& stream, TrainingReporter& reporter) {
    const MemoryRoom room = room_of(comm, stream);
    if (room.holds(inputs.plan)) return;
    const auto gigabytes = [](std::int64_t bytes) { return static_cast<double>(bytes) * 1e-9; };
    const bool on_device = inputs.plan.total(Device::cuda) > room.device;
    const Device place = on_device ? Device::cuda : Device::cpu;
    std::string items;
    for (const MemoryPlan::Item& item : inputs.plan.items)
        if (item.place == place) items += fmt::format("{}{} {:.3f}", items.empty() ? "" : ", ", item.name, gigabytes(item.bytes));
    const std::string message =
        fmt::format("the run needs {:.3f} GB a rank {} and {:.3f} GB are available ({}); {}", gigabytes(inputs.plan.total(place)),
                    on_device ? "on " + stream.cuda().device().name : "on this host", gigabytes(on_device ? room.device : room.host), items,
                    settings_that_fit(options.config, inputs, comm, stream, room));
    if (!options.dry_run) throw_error(ExitCode::usage, "{}", message);
    reporter.warn(message);
}

Json dry_run_json(const TrainingInputs& inputs) {
    Json json{{"status", "dry_run"},
              {"config_hash", inputs.config_hash},
              {"data", {{"train", data_report(*inputs.train)}}},
              {"memory", to_json(inputs.plan)}};
    if (inputs.eval) json["data"]["eval"] = data_report(*inputs.eval);
    json["adapter_parameters"] = inputs.lora.parameters;
    return json;
}

void fill_record(RunRecord& record, const TrainingOptions& options, const TrainingInputs& inputs, const Comm& comm, const Stream& stream) {
    record.set_status(RunStatus::running);
    record.set_config(inputs.resolved, inputs.config_hash);
    RunEnvironment environment = environment_of(stream);
    environment.ranks = comm.size();
    describe_run(record, options, environment);
    for (const DataSource& source : inputs.train->sources()) record.add_data("train", source.path, source.sha256, source.rows);
    if (inputs.eval)
        for (const DataSource& source : inputs.eval->sources()) record.add_data("eval", source.path, source.sha256, source.rows);
    Json report{{"train", data_report(*inputs.train)}};
    if (inputs.eval) report["eval"] = data_report(*inputs.eval);
    record.set_data_report(report);
}

}  // namespace temper
