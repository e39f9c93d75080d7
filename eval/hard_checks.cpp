#include "eval/hard_checks.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

#include <utf8proc.h>

#include "eval/python_text.h"
#include "eval/yaml_value.h"
#include "io/durable.h"
#include "io/json_schema.h"
#include "io/log.h"
#include "io/nearest.h"
#include "io/python_regex.h"
#include "io/unicode.h"
#include "kernels/error.h"

namespace temper {
namespace {

// A check's settings with their place in the file.
struct Setting {
    const YamlNode& node;
    const std::string& file;

    std::string place() const { return fmt::format("{}:{}:{}", file, node.line, node.column); }
    [[noreturn]] void fail(const std::string& what) const { throw_error(ExitCode::usage, "{}: {}", place(), what); }
    Json value() const { return yaml_value(node, file); }
    std::string text() const {
        if (node.kind != YamlNode::Kind::scalar) fail("expected a text, found " + node.describe());
        return node.text;
    }
    std::vector<std::string> texts() const {
        if (node.kind == YamlNode::Kind::scalar) return {node.text};
        std::vector<std::string> all;
        for (const YamlNode& item : node.values) all.push_back(Setting{item, file}.text());
        if (node.kind != YamlNode::Kind::sequence || all.empty()) fail("expected a text or a list of texts, found " + node.describe());
        return all;
    }
};

using Test = std::function<std::string(const std::string& text, const Json& row)>;

class TestCheck : public HardCheck {
  public:
    explicit TestCheck(Test test) : test_(std::move(test)) {}
    std::string fault(const std::string& text, const Json& row) const override { return test_(text, row); }

  private:
    Test test_;
};

std::string quoted(const std::string& text) { return "\"" + (text.size() > 60 ? text.substr(0, 57) + "…" : text) + "\""; }

std::optional<Json> json_of(const std::string& text, std::string& fault) {
    try {
        return parse_json(python_strip(text), "answer");
    } catch (const Error& error) {
        fault = error.what();
        return std::nullopt;
    }
}

// The value at a.b.c of an object.
const Json* at_path(const Json& value, const std::string& path) {
    const Json* found = &value;
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find('.', begin), path.size());
        const std::string name = path.substr(begin, end - begin);
        if (!found->is_object() || !found->contains(name)) return nullptr;
        found = &(*found)[name];
        begin = end + 1;
    }
    return found;
}

// "reference", "reference.a" or "row.a" name what stands beside the answer; any other value is itself.
std::optional<Json> expected_of(const Json& wanted, const Json& row, std::string& fault) {
    if (!wanted.is_string()) return wanted;
    const std::string text = wanted.get<std::string>();
    const auto look = [&](const Json& in, const std::string& path) -> std::optional<Json> {
        const Json* const found = at_path(in, path);
        if (found == nullptr) {
            fault = "the row has no " + text;
            return std::nullopt;
        }
        return *found;
    };
    if (text.starts_with("row.")) return look(row, text.substr(4));
    if (text != "reference" && !text.starts_with("reference.")) return wanted;
    std::optional<Json> reference = look(row, "reference");
    if (!reference || text == "reference") return reference;
    if (reference->is_string()) reference = json_of(reference->get<std::string>(), fault);
    return reference ? look(*reference, text.substr(10)) : std::nullopt;
}

Test json_test(const Setting& setting) {
    const Json wanted = setting.value();
    if (wanted != true && wanted != "object" && wanted != "array") setting.fail("json: expected true, object or array, found " + wanted.dump());
    return [wanted](const std::string& text, const Json&) {
        std::string fault;
        const std::optional<Json> value = json_of(text, fault);
        if (!value) return fault;
        if ((wanted == "object" && !value->is_object()) || (wanted == "array" && !value->is_array()))
            return "expected an " + wanted.get<std::string>() + ", found " + value->type_name();
        return std::string();
    };
}

Test schema_test(const Setting& setting) {
    const JsonSchema schema(setting.value(), setting.place());
    return [schema](const std::string& text, const Json&) {
        std::string fault;
        const std::optional<Json> value = json_of(text, fault);
        return value ? schema.fault(*value) : fault;
    };
}

Test fields_test(const Setting& setting) {
    const Json fields = setting.value();
    if (!fields.is_object() || fields.empty()) setting.fail("field_equals: expected a map of fields, found " + setting.node.describe());
    return [fields](const std::string& text, const Json& row) {
        std::string fault;
        const std::optional<Json> value = json_of(text, fault);
        if (!value) return fault;
        for (const auto& [path, wanted] : fields.items()) {
            // A field that is to equal the reference equals its field of the same name.
            const std::optional<Json> expected = expected_of(wanted == "reference" ? Json("reference." + path) : wanted, row, fault);
            if (!expected) return fault;
            const Json* const found = at_path(*value, path);
            if (found == nullptr) return "no field " + path;
            if (*found != *expected) return path + ": " + quoted(found->dump()) + ", expected " + quoted(expected->dump());
        }
        return std::string();
    };
}

Test equals_test(const Setting& setting) {
    const Json wanted = setting.value();
    return [wanted](const std::string& text, const Json& row) {
        std::string fault;
        const std::optional<Json> expected = expected_of(wanted, row, fault);
        if (!expected) return fault;
        const std::string other = expected->is_string() ? expected->get<std::string>() : expected->dump();
        return python_strip(text) == python_strip(other) ? std::string() : "expected " + quoted(other) + ", found " + quoted(text);
    };
}

Test regex_test(const Setting& setting, bool wanted) {
    const std::string pattern = setting.text();
    const PythonRegex regex(pattern, setting.place());
    return [regex, pattern, wanted](const std::string& text, const Json&) {
        return regex.search(text) == wanted ? std::string() : (wanted ? "no match of " : "a match of ") + pattern;
    };
}

bool is_word_character(char32_t c) { return tok::is_word(c); }

// The text as a word or phrase of its own, without case.
bool has_phrase(const std::string& text, const std::string& phrase) {
    for (std::size_t at = text.find(phrase); at != std::string::npos; at = text.find(phrase, at + 1)) {
        const std::size_t end = at + phrase.size();
        const bool begins =
            at == 0 || !is_word_character(tok::decode_character_before(text, at)) || !is_word_character(tok::decode_character(phrase, 0));
        const bool ends = end == text.size() || !is_word_character(tok::decode_character(text, end)) ||
                          !is_word_character(tok::decode_character_before(phrase, phrase.size()));
        if (begins && ends) return true;
    }
    return false;
}

Test phrases_test(const Setting& setting, bool wanted) {
    std::vector<std::string> phrases;
    for (const std::string& phrase : setting.texts()) {
        if (phrase.empty()) setting.fail("an empty text");
        phrases.push_back(python_lower(phrase));
    }
    return [phrases, wanted](const std::string& text, const Json&) {
        const std::string lower = python_lower(text);
        for (const std::string& phrase : phrases)
            if (has_phrase(lower, phrase) != wanted) return (wanted ? "lacks " : "has ") + quoted(phrase);
        return std::string();
    };
}

Test affix_test(const Setting& setting, bool begin) {
    const std::vector<std::string> texts = setting.texts();
    return [texts, begin](const std::string& text, const Json&) {
        const std::string_view body = python_strip(text);
        for (const std::string& affix : texts)
            if (begin ? body.starts_with(affix) : body.ends_with(affix)) return std::string();
        return (begin ? "does not start with " : "does not end with ") + quoted(texts[0]) + (texts.size() > 1 ? " or another of the texts" : "");
    };
}

std::int64_t count_characters(const std::string& text) {
    return std::count_if(text.begin(), text.end(), [](char byte) { return !tok::is_continuation(byte); });
}

struct Bounds {
    std::int64_t least = 0, most = INT64_MAX;
};

Bounds bounds_of(const Setting& setting) {
    const Json value = setting.value();
    const auto count = [&](const Json& number) {
        if (!number.is_number_integer() || number.get<std::int64_t>() < 0) setting.fail("expected a count, found " + number.dump());
        return number.get<std::int64_t>();
    };
    Bounds bounds;
    if (value.is_number_integer()) {
        bounds.least = bounds.most = count(value);
        return bounds;
    }
    if (!value.is_object() || value.empty()) setting.fail("expected a count, or a map of min, max, exactly; found " + setting.node.describe());
    for (const auto& [key, number] : value.items()) {
        if (key == "min") bounds.least = count(number);
        else if (key == "max") bounds.most = count(number);
        else if (key == "exactly") bounds.least = bounds.most = count(number);
        else if (key != "text") setting.fail("expected min, max or exactly, found " + key);
    }
    if (bounds.least > bounds.most) setting.fail("min is above max");
    return bounds;
}

Test count_test(const Setting& setting, const std::string& what, std::int64_t (*count)(const std::string&)) {
    const Bounds bounds = bounds_of(setting);
    return [bounds, what, count](const std::string& text, const Json&) {
        const std::int64_t found = count(text);
        if (found >= bounds.least && found <= bounds.most) return std::string();
        const std::string expected = bounds.least == bounds.most ? std::to_string(bounds.least)
                                     : bounds.most == INT64_MAX  ? "at least " + std::to_string(bounds.least)
                                     : bounds.least == 0         ? "at most " + std::to_string(bounds.most)
                                                                 : std::to_string(bounds.least) + " to " + std::to_string(bounds.most);
        return fmt::format("{} {}, expected {}", found, what, expected);
    };
}

// How often a text stands between parts.
Test separator_test(const Setting& setting) {
    const YamlNode* const text_node = setting.node.find("text");
    if (text_node == nullptr) setting.fail("separator: expected {text, exactly} or {text, min, max}");
    const std::string separator = Setting{*text_node, setting.file}.text();
    if (separator.empty()) setting.fail("separator: an empty text");
    const Bounds bounds = bounds_of(setting);
    return [separator, bounds](const std::string& text, const Json&) {
        std::int64_t found = 0;
        for (std::size_t at = text.find(separator); at != std::string::npos; at = text.find(separator, at + separator.size())) ++found;
        return found >= bounds.least && found <= bounds.most ? std::string() : fmt::format("{} times {}", found, quoted(separator));
    };
}

struct Script {
    const char* name;
    std::vector<std::pair<char32_t, char32_t>> ranges;
};
const std::vector<Script>& scripts() {
    static const std::vector<Script> all{
        {"latin", {{0x41, 0x5a}, {0x61, 0x7a}, {0xaa, 0xaa}, {0xba, 0xba}, {0xc0, 0x24f}, {0x1e00, 0x1eff}, {0xfb00, 0xfb06}, {0xff21, 0xff5a}}},
        {"greek", {{0x370, 0x3ff}, {0x1f00, 0x1fff}}},
        {"cyrillic", {{0x400, 0x52f}, {0x1c80, 0x1c8f}, {0x2de0, 0x2dff}, {0xa640, 0xa69f}}},
        {"hebrew", {{0x590, 0x5ff}, {0xfb1d, 0xfb4f}}},
        {"arabic", {{0x600, 0x6ff}, {0x750, 0x77f}, {0x8a0, 0x8ff}, {0xfb50, 0xfdff}, {0xfe70, 0xfeff}}},
        {"devanagari", {{0x900, 0x97f}, {0xa8e0, 0xa8ff}}},
        {"thai", {{0xe00, 0xe7f}}},
        {"hangul", {{0x1100, 0x11ff}, {0x3130, 0x318f}, {0xac00, 0xd7af}}},
        {"han", {{0x2e80, 0x2fdf}, {0x3005, 0x3007}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xf900, 0xfaff}, {0x20000, 0x3ffff}}},
        {"kana", {{0x3041, 0x30ff}, {0x31f0, 0x31ff}, {0xff66, 0xff9f}}},
        {"japanese", {{0x3005, 0x3007}, {0x3041, 0x30ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xff66, 0xff9f}}}};
    return all;
}

bool is_letter(char32_t c) {
    const utf8proc_category_t kind = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

// Of the text's letters nineteen in twenty belong to the script: names and words of another one may stand among them.
Test script_test(const Setting& setting) {
    const std::string name = setting.text();
    const auto found = std::find_if(scripts().begin(), scripts().end(), [&](const Script& script) { return name == script.name; });
    if (found == scripts().end()) {
        std::string known;
        for (const Script& script : scripts()) known += (known.empty() ? "" : ", ") + std::string(script.name);
        setting.fail("unknown script '" + name + "': known are " + known);
    }
    const Script& script = *found;
    return [&script](const std::string& text, const Json&) {
        std::int64_t letters = 0, inside = 0;
        for (std::size_t at = 0; at < text.size(); at += tok::character_size(text[at])) {
            const char32_t c = tok::decode_character(text, at);
            if (!is_letter(c)) continue;
            ++letters;
            inside +=
                std::any_of(script.ranges.begin(), script.ranges.end(), [c](const auto& range) { return c >= range.first && c <= range.second; });
        }
        if (letters == 0) return std::string("no letters");
        return 20 * inside >= 19 * letters ? std::string() : fmt::format("{} of {} letters are {}", inside, letters, script.name);
    };
}

using Maker = std::function<Test(const Setting&)>;
const std::map<std::string, Maker>& makers() {
    static const std::map<std::string, Maker> all{
        {"json", json_test},
        {"json_schema", schema_test},
        {"field_equals", fields_test},
        {"equals", equals_test},
        {"regex", [](const Setting& setting) { return regex_test(setting, true); }},
        {"not_regex", [](const Setting& setting) { return regex_test(setting, false); }},
        {"contains", [](const Setting& setting) { return phrases_test(setting, true); }},
        {"forbidden", [](const Setting& setting) { return phrases_test(setting, false); }},
        {"starts_with", [](const Setting& setting) { return affix_test(setting, true); }},
        {"ends_with", [](const Setting& setting) { return affix_test(setting, false); }},
        {"sentences",
         [](const Setting& setting) {
             return count_test(setting, "sentences", [](const std::string& text) { return static_cast<std::int64_t>(split_sentences(text).size()); });
         }},
        {"words",
         [](const Setting& setting) {
             return count_test(setting, "words", [](const std::string& text) { return static_cast<std::int64_t>(python_split(text).size()); });
         }},
        {"characters", [](const Setting& setting) { return count_test(setting, "characters", count_characters); }},
        {"lines",
         [](const Setting& setting) {
             return count_test(setting, "lines", [](const std::string& text) {
                 return text.empty() ? std::int64_t{0} : std::count(text.begin(), text.end(), '\n') + (text.back() != '\n');
             });
         }},
        {"separator", separator_test},
        {"script", script_test}};
    return all;
}

std::vector<std::string> known_keys() {
    std::vector<std::string> keys{"name", "field", "when"};
    for (const auto& [kind, ignored] : makers()) keys.push_back(kind);
    return keys;
}

std::vector<std::string> tags_of(const YamlNode& when, const std::string& file) {
    const YamlNode* const tags = when.find("tags");
    if (tags == nullptr || when.keys.size() != 1) Setting{when, file}.fail("when: expected {tags: [...]}, found " + when.describe());
    return Setting{*tags, file}.texts();
}

// An expression or a schema that cannot be read is as much a mistake in the settings as a name.
Test made(const Maker& maker, const Setting& setting) {
    try {
        return maker(setting);
    } catch (const Error& error) {
        throw Error(error.code() == ExitCode::bad_data ? ExitCode::usage : error.code(), error.what());
    }
}

bool has_tag(const Json& row, const std::string& tag) {
    if (!row.is_object() || !row.contains("tags")) return false;
    const Json& tags = row["tags"];
    return tags.is_array() ? std::find(tags.begin(), tags.end(), Json(tag)) != tags.end() : tags == tag;
}

}  // namespace

HardChecks::HardChecks(const std::filesystem::path& file) : HardChecks(read_file(file), file.string()) {}

HardChecks::HardChecks(const std::string& yaml, const std::string& place) {
    const YamlNode root = parse_yaml(yaml, place);
    const YamlNode* const list = root.find("checks");
    if (list == nullptr || root.keys.size() != 1) Setting{root, place}.fail("expected a map with the one key checks, a list");
    add(*list, place);
}

HardChecks::HardChecks(const YamlNode& list, const std::string& place) { add(list, place); }

void HardChecks::add(const YamlNode& list, const std::string& place) {
    if (list.kind != YamlNode::Kind::sequence || list.values.empty())
        Setting{list, place}.fail("checks: expected a list of checks, found " + list.describe());
    for (const YamlNode& node : list.values) {
        if (node.kind != YamlNode::Kind::map) Setting{node, place}.fail("expected a map with one kind of check, found " + node.describe());
        Entry entry;
        std::string kind;
        for (std::size_t i = 0; i < node.keys.size(); ++i) {
            const std::string& key = node.keys[i].text;
            const Setting setting{node.values[i], place};
            if (key == "name") entry.name = setting.text();
            else if (key == "field") entry.field = setting.text();
            else if (key == "when") entry.tags = tags_of(node.values[i], place);
            else if (const auto maker = makers().find(key); maker == makers().end()) {
                const std::string near = nearest_name(key, known_keys());
                Setting{node.keys[i], place}.fail("unknown check '" + key + "'" + (near.empty() ? "" : "; did you mean " + near + "?"));
            } else if (!kind.empty()) {
                Setting{node.keys[i], place}.fail("a second kind of check, " + key + ", beside " + kind + ": write two entries");
            } else {
                kind = key;
                entry.check = std::make_unique<TestCheck>(made(maker->second, setting));
            }
        }
        if (!entry.check) Setting{node, place}.fail("no kind of check");
        if (entry.name.empty()) entry.name = kind;
        std::string name = entry.name;
        for (int number = 2; std::any_of(entries_.begin(), entries_.end(), [&](const Entry& other) { return other.name == name; }); ++number)
            name = entry.name + " " + std::to_string(number);
        entry.name = name;
        entries_.push_back(std::move(entry));
    }
}

std::vector<HardChecks::Result> HardChecks::run(const std::string& text, const Json& row, const std::string& place) const {
    std::vector<Result> results;
    for (const Entry& entry : entries_) {
        if (std::any_of(entry.tags.begin(), entry.tags.end(), [&](const std::string& tag) { return !has_tag(row, tag); })) continue;
        Result result{entry.name, ""};
        std::string part = text;
        if (!entry.field.empty()) {
            const std::optional<Json> answer = json_of(text, result.fault);
            const Json* const found = answer ? at_path(*answer, entry.field) : nullptr;
            if (answer && found == nullptr) result.fault = "no field " + entry.field;
            if (found != nullptr) part = found->is_string() ? found->get<std::string>() : found->dump();
        }
        try {
            if (result.fault.empty()) result.fault = entry.check->fault(part, row);
        } catch (const Error& error) {
            result.fault = error.what();
            log_warning("{}: check {} counts as failed: {}", place, entry.name, result.fault);
        }
        results.push_back(std::move(result));
    }
    return results;
}

std::vector<std::string> HardChecks::names() const {
    std::vector<std::string> names;
    for (const Entry& entry : entries_) names.push_back(entry.name);
    return names;
}

}  // namespace temper
