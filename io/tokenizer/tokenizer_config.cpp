#include "io/tokenizer/tokenizer_config.h"

#include <algorithm>
#include <array>

#include "io/durable.h"
#include "io/json_section.h"
#include "kernels/error.h"

namespace temper::tok {

namespace {

constexpr std::array<const char*, 7> named_kinds = {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

bool is_named_kind(const std::string& key) { return std::find(named_kinds.begin(), named_kinds.end(), key) != named_kinds.end(); }

// A special token as a string or as an object with flags.
AddedToken read_special(const JsonSection& section, const std::string& key, const Json& value) {
    AddedToken token;
    token.normalized = true;
    if (value.is_string()) {
        token.content = value.get<std::string>();
    } else if (value.is_object()) {
        token = read_added_token(JsonSection(value, section.place() + "." + key));
    } else {
        section.refuse(key, std::string("expected a token, found ") + value.type_name());
    }
    token.special = true;
    return token;
}

void read_named(TokenizerConfig& config, const JsonSection& section, bool replace) {
    for (const auto& [key, value] : section.json().items()) {
        const bool extra = !is_named_kind(key) && key.size() > 6 && key.compare(key.size() - 6, 6, "_token") == 0 && value.is_string();
        if (value.is_null() || !(is_named_kind(key) || extra)) continue;
        if (replace || !config.named.count(key)) config.named[key] = read_special(section, key, value);
    }
}

void read_listed(TokenizerConfig& config, const JsonSection& section) {
    const char* key = section.find("extra_special_tokens") ? "extra_special_tokens" : "additional_special_tokens";
    const Json* list = section.find(key);
    if (!list) return;
    if (list->is_array()) {
        for (const Json& value : *list) config.listed.push_back(read_special(section, key, value));
    } else if (list->is_object()) {
        for (const auto& [name, value] : list->items()) config.named[name] = read_special(section, name, value);
    } else {
        section.refuse(key, "expected an array or an object");
    }
}

void read_decoder(TokenizerConfig& config, const JsonSection& section) {
    if (!section.find("added_tokens_decoder")) return;
    const JsonSection decoder = section.child("added_tokens_decoder");
    std::map<long, AddedToken> by_id;
    for (const auto& [id, token] : decoder.json().items()) {
        if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos) decoder.refuse(id, "expected an id");
        by_id[std::stol(id)] = read_added_token(decoder.child(id));
    }
    for (const auto& [id, token] : by_id) config.decoder.push_back(token);
}

// A template, or several by name.
void read_templates(TokenizerConfig& config, const JsonSection& section) {
    const Json* found = section.find("chat_template");
    if (!found) return;
    if (found->is_string()) {
        config.chat_template = found->get<std::string>();
    } else if (found->is_object()) {
        config.chat_template = section.child("chat_template").text_if("default");
        config.tool_template = section.child("chat_template").text_if("tool_use");
    } else {
        for (const JsonSection& entry : section.children("chat_template")) {
            if (entry.text("name") == "default") config.chat_template = entry.text("template");
            if (entry.text("name") == "tool_use") config.tool_template = entry.text("template");
        }
    }
}

// As Python reads a text file: CRLF and CR are newlines.
std::string read_text(const std::filesystem::path& path) {
    const std::string bytes = read_file(path, std::size_t(16) << 20);
    if (const std::size_t bad = find_invalid_utf8(bytes); bad != std::string_view::npos)
        throw_error(ExitCode::bad_data, "{}: byte {} is not valid UTF-8", path.string(), bad);
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (bytes[i] != '\r') text.push_back(bytes[i]);
        else if (i + 1 == bytes.size() || bytes[i + 1] != '\n') text.push_back('\n');
    }
    return text;
}

}  // namespace

TokenizerConfig TokenizerConfig::from_document(Json document, const std::string& place) {
    TokenizerConfig config;
    config.document = std::move(document);
    const JsonSection section(config.document, place);
    read_named(config, section, true);
    read_listed(config, section);
    read_decoder(config, section);
    read_templates(config, section);
    return config;
}

TokenizerConfig TokenizerConfig::read(const std::filesystem::path& directory) {
    const auto read_document = [](const std::filesystem::path& path) {
        const JsonLimits limits{std::size_t(64) << 20, 64};
        return parse_json(read_file(path, limits.max_bytes), path.string(), limits);
    };
    const std::filesystem::path path = directory / "tokenizer_config.json", map = directory / "special_tokens_map.json";
    TokenizerConfig config;
    if (std::filesystem::exists(path)) config = from_document(read_document(path), path.string());
    if (std::filesystem::exists(map)) {
        const Json special = read_document(map);
        // The map wins over a configuration of the old kind; over a new one it only fills gaps.
        read_named(config, JsonSection(special, map.string()), config.decoder.empty());
    }
    // Where there are files of templates, those of tokenizer_config.json count no more.
    const std::filesystem::path jinja = directory / "chat_template.jinja", tools = directory / "additional_chat_templates" / "tool_use.jinja";
    if (std::filesystem::exists(jinja) || std::filesystem::exists(tools)) {
        config.chat_template.reset();
        config.tool_template.reset();
    }
    if (std::filesystem::exists(jinja)) config.chat_template = read_text(jinja);
    if (std::filesystem::exists(tools)) config.tool_template = read_text(tools);
    return config;
}

std::string TokenizerConfig::name_of(const std::string& kind) const {
    const auto found = named.find(kind);
    return found == named.end() ? std::string() : found->second.content;
}

std::vector<AddedToken> TokenizerConfig::additions(const AddedTokens& known) const {
    std::vector<AddedToken> added;
    const auto is_named = [&](const std::string& content) {
        return std::any_of(named.begin(), named.end(), [&](const auto& entry) { return entry.second.content == content; });
    };
    for (AddedToken token : decoder) {
        token.special = token.special || is_named(token.content);
        added.push_back(token);
    }
    const auto add_unknown = [&](const AddedToken& token) {
        const bool listed_already = std::any_of(added.begin(), added.end(), [&](const AddedToken& other) { return other.content == token.content; });
        if (!listed_already && !known.find(token.content)) added.push_back(token);
    };
    for (const char* kind : named_kinds)
        if (const auto found = named.find(kind); found != named.end()) add_unknown(found->second);
    for (const auto& [kind, token] : named) add_unknown(token);
    for (const AddedToken& token : listed) add_unknown(token);
    return added;
}

std::string TokenizerConfig::to_json() const {
    Json written = document;
    for (const auto& [kind, token] : named)
        if (!written.contains(kind) && is_named_kind(kind)) written[kind] = token.content;
    if (tool_template) {
        written["chat_template"] = Json::array();
        if (chat_template) written["chat_template"].push_back({{"name", "default"}, {"template", *chat_template}});
        written["chat_template"].push_back({{"name", "tool_use"}, {"template", *tool_template}});
    } else if (chat_template) {
        written["chat_template"] = *chat_template;
    }
    return written.dump(2) + "\n";
}

}  // namespace temper::tok
