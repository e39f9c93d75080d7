#include "model/extended_model.h"

#include <algorithm>
#include <cstring>

namespace temper {
namespace {

constexpr const char* embedding_name = "model.embed_tokens.weight";
constexpr const char* head_name = "lm_head.weight";

// Rows from `first` on become the mean of those before.
void fill_with_mean(View table, std::int64_t first) {
    const std::int64_t columns = table.size(1);
    const auto at = [&](std::int64_t row, std::int64_t k) {
        return static_cast<double>(table.dtype == DType::f32 ? table.row<float>(row)[k] : from_bf16(table.row<bf16>(row)[k]));
    };
    std::vector<double> mean(static_cast<std::size_t>(columns));
    for (std::int64_t row = 0; row < first; ++row)
        for (std::int64_t k = 0; k < columns; ++k) mean[static_cast<std::size_t>(k)] += at(row, k) / static_cast<double>(first);
    for (std::int64_t row = first; row < table.size(0); ++row)
        for (std::int64_t k = 0; k < columns; ++k) {
            const auto value = static_cast<float>(mean[static_cast<std::size_t>(k)]);
            if (table.dtype == DType::f32) table.row<float>(row)[k] = value;
            else table.row<bf16>(row)[k] = to_bf16(value);
        }
}

class ExtendedWeights : public TensorSource {
  public:
    // base_tied: the base's head is its embedding; tied: so is this model's.
    // trained: embedding or head learn, and must be numbers.
    ExtendedWeights(const TensorSource& base, bool base_tied, bool tied, std::int64_t rows, bool trained)
        : base_(base), base_tied_(base_tied), tied_(tied), trained_(trained) {
        embedding_ = *base.find(embedding_name);
        base_rows_ = embedding_.shape[0];
        embedding_.shape[0] = rows;
        head_ = embedding_;
        head_.name = head_name;
    }
    std::vector<std::string> names() const override {
        std::vector<std::string> names = base_.names();
        std::erase(names, head_name);
        if (!tied_) names.emplace_back(head_name);
        return names;
    }
    const TensorInfo* find(const std::string& name) const override {
        if (name == embedding_name) return &embedding_;
        if (name == head_name) return tied_ ? nullptr : &head_;
        return base_.find(name);
    }
    void read(const std::string& name, View destination) const override {
        if (name != embedding_name && name != head_name) return base_.read(name, destination);
        const std::string source = base_tied_ ? embedding_name : name;
        const std::int64_t rows = embedding_.shape[0];
        if (rows >= base_rows_) {
            base_.read(source, destination.rows(0, base_rows_));
            if (rows > base_rows_) fill_with_mean(destination, base_rows_);
            return;
        }
        std::vector<char> memory(static_cast<std::size_t>(base_rows_ * destination.size(1) * size_of(destination.dtype)));
        const View whole(memory.data(), destination.dtype, {base_rows_, destination.size(1)});
        base_.read(source, whole);
        for (std::int64_t row = 0; row < rows; ++row)
            std::memcpy(static_cast<char*>(destination.data) + row * destination.row_stride() * size_of(destination.dtype),
                        memory.data() + row * destination.size(1) * size_of(destination.dtype),
                        static_cast<std::size_t>(destination.size(1) * size_of(destination.dtype)));
    }
    std::string describe() const override { return base_.describe(); }
    QuantFormat kept_as(const std::string& name) const override {
        const bool changed = trained_ || embedding_.shape[0] != base_rows_;
        return changed && (name == embedding_name || name == head_name) ? QuantFormat() : base_.kept_as(name);
    }
    void read_quantized(const std::string& name, QuantMatrix& to) const override { base_.read_quantized(name, to); }

  private:
    const TensorSource& base_;
    bool base_tied_, tied_, trained_;
    std::int64_t base_rows_ = 0;
    TensorInfo embedding_, head_;
};

}  // namespace

SavedNames parse_modules_to_save(const std::vector<std::string>& names) {
    SavedNames saved;
    for (const std::string& name : names) {
        if (name == "embed_tokens" || name == "model.embed_tokens") saved.embedding = true;
        else if (name == "lm_head") saved.head = true;
        else throw_error(ExitCode::usage, "lora.modules_to_save: '{}' cannot be trained whole: embed_tokens and lm_head can", name);
    }
    return saved;
}

std::unique_ptr<ModelFiles> extend_model(const ModelFiles& model, const LoraSettings& settings) {
    const SavedNames saved = parse_modules_to_save(settings.modules_to_save);
    const bool any = saved.embedding || saved.head;
    ModelConfig config = model.config();
    const std::int64_t rows = settings.vocabulary > 0 ? settings.vocabulary : config.vocab_size;
    const bool stays_tied = config.tied_head && (settings.ensure_weight_tying || !any);
    if (rows != config.vocab_size && !(stays_tied ? any : saved.embedding && saved.head)) {
        if (settings.from_file)
            throw_error(ExitCode::bad_data, "the adapter brings an embedding or a head of {} rows where the model has {}, and not the other one",
                        rows, config.vocab_size);
        throw_error(ExitCode::usage,
                    "lora.new_tokens: the vocabulary grows from {} to {} rows: train them, with lora.modules_to_save: [embed_tokens, lm_head]",
                    config.vocab_size, rows);
    }
    auto weights = std::make_unique<ExtendedWeights>(model.weights(), config.tied_head, stays_tied, rows, any);
    config.tied_head = stays_tied;
    config.vocab_size = rows;
    return std::make_unique<ModelFiles>(model, std::move(weights), std::move(config));
}

AdaptedModel open_adapted_model(const std::filesystem::path& model, const std::filesystem::path& adapter, const Quantization& quantization) {
    AdaptedModel result;
    result.base = std::make_unique<ModelFiles>(model, quantization);
    if (adapter.empty()) return result;
    const LoraSettings settings = read_adapter_settings(adapter);
    const bool has_tokenizer = std::filesystem::exists(adapter / "tokenizer.json");
    if (!settings.modules_to_save.empty()) {
        result.extended = extend_model(*result.base, settings);
        if (has_tokenizer) result.extended->set_tokenizer(adapter);
    }
    (result.extended ? *result.extended : *result.base).set_template_path(adapter);
    result.lora = make_lora_layout(result.files().config(), settings);
    result.parameters = read_adapter(adapter, result.lora);
    return result;
}

}  // namespace temper
