#include "model/convert.h"

#include <algorithm>
#include <memory>

#include "io/durable.h"
#include "io/progress.h"
#include "io/tokenizer/gguf_vocabulary.h"
#include "model/extended_model.h"
#include "model/gguf_names.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

bool is_empty_directory(const fs::path& path) { return fs::is_directory(path) && fs::is_empty(path); }

void require_new(const fs::path& output) {
    if (fs::exists(output) && !is_empty_directory(output))
        throw_error(ExitCode::usage, "output '{}' exists{}: name a new one", output.string(), fs::is_directory(output) ? " and is not empty" : "");
    if (!output.has_parent_path()) return;
    std::error_code failure;
    fs::create_directories(output.parent_path(), failure);
    if (failure) throw_error(ExitCode::io_error, "{}: cannot make the directory: {}", output.parent_path().string(), failure.message());
}

struct OwnedTensors {
    std::vector<std::vector<char>> memory;
    std::vector<NamedTensor> tensors;

    View add(const std::string& name, DType dtype, const std::vector<std::int64_t>& shape) {
        std::int64_t elements = 1;
        for (const std::int64_t size : shape) elements *= size;
        memory.emplace_back(static_cast<std::size_t>(elements * size_of(dtype)));
        const View view = shape.size() == 1 ? View(memory.back().data(), dtype, {shape[0]}) : View(memory.back().data(), dtype, {shape[0], shape[1]});
        tensors.push_back({name, view});
        return view;
    }
};

void write_configuration(StagedDirectory& staged, const ModelFiles& files, DType dtype) {
    const Tokenizer tokenizer = files.load_tokenizer();
    const std::int32_t bos = tokenizer.bos_id().value_or(-1), eos = tokenizer.eos_id().value_or(-1);
    Json generation = Json::object();
    if (bos >= 0) generation["bos_token_id"] = bos;
    if (!files.config().eos_ids.empty()) generation["eos_token_id"] = files.config().eos_ids;
    else if (eos >= 0) generation["eos_token_id"] = eos;
    staged.write("generation_config.json", generation.dump(2) + "\n");
    staged.write("config.json", to_config_json(files.config(), name_of(dtype), bos, eos).dump(2) + "\n");
    if (files.tokenizer_from_gguf()) {
        staged.write("tokenizer.json", tokenizer.to_tokenizer_json());
        staged.write("tokenizer_config.json", tokenizer.to_tokenizer_config_json());
        return;
    }
    // Several templates, and those of an adapter, go into tokenizer_config.json: one in a file would hide them.
    const bool own_template =
        !tokenizer.tool_template() && tokenizer.chat_template() == Tokenizer::from_directory(files.tokenizer_path()).chat_template();
    if (!own_template) staged.write("tokenizer_config.json", tokenizer.to_tokenizer_config_json());
    for (const char* name : {"tokenizer.json", "special_tokens_map.json", "added_tokens.json", "tokenizer_config.json", "chat_template.jinja"}) {
        const bool of_template = name == std::string_view("tokenizer_config.json") || name == std::string_view("chat_template.jinja");
        if (fs::exists(files.tokenizer_path() / name) && (own_template || !of_template)) staged.write(name, read_file(files.tokenizer_path() / name));
    }
}

void write_directory(StagedDirectory& staged, const ModelFiles& files, const TensorSource& weights, DType dtype) {
    OwnedTensors owned;
    const std::vector<TensorInfo> list = weight_list(files.config());
    Progress progress("weights", static_cast<std::int64_t>(list.size()));
    std::int64_t done = 0;
    for (const TensorInfo& info : list) {
        weights.read(info.name, owned.add(info.name, dtype, info.shape));
        progress.update(++done, 0);
    }
    progress.finish();
    staged.write("model.safetensors", safetensors_bytes(owned.tensors));
    write_configuration(staged, files, dtype);
}

// Matrices in `type` where their rows allow it, all else in float32.
MovedWeights::TypeOf gguf_types(GgufStored type) {
    return [type](const TensorInfo& info) { return info.shape.size() < 2 ? GgufStored::F32 : stored_for(type, info.shape.back()); };
}

Producer gguf_of(const ModelFiles& files, const TensorSource& weights, GgufStored type) {
    const ModelConfig& config = files.config();
    GgufMetadata metadata = gguf_model_metadata(config, type);
    add_vocabulary(metadata, files.load_tokenizer(), config.vocab_size, config.eos_ids, files.path().string());
    std::vector<GgufOutput> tensors;
    const auto add_vector = [&](const char* name, const auto& values) {
        if (values.empty()) return;
        tensors.push_back({name, {static_cast<std::int64_t>(values.size())}, GgufStored::F32, [values](float* numbers) {
                               std::transform(values.begin(), values.end(), numbers, [](auto value) { return static_cast<float>(value); });
                           }});
    };
    add_vector("rope_freqs.weight", gguf_rope_divisors(config));
    add_vector("rope_factors_long.weight", config.rope_scaling.long_factor);
    add_vector("rope_factors_short.weight", config.rope_scaling.short_factor);
    const std::vector<TensorInfo> list = weight_list(config);
    const std::size_t first = tensors.size();
    const auto progress = std::make_shared<Progress>("weights", static_cast<std::int64_t>(list.size()));
    for (const TensorInfo& info : list) {
        const bool turned =
            gguf_family(config).pairs_rows && (info.name.find(".q_proj.") != std::string::npos || info.name.find(".k_proj.") != std::string::npos);
        const float more = config.norm_plus_one && info.name.ends_with("norm.weight") ? 1.0f : 0.0f;
        const std::string name = gguf_tensor_name(info.name, config.post_norms);
        if (name.empty()) throw_error(ExitCode::usage, "tensor {} has no name in GGUF; write a Hugging Face directory instead", info.name);
        tensors.push_back(
            {name, info.shape, gguf_types(type)(info),
             [&weights, info, turned, more, head = config.head_size, progress,
              number = static_cast<std::int64_t>(tensors.size() - first + 1)](float* numbers) {
                 const auto& shape = info.shape;
                 weights.read(info.name, shape.size() == 1 ? View(numbers, DType::f32, {shape[0]}) : View(numbers, DType::f32, {shape[0], shape[1]}));
                 if (turned) pair_rows(numbers, shape[0] / head, head, shape.size() == 1 ? 1 : shape[1]);
                 for (std::int64_t i = 0; more != 0.0f && i < shape[0]; ++i) numbers[i] += more;
                 progress->update(number, 0);
             }});
    }
    return gguf_bytes(std::move(metadata), std::move(tensors));
}

// A GGUF file under its staging name, removed unless it is committed.
class StagedFile {
  public:
    explicit StagedFile(fs::path target) : target_(std::move(target)), path_(staging_path(target_)) {}
    ~StagedFile() {
        std::error_code ignored;
        if (!committed_) fs::remove(path_, ignored);
    }
    StagedFile(const StagedFile&) = delete;
    StagedFile& operator=(const StagedFile&) = delete;
    const fs::path& path() const { return path_; }
    void commit() {
        rename_durable(path_, target_);
        committed_ = true;
    }

  private:
    fs::path target_, path_;
    bool committed_ = false;
};

DType directory_dtype(const std::string& type) {
    const GgufStored stored = parse_gguf_stored(type);
    if (stored != GgufStored::F32 && stored != GgufStored::BF16)
        throw_error(ExitCode::usage, "type '{}' is for a .gguf output; a directory is written in F32 or BF16", type);
    return stored == GgufStored::F32 ? DType::f32 : DType::bf16;
}

// Writes the model with these weights; check(written, type_of) runs before the output gets its name.
template <class Check>
void write_model(const ModelFiles& files, const TensorSource& weights, const fs::path& output, const std::string& type, const Check& check) {
    require_new(output);
    if (is_gguf_path(output)) {
        const GgufStored stored = parse_gguf_stored(type.empty() ? "F16" : type);
        StagedFile staged(output);
        write_durable(staged.path(), gguf_of(files, weights, stored));
        const ModelFiles written(staged.path());
        require_same_settings(written.config(), files.config());
        require_same_tokens(written.load_tokenizer(), files.load_tokenizer(), files.path().string());
        check(written, gguf_types(stored));
        return staged.commit();
    }
    const DType dtype = directory_dtype(type.empty() ? "BF16" : type);
    StagedDirectory staged(output);
    write_directory(staged, files, weights, dtype);
    check(ModelFiles(staged.staging()), [dtype](const TensorInfo&) { return dtype == DType::f32 ? GgufStored::F32 : GgufStored::BF16; });
    staged.commit();
}

}  // namespace

bool is_gguf_path(const fs::path& output) { return output.extension() == ".gguf"; }

void convert_model(const fs::path& model, const fs::path& output, const std::string& type) {
    const ModelFiles files(model);
    if (files.gguf() == nullptr && !is_gguf_path(output))
        throw_error(ExitCode::usage, "'{}' is a Hugging Face directory already: name an --output that ends in .gguf", model.string());
    write_model(files, files.weights(), output, type, [&](const ModelFiles& written, const MovedWeights::TypeOf& type_of) {
        if (is_gguf_path(output)) require_within_steps(written, files.weights(), type_of);
    });
}

ProbeResult merge_adapter(const fs::path& model, const fs::path& adapter, const fs::path& output, const MergeSettings& settings) {
    const AdaptedModel adapted = open_adapted_model(model, adapter);
    const ModelFiles& files = adapted.files();
    const LoraLayout& lora = adapted.lora;
    const std::vector<float>& parameters = adapted.parameters;
    const Tokenizer tokenizer = files.load_tokenizer();
    const ProbeRows probe = settings.probe_text.empty() ? fixed_probe(tokenizer) : text_probe(settings.probe_text, tokenizer);
    const TensorInfo* embedding = files.weights().find("model.embed_tokens.weight");
    const bool base_is_f32 = embedding->dtype == "F32" && files.gguf() == nullptr;
    const std::string type = settings.type.empty() && base_is_f32 && !is_gguf_path(output) ? "F32" : settings.type;
    const MergedWeights merged(files.weights(), lora, parameters);
    ProbeResult result;
    write_model(files, merged, output, type, [&](const ModelFiles& written, const MovedWeights::TypeOf& type_of) {
        require_within_steps(written, merged, type_of);
        result = run_probe(files, lora, parameters, merged, written, type_of, probe, settings.threads);
        if (!(result.largest <= result.bound))
            throw_error(ExitCode::internal,
                        "merge: the largest difference of {} logits from base and adapter is {:.6g}, more than the {:.6g} that storing the weights "
                        "explains; nothing was written to {}",
                        result.logits, result.largest, result.bound, output.string());
    });
    return result;
}

}  // namespace temper
