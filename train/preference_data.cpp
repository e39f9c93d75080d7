#include "train/preference_data.h"

#include <algorithm>
#include <cmath>

#include "io/durable.h"
#include "model/lora_start.h"
#include "train/gather.h"
#include "train/reference_cache.h"
#include "train/row_checks.h"

namespace temper {
namespace {

ReferenceKind reference_kind(const Config& config, bool starts_from_weights) {
    if (!is_unpaired(config.dpo) && !make_preference_loss(config.dpo).needs_reference()) return ReferenceKind::none;
    if (starts_from_weights || config.dpo.reference == "init_adapter") return ReferenceKind::adapter;
    return config.dpo.reference == "auto" && config.lora.init_adapter ? ReferenceKind::adapter : ReferenceKind::frozen;
}

std::string hash_of(const std::vector<float>& values) {
    return sha256_hex({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
}

RowKey key_of(const PreferenceDataset& data, std::int64_t row) {
    const PromptAnswers item = prompt_answers(data, row, true);
    const Span<const std::int32_t> lists[] = {item.prompt, item.answers[0], item.answers[1]};
    return row_key({lists, static_cast<std::size_t>(1 + item.count)});
}

}  // namespace

PreferenceData::PreferenceData(PreferenceDataset data, const Config& config, bool starts_from_weights)
    : data_(std::move(data)),
      config_(config),
      reference_(std::make_shared<ReferenceScores>(reference_kind(config, starts_from_weights), data_.rows())) {}

std::vector<std::int64_t> PreferenceData::lengths() const {
    std::vector<std::int64_t> lengths;
    for (std::int64_t row = 0; row < data_.rows(); ++row) lengths.push_back(prompt_answers(data_, row, config_.dpo.prefix_sharing).tokens());
    return lengths;
}

void PreferenceData::check_ids(const ModelConfig& model, const std::string& role) const {
    for (std::int64_t row = 0; row < data_.rows(); ++row) {
        const PromptAnswers item = prompt_answers(data_, row, true);
        check_row_ids(item.prompt, model.vocab_size, role, data_.source_line(row));
        for (int answer = 0; answer < item.count; ++answer)
            check_row_ids(item.answers[static_cast<std::size_t>(answer)], model.vocab_size, role, data_.source_line(row));
    }
}

bool PreferenceData::begin(const RunBeginning& run) {
    if (reference_->kind == ReferenceKind::adapter) reference_->parameters = run.first_parameters();
    return !config_.dpo.precompute_ref_log_probs || reference_->kind == ReferenceKind::none || precompute(run);
}

bool PreferenceData::precompute(const RunBeginning& run) {
    const std::string decides =
        fmt::format("{}adapter {}\ntemplate {}\nkernels {} {}\nprefix_sharing {}\n", run.comm.rank() == 0 ? run.identity() : std::string(),
                    reference_->kind == ReferenceKind::adapter ? hash_of(reference_->parameters) : "none", data_.template_sha256(),
                    name_of(run.decoder.stream().isa()), name_of(run.decoder.dtype()), config_.dpo.prefix_sharing);
    std::vector<double> values;
    std::optional<ReferenceCache> cache;
    std::int64_t found = 0;
    if (run.comm.rank() == 0) {
        cache.emplace(std::filesystem::path(config_.output_dir) / "cache", decides, run.say);
        for (std::int64_t row = 0; row < data_.rows(); ++row)
            if (const auto* scores = cache->find(key_of(data_, row))) {
                for (int answer = 0; answer < 2; ++answer) reference_->set(row, answer, (*scores)[static_cast<std::size_t>(answer)]);
                ++found;
            }
        run.say(fmt::format("reference scores: {} of {} rows found in {}", found, data_.rows(), cache->path().string()));
    }
    run.comm.broadcast(reference_->values.data(), reference_->values.size() * sizeof(double), 0);
    run.comm.broadcast(&found, sizeof found, 0);
    if (found == data_.rows()) return true;

    // Rows in shares of equal tokens, each rank its own.
    const std::vector<std::int64_t> lengths = this->lengths();
    std::vector<double> costs;
    for (std::int64_t row = 0; row < data_.rows(); ++row)
        costs.push_back(reference_->known(row) ? 0.0 : static_cast<double>(lengths[static_cast<std::size_t>(row)]));
    const Range mine = share_leaves(costs, run.comm.size())[static_cast<std::size_t>(run.comm.rank())];
    std::vector<std::int64_t> rows;
    for (std::int64_t row = mine.begin; row < mine.end; ++row) rows.push_back(row);
    bool done = true;
    {
        PreferenceObjective objective(run.decoder, data_, config_, reference_, {run.largest_tokens, 0, Activations::Keep::nothing});
        done = objective.score_rows(rows, run.parameters);
    }
    if (run.comm.all_max(done ? 0 : 1) != 0) return false;
    values.assign(reference_->values.begin() + 2 * mine.begin, reference_->values.begin() + 2 * mine.end);
    reference_->values = gather_in_order(run.comm, std::move(values));
    if (cache) {
        for (std::int64_t row = 0; row < data_.rows(); ++row) {
            const double second = data_.paired() ? reference_->of(row, 1) : 0.0;
            cache->add(key_of(data_, row), {reference_->of(row, 0), second});
        }
        cache->save();
    }
    return true;
}

std::unique_ptr<Objective> PreferenceData::make_objective(Decoder& decoder, const Config& config, ObjectiveSize size) const {
    return std::make_unique<PreferenceObjective>(decoder, data_, config, reference_, size);
}

std::size_t PreferenceData::predict_bytes(const ModelConfig& model, const LoraLayout& lora, DType dtype, ObjectiveSize size) const {
    // What is computed beforehand needs no room beside the policy.
    const ReferenceScores precomputed(ReferenceKind::none, 0);
    const bool before = config_.dpo.precompute_ref_log_probs && data_.paired();
    return PreferenceObjective::predict_bytes(data_, config_, before ? precomputed : *reference_, model, lora, dtype, size);
}

}  // namespace temper
