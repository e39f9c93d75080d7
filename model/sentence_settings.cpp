#include "model/sentence_settings.h"

#include <fmt/format.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "model/config_reader.h"

namespace temper {
namespace {

using ops::Pooling;

namespace fs = std::filesystem;

struct PoolingName {
    const char* name;
    const char* flag;  // as files of older versions switch it on
    Pooling mode;
};
// In the order in which several are laid side by side.
constexpr PoolingName pooling_names[] = {{"cls", "pooling_mode_cls_token", Pooling::cls},
                                         {"max", "pooling_mode_max_tokens", Pooling::max},
                                         {"mean", "pooling_mode_mean_tokens", Pooling::mean},
                                         {"mean_sqrt_len_tokens", "pooling_mode_mean_sqrt_len_tokens", Pooling::mean_sqrt_length},
                                         {"weightedmean", "pooling_mode_weightedmean_tokens", Pooling::weighted_mean},
                                         {"lasttoken", "pooling_mode_lasttoken", Pooling::last}};

std::optional<Json> read_if_there(const fs::path& path) {
    if (!fs::exists(path)) return {};
    return parse_json(read_file(path, std::size_t(64) << 20), path.string());
}

// Class names have moved between versions; their last word has not.
std::string last_word(const std::string& type) { return type.substr(type.rfind('.') + 1); }

std::vector<Pooling> read_pooling_modes(const ConfigReader& fields) {
    std::vector<Pooling> modes;
    if (fields.has("pooling_mode")) {
        const Json& value = fields.at("pooling_mode");
        const auto add = [&](const Json& name) {
            if (!name.is_string()) fields.refuse("pooling_mode", "expected a name or a list of names");
            modes.push_back(parse_pooling(name.get<std::string>(), fields.place()));
        };
        if (value.is_array())
            for (const Json& name : value) add(name);
        else add(value);
        if (modes.empty()) fields.refuse("pooling_mode", "expected at least one mode");
        return modes;
    }
    for (const PoolingName& one : pooling_names)
        if (fields.flag_or(one.flag, false)) modes.push_back(one.mode);
    if (modes.empty()) modes.push_back(Pooling::mean);
    return modes;
}

void read_pooling(const fs::path& file, SentenceSettings& settings) {
    const auto json = read_if_there(file);
    if (!json) throw_error(ExitCode::missing_input, "{}: modules.json names a pooling module, whose config.json is not there", file.string());
    const ConfigReader fields(*json, file.string());
    settings.pooling = read_pooling_modes(fields);
    settings.pool_prompt = fields.flag_or("include_prompt", true);
    for (const Pooling mode : settings.pooling)
        if (mode == Pooling::weighted_mean && !settings.pool_prompt)
            fields.refuse("include_prompt", "a weighted mean counts positions from the prompt on");
}

DenseSettings read_dense(const fs::path& directory) {
    const fs::path file = directory / "config.json";
    const auto json = read_if_there(file);
    if (!json) throw_error(ExitCode::missing_input, "{}: modules.json names a dense module, whose config.json is not there", file.string());
    const ConfigReader fields(*json, file.string());
    DenseSettings dense;
    dense.directory = directory;
    dense.in = fields.integer("in_features", max_model_size);
    dense.out = fields.integer("out_features", max_model_size);
    dense.bias = fields.flag_or("bias", true);
    if (fields.flag_or("use_residual", false)) fields.refuse("use_residual", "a dense module gives its linear layer alone");
    for (const char* key : {"module_input_name", "module_output_name"})
        if (fields.text_or(key, "sentence_embedding") != "sentence_embedding") fields.refuse(key, "a dense module works on the pooled vector");
    const std::string activation = last_word(fields.text_or("activation_function", "torch.nn.modules.activation.Tanh"));
    if (activation == "Tanh") dense.activation = Pointwise::tanh;
    else if (activation == "ReLU") dense.activation = Pointwise::relu;
    else if (activation == "GELU") dense.activation = Pointwise::gelu;
    else if (activation != "Identity") fields.refuse("activation_function", "the activation is Tanh, ReLU, GELU or Identity");
    return dense;
}

// Modules run one after the other: the transformer, pooling, dense layers, the norm.
void read_modules(const fs::path& model, const Json& modules, SentenceSettings& settings) {
    const std::string place = (model / "modules.json").string();
    if (!modules.is_array() || modules.empty()) throw_error(ExitCode::bad_data, "{}: expected a list of modules", place);
    bool pooled = false;
    for (std::size_t i = 0; i < modules.size(); ++i) {
        const ConfigReader fields(modules[i], fmt::format("{}[{}]", place, i));
        const std::string type = last_word(fields.text_or("type", ""));
        const fs::path directory = model / fields.text_or("path", "");
        const bool early = settings.normalize || (pooled && type == "Pooling");
        if (type == "Transformer" && i == 0) settings.transformer = directory;
        else if (type == "Pooling" && !early) read_pooling(directory / "config.json", settings), pooled = true;
        else if (type == "Dense" && pooled && !early) settings.dense.push_back(read_dense(directory));
        else if (type == "Normalize" && pooled) settings.normalize = true;
        else fields.refuse("type", "modules are Transformer, Pooling, Dense and Normalize, in this order");
    }
    if (settings.pooling.empty()) throw_error(ExitCode::bad_data, "{}: no module pools: a text would give as many vectors as tokens", place);
}

void read_limits(SentenceSettings& settings) {
    for (const char* name : {"sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json",
                             "sentence_camembert_config.json", "sentence_xlm-roberta_config.json"}) {
        const auto json = read_if_there(settings.transformer / name);
        if (!json) continue;
        const ConfigReader fields(*json, (settings.transformer / name).string());
        if (fields.has("max_seq_length")) settings.max_seq_length = fields.integer("max_seq_length", max_position_limit);
        settings.lower_case = fields.flag_or("do_lower_case", false);
        return;
    }
}

void read_prompts(const fs::path& model, SentenceSettings& settings) {
    const fs::path file = model / "config_sentence_transformers.json";
    const auto json = read_if_there(file);
    if (!json) return;
    const ConfigReader fields(*json, file.string());
    if (fields.has("prompts")) {
        if (!fields.at("prompts").is_object()) fields.refuse("prompts", "expected texts by name");
        for (const auto& [name, text] : fields.at("prompts").items()) {
            if (!text.is_string() && !text.is_null()) fields.refuse("prompts", "expected texts by name");
            settings.prompts[name] = text.is_string() ? text.get<std::string>() : "";
        }
    }
    settings.default_prompt_name = fields.text_or("default_prompt_name", "");
    if (!settings.default_prompt_name.empty() && settings.prompts.count(settings.default_prompt_name) == 0)
        fields.refuse("default_prompt_name", "prompts has no such name");
    settings.score_activation = fields.text_or("activation_fn", "");
    if (fields.has("truncate_dim")) settings.truncate_dimensions = fields.integer("truncate_dim", max_model_size);
}

}  // namespace

const char* name_of(ops::Pooling mode) {
    for (const PoolingName& one : pooling_names)
        if (one.mode == mode) return one.name;
    return "unknown";
}

ops::Pooling parse_pooling(const std::string& name, const std::string& place, ExitCode wrong) {
    for (const PoolingName& one : pooling_names)
        if (name == one.name) return one.mode;
    throw_error(wrong, "{}: pooling '{}' is none of cls, max, mean, mean_sqrt_len_tokens, weightedmean, lasttoken", place, name);
}

SentenceSettings read_sentence_settings(const fs::path& model, bool decoder) {
    SentenceSettings settings;
    settings.transformer = model;
    if (!fs::is_directory(model)) {
        settings.pooling = {Pooling::last};
        return settings;
    }
    if (const auto modules = read_if_there(model / "modules.json")) read_modules(model, *modules, settings);
    else settings.pooling = {decoder ? Pooling::last : Pooling::mean};
    read_limits(settings);
    read_prompts(model, settings);
    return settings;
}

SentenceSettings read_pair_settings(const fs::path& model) {
    SentenceSettings settings;
    settings.transformer = model;
    if (const auto modules = read_if_there(model / "modules.json")) {
        const std::string place = (model / "modules.json").string();
        if (modules->is_array() && modules->size() > 1)
            throw_error(ExitCode::bad_data,
                        "{}: it names {} modules, so this is an embedding model; rerank needs a cross-encoder, which is the transformer with its "
                        "classifier alone; temper embed makes vectors with this one",
                        place, modules->size());
        if (!modules->is_array() || modules->size() != 1)
            throw_error(ExitCode::bad_data, "{}: expected one module, the transformer with its classifier", place);
        const ConfigReader fields(modules->front(), place + "[0]");
        if (last_word(fields.text_or("type", "")) != "Transformer") fields.refuse("type", "a cross-encoder is a Transformer");
        settings.transformer = model / fields.text_or("path", "");
    }
    read_limits(settings);
    read_prompts(model, settings);
    if (!settings.default_prompt_name.empty() && !settings.prompts.at(settings.default_prompt_name).empty())
        throw_error(ExitCode::bad_data, "{}: default_prompt_name is '{}': prompts of cross-encoders are not supported",
                    (model / "config_sentence_transformers.json").string(), settings.default_prompt_name);
    return settings;
}

}  // namespace temper
