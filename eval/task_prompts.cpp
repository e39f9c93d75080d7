#include "eval/task_prompts.h"

#include <algorithm>

#include "eval/python_text.h"
#include "io/unicode.h"
#include "kernels/error.h"

namespace temper {
namespace {

bool ends_with_space(const std::string& text) { return !text.empty() && is_python_space(tok::decode_character_before(text, text.size())); }
bool begins_with_space(const std::string& text) { return !text.empty() && is_python_space(tok::decode_character(text, 0)); }

// The delimiter only where neither side has white space already, and both sides are there.
std::string joined(const std::string& before, const std::string& behind, const std::string& delimiter) {
    if (before.empty()) return behind;
    if (behind.empty()) return before;
    return ends_with_space(before) || begins_with_space(behind) ? before + behind : before + delimiter + behind;
}

}  // namespace

FewshotSampler::FewshotSampler(const TaskConfig& config, std::vector<Json> pool, bool from_evaluated_split, std::uint64_t seed)
    : place_(config.file.string()),
      pool_(std::move(pool)),
      count_(config.num_fewshot),
      first_n_(config.fewshot_sampler == "first_n"),
      leave_out_(from_evaluated_split),
      random_(seed) {}

std::vector<Json> FewshotSampler::sample(const Json& doc) {
    const auto size = static_cast<std::int64_t>(pool_.size());
    const auto fail = [&](std::int64_t needed) {
        throw_error(ExitCode::bad_data, "{}: {} few-shot examples of {} documents: {} are needed", place_, count_, size, needed);
    };
    const bool leave_out = leave_out_ && !doc.empty();
    const auto take_others = [&](const std::vector<Json>& drawn) {
        std::vector<Json> others;
        for (const Json& one : drawn)
            if ((!leave_out || one != doc) && static_cast<std::int64_t>(others.size()) < count_) others.push_back(one);
        return others;
    };
    const auto draw = [&](const std::vector<Json>& pool, std::int64_t count) {
        if (count > static_cast<std::int64_t>(pool.size())) fail(count);
        std::vector<Json> drawn;
        for (const std::int64_t index : random_.sample(static_cast<std::int64_t>(pool.size()), count))
            drawn.push_back(pool[static_cast<std::size_t>(index)]);
        return drawn;
    };
    if (first_n_) {
        std::vector<Json> examples = take_others(pool_);
        if (static_cast<std::int64_t>(examples.size()) < count_) fail(count_);
        return examples;
    }
    std::vector<Json> examples = take_others(draw(pool_, count_ + (leave_out ? 1 : 0)));
    // Several rows were this document: drawn anew without any of them.
    if (static_cast<std::int64_t>(examples.size()) < count_) {
        std::vector<Json> others;
        for (const Json& one : pool_)
            if (one != doc) others.push_back(one);
        examples = draw(others, count_);
    }
    return examples;
}

TaskPrompts::TaskPrompts(const TaskConfig& config, std::vector<std::string> columns, std::vector<Json> fewshot_pool, PromptOptions options)
    : config_(config),
      options_(std::move(options)),
      texts_(config, config.texts, columns),
      fewshot_texts_(config, config.fewshot_texts, columns),
      description_(config.description.empty() ? Json() : Json(config.description), columns, config.file.string() + ": description"),
      // The reference compares names as the file has them: where it names neither, it draws one example more, and so do we.
      sampler_(config, std::move(fewshot_pool), config.fewshot_split == config.test_split || config.examples_split() == config.split(),
               options_.fewshot_seed) {}

void TaskPrompts::add_question(std::vector<Turn>& turns, const std::string& question, const std::vector<std::string>& choices, const Json& answer,
                               const std::optional<std::string>& prefix, const std::string& target_delimiter,
                               const std::string& fewshot_delimiter) const {
    const bool answered = !answer.is_null() && answer != "", prefixed = prefix && !prefix->empty();
    const bool apart = prefixed ? !question.empty() && !ends_with_space(question) && !begins_with_space(*prefix) : answered;
    turns.push_back({"user", question, apart ? target_delimiter : ""});
    if (answered) {
        const Json& one = answer.is_array() && !answer.empty() ? answer[0] : answer;
        std::string text;
        if (!choices.empty() && answer.is_number_integer()) {
            const auto index = answer.get<std::int64_t>();
            const auto size = static_cast<std::int64_t>(choices.size());
            if (index < -size || index >= size)
                throw_error(ExitCode::bad_data, "{}: doc_to_target: an example's answer is choice {} of {}", config_.file.string(), index, size);
            text = choices[static_cast<std::size_t>(index < 0 ? index + size : index)];
        } else if (one.is_string()) {
            text = one.get<std::string>();
        } else {
            throw_error(ExitCode::bad_data, "{}: doc_to_target: an example's answer is {}, expected a text, or a choice's number with doc_to_choice",
                        config_.file.string(), one.dump());
        }
        turns.push_back({"assistant", joined(prefix.value_or(""), text, " "), fewshot_delimiter});
    } else if (prefixed) {
        turns.push_back({"assistant", *prefix, ""});
    }
}

void TaskPrompts::add_examples(std::vector<Turn>& turns, const Json& doc) {
    if (config_.num_fewshot == 0) return;
    for (const Json& example : sampler_.sample(doc)) {
        const Json question = fewshot_texts_.question(example);
        std::vector<std::string> choices = fewshot_texts_.has_choices() ? fewshot_texts_.choices(example) : std::vector<std::string>();
        std::string text;
        if (question.is_string()) {
            text = question.get<std::string>();
        } else {
            // The input that is right, and the answer behind it.
            const auto index = question.get<std::int64_t>();
            if (index < 0 || index >= static_cast<std::int64_t>(choices.size()))
                throw_error(ExitCode::bad_data, "{}: doc_to_text: an example's question is choice {} of {}", config_.file.string(), index,
                            choices.size());
            text = choices[static_cast<std::size_t>(index)];
            choices.clear();
        }
        add_question(turns, text, choices, fewshot_texts_.answer(example), fewshot_texts_.prefix(example), fewshot_texts_.target_delimiter(),
                     fewshot_texts_.fewshot_delimiter());
    }
}

std::string TaskPrompts::text_of(std::vector<Turn> turns, bool open_answer) const {
    std::string text;
    if (!options_.chat_template) {
        for (const Turn& turn : turns) text += turn.content + turn.delimiter;
        return text;
    }
    Json messages = Json::array();
    const auto add = [&](const std::string& role, const std::string& content) { messages.push_back(Json{{"role", role}, {"content", content}}); };
    if (options_.multiturn) {
        for (const Turn& turn : turns) add(turn.role, turn.content);
        return options_.chat_template(messages, !open_answer);
    }
    std::size_t first = 0, last = turns.size();
    if (turns[0].role == "system") add("system", turns[first++].content);
    const bool answer = turns.back().role == "assistant";
    if (answer) --last;
    turns[last - 1].delimiter.clear();
    for (std::size_t i = first; i < last; ++i) text += turns[i].content + turns[i].delimiter;
    add("user", text);
    if (answer) add("assistant", turns.back().content);
    return options_.chat_template(messages, !open_answer);
}

std::vector<std::string> TaskPrompts::contexts(const Json& doc) {
    std::vector<Turn> turns;
    const Json description = description_.given() ? description_.value(doc) : Json("");
    const std::string system = joined(options_.system_instruction, description.is_string() ? description.get<std::string>() : description.dump(),
                                      texts_.fewshot_delimiter());
    if (!system.empty()) turns.push_back({"system", system, ""});
    add_examples(turns, doc);
    const Json question = texts_.question(doc);
    const std::optional<std::string> prefix = texts_.prefix(doc);
    const bool open_answer = prefix && !prefix->empty();
    if (question.is_string()) {
        add_question(turns, question.get<std::string>(), {}, Json(), prefix, texts_.target_delimiter(), "");
        return {text_of(std::move(turns), open_answer)};
    }
    if (!question.is_number_integer() || !texts_.has_choices())
        throw_error(ExitCode::bad_data, "{}: doc_to_text: expected a text, or a choice's number with doc_to_choice, found {}", config_.file.string(),
                    question.dump());
    std::vector<std::string> contexts;
    for (const std::string& choice : texts_.choices(doc)) {
        std::vector<Turn> own = turns;
        add_question(own, choice, {}, Json(), prefix, "", "");
        contexts.push_back(text_of(std::move(own), open_answer));
    }
    return contexts;
}

}  // namespace temper
