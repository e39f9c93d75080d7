#include "io/tokenizer/gguf_vocabulary.h"

#include <algorithm>
#include <unordered_map>

#include "io/jsonl.h"
#include "io/tokenizer/gguf_tokenizer.h"
#include "kernels/error.h"

namespace temper {

namespace {

// tokenizer.ggml.token_type
constexpr std::int32_t type_normal = 1, type_unknown = 2, type_control = 3, type_user_defined = 4, type_unused = 5, type_byte = 6;

struct Source {
    const Tokenizer& tokenizer;
    Json document;      // tokenizer.json
    Json config;        // tokenizer_config.json
    std::string place;  // opens messages

    [[noreturn]] void refuse(const std::string& problem) const {
        throw_error(ExitCode::bad_data, "{}: the tokenizer cannot be written as GGUF: {}; write a Hugging Face directory instead", place, problem);
    }
};

// The parts of a normalizer or pre-tokenizer that change ids, sequences laid flat.
void flatten(const Json& part, Json& flat) {
    if (part.is_null()) return;
    const std::string type = part.value("type", "");
    if (type == "Sequence") {
        for (const char* list : {"pretokenizers", "normalizers"})
            if (part.contains(list))
                for (const Json& inner : part.at(list)) flatten(inner, flat);
        return;
    }
    Json kept = {{"type", type}};
    if (type == "ByteLevel") kept["add_prefix_space"] = part.value("add_prefix_space", true), kept["use_regex"] = part.value("use_regex", true);
    else if (type == "Split")
        kept["pattern"] = part.at("pattern"), kept["behavior"] = part.at("behavior"), kept["invert"] = part.value("invert", false);
    else
        for (const auto& [key, value] : part.items()) kept[key] = value;
    flat.push_back(std::move(kept));
}

Json words_in(const Json& document) {
    Json words = {{"normalizer", Json::array()}, {"pre_tokenizer", Json::array()}, {"ignore_merges", false}};
    for (const char* part : {"normalizer", "pre_tokenizer"})
        if (document.contains(part)) flatten(document.at(part), words[part]);
    if (document.contains("model")) words["ignore_merges"] = document.at("model").value("ignore_merges", false);
    return words;
}

// llama.cpp's name for how the text is cut into words.
std::string pre_of(const Source& source) {
    const Json wanted = words_in(source.document);
    for (const char* name : {"gpt-2", "smollm", "llama-bpe", "qwen2"}) {
        Json document = {{"normalizer", nullptr}, {"pre_tokenizer", nullptr}, {"model", {{"ignore_merges", false}}}};
        if (tok::words_of(name, document) && words_in(document) == wanted) return name;
    }
    source.refuse("llama.cpp has no name that is known here for its normalizer and pre_tokenizer");
}

struct Pair {
    std::string left, right;
};
// tokenizer.json has merges as "a b" or as ["a", "b"].
std::vector<Pair> merges_of(const Source& source) {
    std::vector<Pair> merges;
    for (const Json& merge : source.document.at("model").at("merges")) {
        if (merge.is_array()) {
            merges.push_back({merge.at(0).get<std::string>(), merge.at(1).get<std::string>()});
            continue;
        }
        const std::string text = merge.get<std::string>();
        const std::size_t space = text.find(' ');
        merges.push_back({text.substr(0, space), text.substr(space + 1)});
    }
    return merges;
}

struct Vocabulary {
    std::vector<std::string> tokens;
    std::vector<std::int32_t> types;
};

Vocabulary vocabulary_of(const Source& source, std::int64_t size, bool byte_fallback) {
    const Tokenizer& tokenizer = source.tokenizer;
    if (tokenizer.vocabulary_size() > size)
        source.refuse(fmt::format("it has {} tokens, the model {} rows of embeddings", tokenizer.vocabulary_size(), size));
    std::unordered_map<std::string, bool> added;  // content -> special
    if (source.document.contains("added_tokens"))
        for (const Json& token : source.document.at("added_tokens")) added[token.at("content").get<std::string>()] = token.value("special", false);
    const Json& unknown = source.document.at("model").value("unk_token", Json());
    Vocabulary vocabulary;
    for (std::int64_t i = 0; i < size; ++i) {
        const auto id = static_cast<std::int32_t>(i);
        std::string token = i < tokenizer.vocabulary_size() ? tokenizer.token_of(id) : std::string();
        std::int32_t type = type_normal;
        if (token.empty()) token = fmt::format("[PAD{}]", id), type = type_unused;
        else if (byte_fallback && unknown == token) type = type_unknown;
        else if (tokenizer.is_special(id)) type = type_control;
        else if (added.contains(token)) type = type_user_defined;
        else if (byte_fallback && token.size() == 6 && token.starts_with("<0x") && token.back() == '>') type = type_byte;
        vocabulary.tokens.push_back(std::move(token));
        vocabulary.types.push_back(type);
    }
    return vocabulary;
}

// SentencePiece knows scores, not merges: the token that is merged first has the best.
std::vector<float> scores_of(const std::vector<Pair>& merges, const Vocabulary& vocabulary) {
    std::unordered_map<std::string, std::size_t> rank;
    for (const Pair& merge : merges) rank.emplace(merge.left + merge.right, rank.size());
    std::vector<float> scores;
    for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
        const auto found = rank.find(vocabulary.tokens[id]);
        if (found != rank.end()) scores.push_back(-static_cast<float>(found->second));
        else scores.push_back(vocabulary.types[id] == type_normal ? -static_cast<float>(rank.size() + id) : 0.0f);
    }
    return scores;
}

// SentencePiece puts a mark before the first word, by a normalizer in old files and by the pre-tokenizer in new ones.
bool adds_space_prefix(const Source& source) {
    const Json words = words_in(source.document);
    for (const Json& step : words["normalizer"])
        if (step["type"] == "Prepend") return true;
    for (const Json& step : words["pre_tokenizer"])
        if (step["type"] == "Metaspace") return step.value("prepend_scheme", "always") != "never";
    return false;
}

void add_special_ids(GgufMetadata& metadata, const Source& source, const std::vector<std::int32_t>& end_ids) {
    const Tokenizer& tokenizer = source.tokenizer;
    const auto id_key = [](const char* kind) { return fmt::format("tokenizer.ggml.{}_token_id", kind); };
    if (const auto bos = tokenizer.bos_id()) metadata.emplace_back(id_key("bos"), static_cast<std::uint32_t>(*bos));
    // The tokenizer's own end token first, the model's others under the names that readers stop at as well.
    std::vector<std::int32_t> ends;
    if (const auto eos = tokenizer.eos_id()) ends.push_back(*eos);
    for (const std::int32_t id : end_ids)
        if (std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
    constexpr const char* kinds[] = {"eos", "eot", "eom"};
    if (ends.size() > std::size(kinds))
        source.refuse(fmt::format("the model has {} end tokens, GGUF has names for {}", ends.size(), std::size(kinds)));
    for (std::size_t i = 0; i < ends.size(); ++i) metadata.emplace_back(id_key(kinds[i]), static_cast<std::uint32_t>(ends[i]));
    for (const auto& [kind, name] : {std::pair("unknown", "unk_token"), std::pair("padding", "pad_token")}) {
        if (!source.config.contains(name)) continue;
        const Json& token = source.config.at(name);
        const std::string content = token.is_object() ? token.value("content", "") : token.is_string() ? token.get<std::string>() : "";
        if (const auto id = tokenizer.id_of(content); id && !content.empty()) metadata.emplace_back(id_key(kind), static_cast<std::uint32_t>(*id));
    }
    const std::vector<std::int32_t> around = tokenizer.encode("", true);
    const bool begins = !around.empty() && around.front() == tokenizer.bos_id(), ends_so = around.size() > (begins ? 1u : 0u);
    if (around.size() > (begins ? 1u : 0u) + (ends_so ? 1u : 0u) || (ends_so && around.back() != tokenizer.eos_id()))
        source.refuse("it puts other tokens around a text than its bos_token and eos_token");
    metadata.emplace_back("tokenizer.ggml.add_bos_token", begins);
    metadata.emplace_back("tokenizer.ggml.add_eos_token", ends_so);
}

}  // namespace

void add_vocabulary(GgufMetadata& metadata, const Tokenizer& tokenizer, std::int64_t vocabulary_size, const std::vector<std::int32_t>& end_ids,
                    const std::string& place) {
    const JsonLimits limits{std::size_t(512) << 20, 64};
    Source source{tokenizer, parse_json(tokenizer.to_tokenizer_json(), place, limits),
                  parse_json(tokenizer.to_tokenizer_config_json(), place, limits), place};
    const Json& model = source.document.at("model");
    if (model.value("type", "") != "BPE" || !model.contains("merges"))
        source.refuse(fmt::format("its model is {}, expected BPE", model.value("type", "absent")));
    const bool byte_fallback = model.value("byte_fallback", false);
    Vocabulary vocabulary = vocabulary_of(source, vocabulary_size, byte_fallback);
    const std::vector<Pair> merges = merges_of(source);
    metadata.emplace_back("tokenizer.ggml.model", std::string(byte_fallback ? "llama" : "gpt2"));
    metadata.emplace_back("tokenizer.ggml.pre", byte_fallback ? std::string("default") : pre_of(source));
    if (byte_fallback) {
        metadata.emplace_back("tokenizer.ggml.scores", scores_of(merges, vocabulary));
        metadata.emplace_back("tokenizer.ggml.add_space_prefix", adds_space_prefix(source));
    } else {
        std::vector<std::string> lines;
        for (const Pair& merge : merges) {
            if ((merge.left + merge.right).find(' ') != std::string::npos) source.refuse("a merge holds a space");
            lines.push_back(merge.left + " " + merge.right);
        }
        metadata.emplace_back("tokenizer.ggml.merges", std::move(lines));
    }
    metadata.emplace_back("tokenizer.ggml.tokens", std::move(vocabulary.tokens));
    metadata.emplace_back("tokenizer.ggml.token_type", std::move(vocabulary.types));
    add_special_ids(metadata, source, end_ids);
    if (tokenizer.chat_template()) metadata.emplace_back("tokenizer.chat_template", *tokenizer.chat_template());
}

void require_same_tokens(const Tokenizer& written, const Tokenizer& original, const std::string& place) {
    for (std::int32_t id = 0; id < original.vocabulary_size(); ++id) {
        const std::string token = original.token_of(id);
        if (token.empty()) continue;
        if (written.token_of(id) != token)
            throw_error(ExitCode::bad_data, "{}: token {} would be \"{}\", expected \"{}\"", place, id, written.token_of(id), token);
    }
    static const char* const texts[] = {
        "The quick brown fox's 3 dogs can't jump; WE'LL see 12345 67 8.", "  leading and   inner    spaces \t\ttabs\n\n\nlines\r\n end  ",
        "\xc3\x84pfel \xe2\x82\xac\x35 na\xc3\xafve \xd0\x9c\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0 \xe6\x9d\xb1\xe4\xba\xac "
        "\xf0\x9f\x98\x80\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa e\xcc\x81",
        "def f(x):\n    return {\"a\": [x**2, -1.5e-3]}  # \xc2\xb5\n", "https://example.org/a_b?c=d&e=%20#f @user $100 ~50%"};
    for (const char* text : texts)
        if (written.encode(text, true) != original.encode(text, true))
            throw_error(ExitCode::bad_data,
                        "{}: the tokenizer cannot be written as GGUF: \"{}\" would be cut into other tokens; write a Hugging Face "
                        "directory instead",
                        place, text);
    if (written.bos_id() != original.bos_id() || written.eos_id() != original.eos_id())
        throw_error(ExitCode::bad_data, "{}: the first or the end token would be another", place);
}

}  // namespace temper
