#include "eval/task_filters.h"

#include <algorithm>
#include <map>

#include <utf8proc.h>

#include "eval/field_reader.h"
#include "eval/python_text.h"
#include "io/python_regex.h"
#include "io/unicode.h"
#include "kernels/error.h"

namespace temper {

struct AnswerFilter::Step {
    virtual ~Step() = default;
    virtual void apply(const Json& doc, std::vector<std::string>& answers) const = 0;
};

namespace {

using Step = AnswerFilter::Step;
using Answers = std::vector<std::string>;

const char* const default_pattern = R"(#### (\-?[0-9\.\,]+))";

// The match number `select` (from the end when negative), of its groups the first that is not empty; nothing where there is no such match.
std::optional<std::string> select_match(const PythonRegex& regex, const std::string& answer, std::int64_t select) {
    const std::vector<std::vector<std::string>> matches = regex.find_all(answer);
    if (matches.empty()) return std::nullopt;
    const auto size = static_cast<std::int64_t>(matches.size());
    const std::int64_t index = select < 0 ? select + size : select;
    if (index < 0 || index >= size) return std::nullopt;
    const std::vector<std::string>& groups = matches[static_cast<std::size_t>(index)];
    if (groups.size() == 1) return std::string(python_strip(groups[0]));
    for (const std::string& group : groups)
        if (!group.empty()) return std::string(python_strip(group));
    return std::nullopt;
}

struct RegexStep : Step {
    PythonRegex regex;
    std::int64_t select;
    std::string fallback;

    explicit RegexStep(const FieldReader& step)
        : regex(step.text("regex_pattern", default_pattern), step.place()),
          select(step.count("group_select", INT64_MIN).value_or(0)),
          fallback(step.text("fallback", "[invalid]")) {}
    void apply(const Json&, Answers& answers) const override {
        for (std::string& answer : answers) answer = select_match(regex, answer, select).value_or(fallback);
    }
};

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80 && !std::isalnum(byte) && c != '_') out += '\\';
        out += c;
    }
    return out;
}

// A letter in parentheses: where the pattern finds none, the choice whose text the answer has, or the letter behind a colon.
struct MultiChoiceStep : RegexStep {
    bool ignore_case, ignore_punctuation;
    std::vector<PythonRegex> ignored;

    explicit MultiChoiceStep(const FieldReader& step)
        : RegexStep(step), ignore_case(step.flag("ignore_case", false)), ignore_punctuation(step.flag("ignore_punctuation", false)) {
        for (const std::string& pattern : step.texts("regexes_to_ignore")) ignored.emplace_back(pattern, step.place());
    }
    void apply(const Json& doc, Answers& answers) const override {
        if (!doc.contains("choices") || !doc["choices"].is_array())
            throw_error(ExitCode::bad_data, "multi_choice_regex: a document without a list of choices");
        std::map<std::string, std::string> letter_of, with_parentheses;
        std::vector<std::string> patterns;
        std::string letters;
        char letter = 'A';
        for (const Json& choice : doc["choices"]) {
            const std::string text = without_ignored(std::string(python_strip(choice.get<std::string>())));
            letter_of[text] = std::string("(") + letter + ")";
            with_parentheses[std::string(1, letter)] = std::string("(") + letter + ")";
            patterns.push_back(escaped(text));
            letters += (letters.empty() ? "" : "|") + std::string(1, letter++);
        }
        std::stable_sort(patterns.begin(), patterns.end(), [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
        std::string any;
        for (const std::string& pattern : patterns) any += (any.empty() ? "" : "|") + pattern;
        const PythonRegex texts(any, "multi_choice_regex"), behind_colon(":[\\s]*(" + letters + ")", "multi_choice_regex");
        for (std::string& answer : answers) {
            std::string found = select_match(regex, answer, select).value_or("");
            if (found.empty()) found = translated(select_match(texts, without_ignored(answer), select).value_or(""), letter_of);
            if (found.empty()) found = translated(select_match(behind_colon, answer, select).value_or(""), with_parentheses);
            answer = found.empty() ? fallback : found;
        }
    }

  private:
    static std::string translated(const std::string& found, const std::map<std::string, std::string>& names) {
        const auto known = names.find(found);
        return known == names.end() ? found : known->second;
    }
    std::string without_ignored(std::string text) const {
        for (const PythonRegex& pattern : ignored) text = pattern.replace(text, "");
        if (ignore_case) text = python_lower(text);
        if (!ignore_punctuation) return text;
        std::string kept;
        for (std::size_t at = 0; at < text.size(); at += tok::character_size(text[at])) {
            const auto kind = utf8proc_category(static_cast<utf8proc_int32_t>(tok::decode_character(text, at)));
            if (kind < UTF8PROC_CATEGORY_PC || kind > UTF8PROC_CATEGORY_PO) kept += text.substr(at, tok::character_size(text[at]));
        }
        return kept;
    }
};

struct EachStep : Step {
    std::string (*change)(std::string_view);

    explicit EachStep(std::string (*function)(std::string_view)) : change(function) {}
    void apply(const Json&, Answers& answers) const override {
        for (std::string& answer : answers) answer = change(answer);
    }
};

struct MapStep : Step {
    std::map<std::string, std::string> names;
    std::optional<std::string> otherwise;

    explicit MapStep(const FieldReader& step) {
        const auto text_of = [](const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); };
        const Json mapping = step.value("mapping_dict");
        if (!mapping.is_object()) step.fail("mapping_dict", "expected a map of answers, found " + mapping.dump());
        for (const auto& [name, value] : mapping.items()) names[name] = text_of(value);
        if (step.has("default_value")) otherwise = text_of(step.value("default_value"));
    }
    void apply(const Json&, Answers& answers) const override {
        for (std::string& answer : answers) {
            const auto known = names.find(answer);
            answer = known != names.end() ? known->second : otherwise.value_or("None");
        }
    }
};

struct FirstStep : Step {
    std::size_t count;

    explicit FirstStep(std::size_t k) : count(k) {}
    explicit FirstStep(const FieldReader& step) : FirstStep(static_cast<std::size_t>(step.count("k", 1).value_or(1))) {}
    void apply(const Json&, Answers& answers) const override {
        if (answers.size() < count) throw_error(ExitCode::bad_data, "take_first_k: {} answers, expected {}: raise repeats", answers.size(), count);
        answers.resize(count);
    }
};

// The most frequent answer, of several the one that came first.
struct MajorityStep : Step {
    void apply(const Json&, Answers& answers) const override {
        const auto times = [&](const std::string& answer) { return std::count(answers.begin(), answers.end(), answer); };
        const auto best =
            std::max_element(answers.begin(), answers.end(), [&](const std::string& a, const std::string& b) { return times(a) < times(b); });
        answers = {std::string(*best)};
    }
};

struct KnownStep {
    std::unique_ptr<Step> (*make)(const FieldReader& step);
    std::vector<std::string> keys;  // beside function
};
template <class Kind> std::unique_ptr<Step> make(const FieldReader& step) { return std::make_unique<Kind>(step); }

const std::map<std::string, KnownStep>& known_steps() {
    static const std::map<std::string, KnownStep> all{
        {"regex", {make<RegexStep>, {"regex_pattern", "group_select", "fallback"}}},
        {"multi_choice_regex",
         {make<MultiChoiceStep>, {"regex_pattern", "group_select", "fallback", "ignore_case", "ignore_punctuation", "regexes_to_ignore"}}},
        {"remove_whitespace",
         {[](const FieldReader&) -> std::unique_ptr<Step> {
              return std::make_unique<EachStep>([](std::string_view text) { return std::string(python_strip(text)); });
          },
          {}}},
        {"lowercase", {[](const FieldReader&) -> std::unique_ptr<Step> { return std::make_unique<EachStep>(python_lower); }, {}}},
        {"map", {make<MapStep>, {"mapping_dict", "default_value"}}},
        {"take_first", {[](const FieldReader&) -> std::unique_ptr<Step> { return std::make_unique<FirstStep>(1); }, {}}},
        {"take_first_k", {make<FirstStep>, {"k"}}},
        {"majority_vote", {[](const FieldReader&) -> std::unique_ptr<Step> { return std::make_unique<MajorityStep>(); }, {}}}};
    return all;
}

std::unique_ptr<Step> make_step(const Json& fields, const std::string& place) {
    const std::string function = FieldReader(fields, place).text("function");
    const auto known = known_steps().find(function);
    if (known == known_steps().end()) {
        std::vector<std::string> names;
        for (const auto& [name, ignored] : known_steps()) names.push_back(name);
        throw_error(ExitCode::bad_data, "{}: unknown filter '{}': known are {}", place, function, joined(names));
    }
    const FieldReader step(fields, place + ": " + function);
    std::vector<std::string> keys = known->second.keys;
    keys.push_back("function");
    step.check_keys(keys);
    return known->second.make(step);
}

}  // namespace

AnswerFilter::AnswerFilter(const TaskConfig& config, const TaskFilter& filter)
    : name_(filter.name), place_(config.file.string() + ": filter_list: " + filter.name) {
    for (const Json& step : filter.steps) {
        steps_.push_back(make_step(step, place_));
        if (const auto* const first = dynamic_cast<const FirstStep*>(steps_.back().get());
            first && first->count > static_cast<std::size_t>(config.repeats))
            throw_error(ExitCode::bad_data, "{}: {} of the answers are taken, and repeats gives {}", place_, first->count, config.repeats);
    }
}
AnswerFilter::~AnswerFilter() = default;
AnswerFilter::AnswerFilter(AnswerFilter&&) noexcept = default;

std::string AnswerFilter::apply(const Json& doc, std::vector<std::string> answers) const {
    for (const std::unique_ptr<Step>& step : steps_) step->apply(doc, answers);
    if (answers.empty()) throw_error(ExitCode::bad_data, "{}: no answer is left", place_);
    return answers[0];
}

}  // namespace temper
