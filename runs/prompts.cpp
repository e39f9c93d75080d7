#include "runs/prompts.h"

#include <algorithm>
#include <set>

#include "io/durable.h"
#include "io/json_text.h"
#include "io/nearest.h"
#include "io/yaml.h"
#include "kernels/error.h"
#include "runs/default_places.h"
#include "runs/plain_name.h"
#include "runs/run_record.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

// Reads one prompt's YAML; every failure names its place.
class PromptReader {
  public:
    explicit PromptReader(std::string place) : place_(std::move(place)) {}

    Prompt read(const std::string& text) const {
        const YamlNode document = parse_yaml(text, place_);
        if (document.kind != YamlNode::Kind::map) fail(document, "a map with name and template or messages");
        check_keys(document, {"name", "description", "template", "messages", "tags"});
        Prompt prompt;
        const YamlNode* name = document.find("name");
        if (name == nullptr) fail(document, "a name");
        prompt.name = text_of(*name, "name");
        check_plain_name(fmt::format("{}:{}:{}: name", place_, name->line, name->column), prompt.name);
        if (const YamlNode* description = document.find("description")) prompt.description = text_of(*description, "description");
        const YamlNode *plain = document.find("template"), *messages = document.find("messages");
        if ((plain == nullptr) == (messages == nullptr)) fail(document, "either template or messages");
        if (plain != nullptr) prompt.body = text_of(*plain, "template");
        else prompt.body = turns(*messages);
        if (const YamlNode* tags = document.find("tags")) {
            if (tags->kind != YamlNode::Kind::map) fail(*tags, "tags as a map of texts");
            for (std::size_t i = 0; i < tags->keys.size(); ++i)
                prompt.tags[tags->keys[i].text] = text_of(tags->values[i], "tags." + tags->keys[i].text);
        }
        return prompt;
    }

  private:
    [[noreturn]] void fail(const YamlNode& node, const std::string& expected) const {
        throw_error(ExitCode::usage, "{}:{}:{}: expected {}, found {}", place_, std::max(node.line, 1), std::max(node.column, 1), expected,
                    node.describe());
    }

    std::string text_of(const YamlNode& node, const std::string& key) const {
        if (node.kind != YamlNode::Kind::scalar || node.text.empty()) fail(node, key + " as text that is not empty");
        return node.text;
    }

    void check_keys(const YamlNode& map, const std::vector<std::string>& known) const {
        for (const YamlNode& key : map.keys) {
            if (std::find(known.begin(), known.end(), key.text) != known.end()) continue;
            const std::string nearest = nearest_name(key.text, known);
            throw_error(ExitCode::usage, "{}:{}:{}: unknown key \"{}\"; {}", place_, key.line, key.column, key.text,
                        nearest.empty() ? fmt::format("known are {}", fmt::join(known, ", ")) : "did you mean " + nearest + "?");
        }
    }

    Json turns(const YamlNode& list) const {
        if (list.kind != YamlNode::Kind::sequence || list.values.empty()) fail(list, "messages as a list of {role, content}");
        Json messages = Json::array();
        for (const YamlNode& turn : list.values) {
            if (turn.kind != YamlNode::Kind::map || turn.find("role") == nullptr || turn.find("content") == nullptr)
                fail(turn, "a message with role and content");
            check_keys(turn, {"role", "content"});
            messages.push_back({{"role", text_of(*turn.find("role"), "role")}, {"content", text_of(*turn.find("content"), "content")}});
        }
        return messages;
    }

    std::string place_;
};

void collect_variables(const std::string& text, std::set<std::string>& names) {
    for (std::size_t at = text.find("{{"); at != std::string::npos; at = text.find("{{", at + 2)) {
        const std::size_t begin = text.find_first_not_of(" \t\n-", at + 2);
        if (begin == std::string::npos) return;
        const std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", begin);
        if (end != begin && end != std::string::npos) names.insert(text.substr(begin, end - begin));
    }
}

// Every turn of a body as lines, for a person.
std::vector<std::string> lines_of(const Prompt& prompt) {
    std::vector<std::string> lines;
    const auto add = [&](const std::string& text) {
        for (std::size_t begin = 0; begin <= text.size();) {
            const std::size_t end = std::min(text.find('\n', begin), text.size());
            lines.push_back(text.substr(begin, end - begin));
            begin = end + 1;
        }
    };
    if (!prompt.chat()) add(prompt.body.get<std::string>());
    else
        for (const Json& turn : prompt.body) {
            lines.push_back("[" + turn.at("role").get<std::string>() + "]");
            add(turn.at("content").get<std::string>());
        }
    return lines;
}

}  // namespace

std::string Prompt::sha256() const { return sha256_hex(chat() ? json_text(body) : body.get<std::string>()); }

std::vector<std::string> Prompt::variables() const {
    std::set<std::string> names;
    if (!chat()) collect_variables(body.get<std::string>(), names);
    else
        for (const Json& turn : body) collect_variables(turn.at("content").get<std::string>(), names);
    return {names.begin(), names.end()};
}

std::string Prompt::yaml() const {
    Json document{{"name", name}};
    if (!description.empty()) document["description"] = description;
    document[chat() ? "messages" : "template"] = body;
    if (!tags.empty()) document["tags"] = tags;
    return to_yaml(document);
}

Json Prompt::to_json() const {
    return Json{{"name", name},
                {"version", version},
                {"sha256", sha256()},
                {"created_at", created_at},
                {"description", description},
                {"kind", chat() ? "chat" : "text"},
                {"body", body},
                {"variables", variables()},
                {"tags", tags}};
}

Prompt Prompt::from_json(const Json& json, const std::string& place) {
    const auto text = [&](const char* name) {
        if (!json.contains(name) || !json[name].is_string())
            throw_error(ExitCode::bad_data, "{}: no text \"{}\" in it, expected a prompt as temper prompts writes it", place, name);
        return json[name].get<std::string>();
    };
    Prompt prompt;
    prompt.name = text("name");
    prompt.description = text("description");
    prompt.created_at = text("created_at");
    const Json version = json.value("version", Json()), tags = json.value("tags", Json::object());
    if (!version.is_number_integer() || !tags.is_object())
        throw_error(ExitCode::bad_data, "{}: no number \"version\" or no object \"tags\" in it, expected a prompt as temper prompts writes it",
                    place);
    prompt.version = version.get<std::int64_t>();
    for (const auto& [name, value] : tags.items())
        if (value.is_string()) prompt.tags[name] = value.get<std::string>();
    prompt.body = json.value("body", Json());
    const auto is_turn = [](const Json& turn) {
        return turn.is_object() && turn.value("role", Json()).is_string() && turn.value("content", Json()).is_string();
    };
    if (!prompt.body.is_string() && !(prompt.body.is_array() && std::all_of(prompt.body.begin(), prompt.body.end(), is_turn)))
        throw_error(ExitCode::bad_data, "{}: its body is neither a text nor a list of turns", place);
    if (prompt.sha256() != text("sha256"))
        throw_error(ExitCode::bad_data, "{}: SHA-256 of its body is {}, expected {}: it was changed after it was registered", place, prompt.sha256(),
                    text("sha256"));
    return prompt;
}

Prompt read_prompt(const fs::path& file) { return PromptReader(file.string()).read(read_file(file, std::size_t(1) << 20)); }

std::vector<std::string> PromptRegistry::names() const { return stores_under(folder_); }

VersionStore PromptRegistry::store(const std::string& name) const {
    check_plain_name("prompt", name);
    return VersionStore(folder_ / name);
}

VersionStore PromptRegistry::existing(const std::string& name) const {
    const VersionStore found = store(name);
    if (found.exists()) return found;
    const std::string nearest = nearest_name(name, names());
    throw_error(ExitCode::missing_input, "prompts {}: no prompt {}{}", folder_.string(), name,
                nearest.empty() ? "; temper prompts list shows what is there" : "; did you mean " + nearest + "?");
}

Prompt PromptRegistry::version(const std::string& name, std::int64_t number) const {
    return Prompt::from_json(existing(name).version(number), fmt::format("{}/{}, version {}", folder_.string(), name, number));
}

Prompt PromptRegistry::resolve(const std::string& reference) const {
    const std::size_t mark = std::min(reference.find_first_of("@:#"), reference.size());
    const std::string name = reference.substr(0, mark), what = mark < reference.size() ? reference.substr(mark + 1) : "";
    const VersionStore found = existing(name);
    const std::vector<std::int64_t> versions = found.versions();
    if (mark == reference.size() && !versions.empty()) return version(name, versions.back());
    if (reference[mark] == '@') {
        if (const auto pointer = found.alias(what)) return version(name, pointer->at("version").get<std::int64_t>());
        const std::vector<std::string> aliases = found.aliases();
        throw_error(ExitCode::missing_input, "prompts: {} has no alias {}; its aliases are: {}", name, what,
                    aliases.empty() ? "none" : fmt::format("{}", fmt::join(aliases, ", ")));
    }
    if (reference[mark] == ':') {
        if (what.empty() || what.size() > 9 || what.find_first_not_of("0123456789") != std::string::npos)
            throw_error(ExitCode::usage, "prompts: found \"{}\", expected NAME@ALIAS, NAME:VERSION or NAME#SHA256", reference);
        return version(name, std::stoll(what));
    }
    std::vector<Prompt> fitting;
    for (const std::int64_t number : versions)
        if (Prompt one = version(name, number); what.size() >= 6 && one.sha256().starts_with(what)) fitting.push_back(std::move(one));
    if (fitting.size() == 1) return fitting[0];
    throw_error(ExitCode::missing_input, "prompts: {} versions of {} have a SHA-256 that begins with \"{}\", expected one, by at least 6 characters",
                fitting.size(), name, what);
}

Prompt PromptRegistry::add(Prompt prompt) const {
    const VersionStore target = store(prompt.name);
    const VersionStore::Writer writer(target);
    for (const std::int64_t number : target.versions())
        if (Prompt known = version(prompt.name, number); known.sha256() == prompt.sha256()) return known;
    prompt.created_at = utc_now();
    prompt.version = writer.add(prompt.to_json());
    return prompt;
}

Prompt PromptRegistry::point(const std::string& name, const std::string& alias, std::int64_t number) const {
    const VersionStore target = existing(name);
    const VersionStore::Writer writer(target);
    Prompt prompt = version(name, number);
    if (const auto current = target.alias(alias); !current || current->at("version") != number)
        writer.move(alias, Json{{"name", name}, {"version", number}, {"sha256", prompt.sha256()}}, "alias");
    return prompt;
}

std::optional<Prompt> referenced_text(const std::string& setting) {
    if (!setting.starts_with("alias:")) return std::nullopt;
    Prompt prompt = PromptRegistry(default_prompts_dir()).resolve(setting.substr(6));
    if (prompt.chat()) throw_error(ExitCode::usage, "{}: version {} is a prompt of turns, expected a template", setting, prompt.version);
    return prompt;
}

std::string prompt_diff(const Prompt& a, const Prompt& b) {
    if (a.body == b.body) return "";
    const std::vector<std::string> left = lines_of(a), right = lines_of(b);
    // Of longer ones the table of common lines would not fit; no person reads their difference either.
    if (left.size() * right.size() > 25'000'000) return fmt::format("- {} lines\n+ {} lines\n", left.size(), right.size());
    // common[i][j]: the lines that what follows i and j has in common, in order.
    std::vector<std::vector<int>> common(left.size() + 1, std::vector<int>(right.size() + 1));
    for (std::size_t i = left.size(); i-- > 0;)
        for (std::size_t j = right.size(); j-- > 0;)
            common[i][j] = left[i] == right[j] ? common[i + 1][j + 1] + 1 : std::max(common[i + 1][j], common[i][j + 1]);
    std::string text;
    std::size_t i = 0, j = 0;
    while (i < left.size() || j < right.size()) {
        if (i < left.size() && j < right.size() && left[i] == right[j]) text += "  " + left[i++] + "\n", ++j;
        else if (j == right.size() || (i < left.size() && common[i + 1][j] >= common[i][j + 1])) text += "- " + left[i++] + "\n";
        else text += "+ " + right[j++] + "\n";
    }
    return text;
}

}  // namespace temper
