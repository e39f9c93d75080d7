#include "train/preference_data.h"

#include <algorithm>
#include <optional>

#include "io/durable.h"
#include "io/progress.h"
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

std::vector<RowSize> PreferenceData::sizes() const {
    std::vector<RowSize> sizes;
    for (std::int64_t row = 0; row < data_.rows(); ++row) sizes.push_back(prompt_answers(data_, row, config_.dpo.prefix_sharing).size());
    return sizes;
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
    if (reference_->kind == ReferenceKind::adapter) {
        reference_->parameters = run.first_parameters();
        std::string identity = hash_of(reference_->parameters);
        for (const LoraModule& module : run.decoder.lora().modules)
            identity += fmt::format(" {} {} {} {}", module.path, module.rank, module.scale, module.offset_m >= 0);
        reference_->identity = sha256_hex(identity);
    }
    return !config_.dpo.precompute_ref_log_probs || reference_->kind == ReferenceKind::none || precompute(run);
}

// Everything that the scores depend on but the rows.
std::string PreferenceData::decides(const RunBeginning& run) const {
    const Decoder& decoder = run.decoder;
    // Positions beyond the original length choose other RoPE factors for all rows, see model/rope.h.
    const RopeScaling& scaling = decoder.config().rope_scaling;
    const bool long_factors = scaling.kind == RopeScaling::Kind::longrope && config_.data.max_length > scaling.original_max_position_embeddings;
    return fmt::format("{}adapter {}\ntemplate {}\nkernels {} {}\nprefix_sharing {}\nlong_factors {}\n", run.identity(), reference_->identity,
                       data_.template_sha256(), name_of(decoder.stream().isa()), name_of(decoder.dtype()), config_.dpo.prefix_sharing, long_factors);
}

// Rows [first, last), in shares of equal tokens, each rank its own; all of them known to all ranks then.
bool PreferenceData::score_stretch(const RunBeginning& run, PreferenceObjective& objective, const std::vector<RowSize>& sizes, Range stretch,
                                   const PreferenceObjective::Scored& scored) {
    std::vector<double> costs;
    for (std::int64_t row = stretch.begin; row < stretch.end; ++row)
        costs.push_back(reference_->known(row) ? 0.0 : static_cast<double>(sizes[static_cast<std::size_t>(row)].tokens));
    if (std::all_of(costs.begin(), costs.end(), [](double cost) { return cost == 0.0; })) return true;
    const Range share = share_leaves(costs, run.comm.size())[static_cast<std::size_t>(run.comm.rank())];
    std::vector<std::int64_t> rows;
    for (std::int64_t row = stretch.begin + share.begin; row < stretch.begin + share.end; ++row) rows.push_back(row);
    FlatArray now;
    if (reference_->kind == ReferenceKind::adapter) {
        now = FlatArray(run.decoder.stream(), run.decoder.lora().parameters);
        now.set(run.decoder.stream(), Span<const float>(run.parameters));
    }
    const bool done = objective.score_rows(rows, now.view(), scored);
    if (run.comm.all_max(done ? 0 : 1) != 0) return false;
    const auto at = [&](std::int64_t row) { return reference_->values.begin() + 2 * (stretch.begin + row); };
    const std::vector<double> values = gather_in_order(run.comm, std::vector<double>(at(share.begin), at(share.end)));
    std::copy(values.begin(), values.end(), at(0));
    return true;
}

bool PreferenceData::precompute(const RunBeginning& run) {
    std::optional<ReferenceCache> cache;
    std::int64_t found = 0;
    if (run.comm.rank() == 0) {
        cache.emplace(std::filesystem::path(config_.output_dir) / "cache", decides(run), run.say);
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

    const std::vector<RowSize> sizes = this->sizes();
    std::int64_t all = 0, longest = 0;
    for (const RowSize& row : sizes) all += row.tokens, longest = std::max(longest, row.tokens);
    const std::int64_t largest = std::max(longest, std::min(run.largest_tokens, all));
    PreferenceObjective objective(run.decoder, data_, config_, reference_,
                                  {largest, bound_labels(sizes, data_.rows(), largest), 0, Activations::Keep::nothing});
    // Ranks meet, and what is known is kept, every so many tokens: a peer does not wait for long, and a stop loses little.
    constexpr std::int64_t stretch_tokens = 1 << 19;
    std::optional<Progress> progress;  // with several ranks it counts this one's rows, and at the end of a stretch those of all
    std::int64_t done = found;
    if (run.comm.rank() == 0) progress.emplace("reference", data_.rows(), found);
    for (Range stretch{0, 0}; stretch.begin < data_.rows(); stretch.begin = stretch.end) {
        std::int64_t tokens = 0, fresh = 0;
        for (stretch.end = stretch.begin; stretch.end < data_.rows() && tokens < stretch_tokens; ++stretch.end)
            tokens += sizes[static_cast<std::size_t>(stretch.end)].tokens;
        for (std::int64_t row = stretch.begin; row < stretch.end; ++row) fresh += reference_->known(row) ? 0 : 1;
        const auto scored = [&](std::int64_t rows) {
            if (progress) progress->update(done + rows, 0);
        };
        if (!score_stretch(run, objective, sizes, stretch, scored)) return false;
        done += fresh;
        scored(0);
        if (!cache) continue;
        for (std::int64_t row = stretch.begin; row < stretch.end; ++row)
            if (reference_->known(row)) cache->add(key_of(data_, row), {reference_->of(row, 0), data_.paired() ? reference_->of(row, 1) : 0.0});
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
