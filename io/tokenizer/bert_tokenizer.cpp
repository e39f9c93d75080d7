#include "io/tokenizer/bert_tokenizer.h"

#include <unordered_map>

#include "io/durable.h"
#include "io/json_section.h"
#include "kernels/error.h"

namespace temper::tok {

Json bert_document(const std::vector<std::string>& tokens, const BertSettings& settings, const std::string& place) {
    Json vocabulary = Json::object();
    auto& members = static_cast<Json::object_t::Container&>(vocabulary.get_ref<Json::object_t&>());
    std::unordered_map<std::string_view, std::size_t> ids;
    for (std::size_t id = 0; id < tokens.size(); ++id) {
        const auto [other, is_new] = ids.emplace(tokens[id], id);
        if (!is_new) throw_error(ExitCode::bad_data, "{}: token {} is \"{}\", as token {} is", place, id, tokens[id], other->second);
        members.emplace_back(tokens[id], Json(id));
    }
    const auto id_of = [&](const std::string& token) {
        const auto found = ids.find(token);
        if (found == ids.end()) throw_error(ExitCode::bad_data, "{}: no token \"{}\", which a BERT tokenizer needs", place, token);
        return found->second;
    };
    Json added = Json::array();
    for (const std::string& token : {settings.padding, settings.unknown, settings.start, settings.separator, settings.mask}) {
        if (!ids.count(token) && (token == settings.padding || token == settings.mask)) continue;
        added.push_back({{"id", id_of(token)},
                         {"content", token},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", true}});
    }
    const auto special = [&](const std::string& token) {
        return Json{{"id", token}, {"ids", Json::array({id_of(token)})}, {"tokens", Json::array({token})}};
    };
    const auto piece = [](const char* kind, const std::string& id, int type) { return Json{{kind, {{"id", id}, {"type_id", type}}}}; };
    const std::string &start = settings.start, &separator = settings.separator;
    Json single = Json::array({piece("SpecialToken", start, 0), piece("Sequence", "A", 0), piece("SpecialToken", separator, 0)}), pair = single;
    pair.push_back(piece("Sequence", "B", 1));
    pair.push_back(piece("SpecialToken", separator, 1));
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", added},
            {"normalizer",
             {{"type", "BertNormalizer"},
              {"clean_text", true},
              {"handle_chinese_chars", settings.chinese},
              {"strip_accents", settings.strip_accents},
              {"lowercase", settings.lowercase}}},
            {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
            {"post_processor",
             {{"type", "TemplateProcessing"},
              {"single", single},
              {"pair", pair},
              {"special_tokens", {{start, special(start)}, {separator, special(separator)}}}}},
            {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
            {"model",
             {{"type", "WordPiece"},
              {"unk_token", settings.unknown},
              {"continuing_subword_prefix", "##"},
              {"max_input_chars_per_word", 100},
              {"vocab", std::move(vocabulary)}}}};
}

Json bert_document(const std::filesystem::path& vocabulary, const TokenizerConfig& config) {
    const std::string text = read_file(vocabulary, std::size_t(64) << 20);
    if (const std::size_t bad = find_invalid_utf8(text); bad != std::string::npos)
        throw_error(ExitCode::bad_data, "{}: byte {} is not valid UTF-8", vocabulary.string(), bad);
    std::vector<std::string> tokens;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        std::string token = text.substr(at, end - at);
        if (!token.empty() && token.back() == '\r') token.pop_back();
        tokens.push_back(std::move(token));
        at = end + 1;
    }
    const JsonSection section(config.document, "tokenizer_config.json");
    BertSettings settings;
    settings.lowercase = section.boolean("do_lower_case", true);
    settings.chinese = section.boolean("tokenize_chinese_chars", true);
    if (section.find("strip_accents")) settings.strip_accents = section.boolean("strip_accents");
    const auto take = [&](std::string& token, const char* kind) {
        if (const std::string name = config.name_of(kind); !name.empty()) token = name;
    };
    take(settings.unknown, "unk_token");
    take(settings.separator, "sep_token");
    take(settings.padding, "pad_token");
    take(settings.start, "cls_token");
    take(settings.mask, "mask_token");
    return bert_document(tokens, settings, vocabulary.string());
}

}  // namespace temper::tok
