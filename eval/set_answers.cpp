#include "eval/set_answers.h"

#include <algorithm>
#include <memory>

#include "eval/model_identity.h"
#include "eval/prompt_rows.h"
#include "eval/set_results.h"
#include "eval/text_answers.h"
#include "io/comm/algorithms.h"
#include "io/durable.h"
#include "io/log.h"
#include "io/rows/row_source.h"
#include "io/text_template.h"
#include "kernels/error.h"
#include "model/algorithms.h"
#include "model/extended_model.h"

namespace temper {
namespace {

std::filesystem::path samples_file(const std::string& run, const std::string& set) {
    return std::filesystem::path(run) / "eval" / ("samples_" + set + ".jsonl");
}

// Prompts of a set as text and tokens.
class SetPrompts {
  public:
    SetPrompts(const EvalSystem& system, const EvaluationSet& set, const Tokenizer& tokenizer)
        : set_(set), system_(system.system ? system.system : set.settings().system), encoder_(tokenizer, system.model) {
        const std::string& chat = set.settings().chat;
        chat_ = chat == "yes" || (chat == "auto" && tokenizer.chat_template().has_value());
        const std::optional<std::string>& source = system.prompt ? system.prompt : set.settings().prompt;
        if (source) template_.emplace(*source, set.settings().name + ": prompt");
        for (const SetRow& row : set.rows()) add(row);
    }
    const std::vector<std::string>& texts() const { return texts_; }
    const std::vector<std::vector<std::int32_t>>& tokens() const { return tokens_; }

  private:
    void add(const SetRow& row) {
        Json prompt = row.prompt;
        if (template_) {
            try {
                prompt = template_->render(row.fields);
            } catch (const Error& error) {
                throw_error(error.code(), "{}: {}", row.place, error.what());
            }
        }
        if (prompt.is_string() && (chat_ || system_)) prompt = Json::array({{{"role", "user"}, {"content", prompt}}});
        if (prompt.is_string()) {
            texts_.push_back(prompt.get<std::string>());
            tokens_.push_back(encoder_.text(texts_.back()));
        } else {
            if (system_) prompt = with_system(prompt);
            texts_.push_back(encoder_.rendered(prompt, row.fields, row.place));
            tokens_.push_back(encoder_.messages(prompt, row.fields, row.place));
        }
        if (tokens_.back().empty()) throw_error(ExitCode::bad_data, "{}: the prompt has no token", row.place);
    }
    Json with_system(const Json& prompt) const {
        Json messages = Json::array({{{"role", "system"}, {"content", *system_}}});
        for (const Json& message : prompt)
            if (!message.is_object() || message.value("role", Json()) != "system") messages.push_back(message);
        return messages;
    }

    const EvaluationSet& set_;
    std::optional<std::string> system_;
    PromptEncoder encoder_;
    std::optional<TextTemplate> template_;
    bool chat_ = false;
    std::vector<std::string> texts_;
    std::vector<std::vector<std::int32_t>> tokens_;
};

GenerateSettings generate_settings(const SetGeneration& generation) {
    GenerateSettings settings;
    settings.max_new_tokens = generation.max_new_tokens;
    settings.temperature = generation.temperature;
    settings.top_k = generation.top_k;
    settings.top_p = generation.top_p;
    settings.seed = static_cast<std::uint64_t>(generation.seed);
    return settings;
}

std::vector<TextRequest> requests_of(const SetPrompts& prompts, const SetGeneration& generation, const StopTexts& stops) {
    const std::string key =
        Json{generation.temperature, generation.top_p, generation.top_k, generation.seed, generation.until, generation.max_new_tokens}.dump();
    std::vector<TextRequest> requests;
    for (const std::vector<std::int32_t>& tokens : prompts.tokens())
        requests.push_back(
            {&tokens, &stops, generation.max_new_tokens, key + (generation.temperature > 0.0 ? " row " + std::to_string(requests.size()) : "")});
    return requests;
}

class ModelAnswers {
  public:
    ModelAnswers(const EvalSystem& system, const std::vector<EvaluationSet>& sets, Stream& stream, Comm& comm, const AnswerSettings& settings)
        : sets_(sets),
          stream_(stream),
          comm_(comm),
          settings_(settings),
          adapted_(open_adapted_model(system.model, system.adapter)),
          tokenizer_(adapted_.files().load_tokenizer()),
          cache_(settings.cache, comm.rank()),
          end_ids_(adapted_.files().config().eos_ids) {
        if (const auto eos = tokenizer_.eos_id()) end_ids_.push_back(*eos);
        std::int64_t longest = 0;
        for (const EvaluationSet& set : sets) {
            prompts_.emplace_back(system, set, tokenizer_);
            for (const auto& tokens : prompts_.back().tokens())
                longest = std::max(longest, static_cast<std::int64_t>(tokens.size()) + set.settings().generation.max_new_tokens);
        }
        if (const std::int64_t limit = adapted_.files().config().max_position_embeddings; longest > limit && comm.rank() == 0)
            log_warning("{}: the longest prompt and answer take {} positions, the model was trained for {}", system.name, longest, limit);
        load(longest);
    }

    std::vector<std::vector<SetAnswer>> run(const AnswerProgress& progress) {
        std::vector<std::vector<SetAnswer>> all;
        for (std::size_t t = 0; t < sets_.size(); ++t) {
            const SetGeneration& generation = sets_[t].settings().generation;
            const StopTexts stops(tokenizer_, generation.until);
            const std::vector<TextRequest> requests = requests_of(prompts_[t], generation, stops);
            const auto rows = static_cast<std::int64_t>(requests.size());
            const std::vector<std::vector<std::int32_t>> ids =
                answer_texts(*decoder_, comm_, requests, generate_settings(generation), end_ids_, cache_,
                             // Of this rank's share; the others are about as far.
                             [&](std::int64_t done, std::int64_t left) { progress(sets_[t].settings().name, rows - (left - done) * comm_.size()); });
            cache_.flush();
            progress(sets_[t].settings().name, rows);
            std::vector<SetAnswer> answers;
            for (std::size_t i = 0; i < ids.size(); ++i)
                answers.push_back({prompts_[t].texts()[i], stops.cut(ids[i]),
                                   static_cast<std::int64_t>(ids[i].size()) >= generation.max_new_tokens && !stops.in(ids[i])});
            all.push_back(std::move(answers));
        }
        return all;
    }

  private:
    void load(std::int64_t longest) {
        const Decoder::Options options{settings_.dtype == "float32" ? DType::f32 : DType::bf16, false, longest};
        const ModelFiles& files = adapted_.files();
        follow_rank_0(stream_, comm_, [&] { return chosen_algorithms(stream_, files, adapted_.lora, options); });
        decoder_ = std::make_unique<Decoder>(stream_, files, adapted_.lora, options);
        if (!adapted_.parameters.empty()) decoder_->refresh_adapter(View(adapted_.parameters.data(), DType::f32, {adapted_.lora.parameters}));
    }

    const std::vector<EvaluationSet>& sets_;
    Stream& stream_;
    Comm& comm_;
    const AnswerSettings& settings_;
    AdaptedModel adapted_;
    Tokenizer tokenizer_;
    AnswerCache cache_;
    std::vector<std::int32_t> end_ids_;
    std::vector<SetPrompts> prompts_;
    std::unique_ptr<Decoder> decoder_;
};

}  // namespace

std::vector<std::vector<SetAnswer>> answer_sets(const EvalSystem& system, const std::vector<EvaluationSet>& sets, Stream& stream, Comm& comm,
                                                const AnswerSettings& settings, const AnswerProgress& progress) {
    if (system.run.empty()) return ModelAnswers(system, sets, stream, comm, settings).run(progress);
    std::vector<std::vector<SetAnswer>> all;
    for (const EvaluationSet& set : sets) {
        all.push_back(answers_of_run(system.run, set));
        progress(set.settings().name, static_cast<std::int64_t>(set.rows().size()));
    }
    return all;
}

std::vector<SetAnswer> answers_of_run(const std::string& run, const EvaluationSet& set) {
    const std::filesystem::path file = samples_file(run, set.settings().name);
    std::map<std::string, SetAnswer> known;  // by the hash of the row
    const std::unique_ptr<RowSource> source = open_rows(file);
    Json sample;
    while (source->next(sample)) {
        const Json texts = sample.is_object() ? sample.value("filtered_resps", Json()) : Json();
        if (!texts.is_array() || texts.size() != 1 || !texts[0].is_string() || !sample.contains("doc_hash") || !sample.at("doc_hash").is_string())
            throw_error(ExitCode::bad_data, "{}: expected a sample of an evaluation set, with doc_hash and filtered_resps", source->place());
        SetAnswer answer;
        answer.text = texts[0].get<std::string>();
        answer.cut = sample.value("finish_reason", Json()) == "length";
        if (const Json arguments = sample.value("arguments", Json()); arguments.is_object() && arguments.contains("gen_args_0"))
            if (const Json prompt = arguments["gen_args_0"].value("arg_0", Json()); prompt.is_string()) answer.prompt = prompt.get<std::string>();
        known[sample.at("doc_hash").get<std::string>()] = std::move(answer);
    }
    std::vector<SetAnswer> answers;
    for (const SetRow& row : set.rows()) {
        const auto found = known.find(row_hash(row));
        if (found == known.end())
            throw_error(ExitCode::bad_data, "{}: no answer to row {} of {}: systems are compared on the same rows", file.string(), row.id, row.place);
        answers.push_back(found->second);
    }
    return answers;
}

std::string system_identity(const EvalSystem& system, const std::vector<EvaluationSet>& sets) {
    std::string text = "system " + system.name + "\n";
    if (!system.run.empty()) {
        for (const EvaluationSet& set : sets) text += "answers " + sha256_file(samples_file(system.run, set.settings().name)) + "\n";
        return text;
    }
    const AdaptedModel adapted = open_adapted_model(system.model, system.adapter);
    text += model_identity(system.model, system.adapter, adapted.files(), adapted.files().load_tokenizer());
    for (const std::optional<std::string>* own : {&system.system, &system.prompt}) text += *own ? sha256_hex(**own) + "\n" : "-\n";
    return text;
}

}  // namespace temper
