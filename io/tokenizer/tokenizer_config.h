// What stands beside tokenizer.json: tokenizer_config.json, special_tokens_map.json and chat_template.jinja, read as transformers does.
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "io/tokenizer/added_tokens.h"

namespace temper::tok {

struct TokenizerConfig {
    Json document = Json::object();                           // tokenizer_config.json
    std::map<std::string, AddedToken> named;                  // "bos_token" -> ...; flags count only for tokens that tokenizer.json lacks
    std::vector<AddedToken> listed;                           // extra_special_tokens
    std::vector<AddedToken> decoder;                          // added_tokens_decoder, by id
    std::optional<std::string> chat_template, tool_template;  // of the several that a model may have: "default" and "tool_use"

    // Absent files are well: a tokenizer without special tokens and template.
    static TokenizerConfig read(const std::filesystem::path& directory);
    static TokenizerConfig from_document(Json document, const std::string& place);
    std::string name_of(const std::string& kind) const;  // content of a named token, empty where there is none
    // The tokens to add to those of tokenizer.json.
    std::vector<AddedToken> additions(const AddedTokens& known) const;
    std::string to_json() const;  // tokenizer_config.json with all of the above in it
};

}  // namespace temper::tok
