#include "io/tokenizer/gguf_tokenizer.h"

#include <algorithm>
#include <tuple>
#include <unordered_map>

#include "io/unicode.h"
#include "kernels/error.h"

namespace temper::tok {

namespace {

GgufVocabulary read_vocabulary(const GgufFile& file) {
    GgufVocabulary vocabulary;
    vocabulary.tokens = file.texts("tokenizer.ggml.tokens");
    vocabulary.types = file.integers("tokenizer.ggml.token_type");
    if (vocabulary.tokens.empty()) refuse_key(file, "ggml.tokens", "absent or empty");
    if (vocabulary.types.empty()) vocabulary.types.assign(vocabulary.tokens.size(), type_normal);
    if (vocabulary.types.size() != vocabulary.tokens.size())
        refuse_key(file, "ggml.token_type", fmt::format("{} types for {} tokens", vocabulary.types.size(), vocabulary.tokens.size()));
    for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
        const std::string& token = vocabulary.tokens[id];
        // Finding a token's merges takes time by the square of its length.
        if (token.size() > 4096)
            refuse_key(file, fmt::format("ggml.tokens[{}]", id), fmt::format("{} bytes long, at most 4096 are read", token.size()));
        if (find_invalid_utf8(token) != std::string::npos) refuse_key(file, fmt::format("ggml.tokens[{}]", id), "not valid UTF-8");
        const auto [other, is_new] = vocabulary.ids.emplace(token, id);
        if (!is_new) refuse_key(file, fmt::format("ggml.tokens[{}]", id), fmt::format("\"{}\", as token {} already", token, other->second));
    }
    return vocabulary;
}

}  // namespace

void refuse_key(const GgufFile& file, const std::string& key, const std::string& problem) {
    throw_error(ExitCode::bad_data, "{}: tokenizer.{}: {}", file.describe(), key, problem);
}

std::vector<float> gguf_scores(const GgufFile& file, const GgufVocabulary& vocabulary) {
    const std::vector<float> scores = file.numbers("tokenizer.ggml.scores");
    if (scores.size() != vocabulary.tokens.size())
        refuse_key(file, "ggml.scores", fmt::format("{} scores for {} tokens", scores.size(), vocabulary.tokens.size()));
    return scores;
}

std::int64_t special_id(const GgufFile& file, const GgufVocabulary& vocabulary, const std::string& kind) {
    const std::string key = "ggml." + kind + "_token_id";
    std::int64_t id = file.integer("tokenizer." + key).value_or(-1);
    if (id == 0xffffffff) id = -1;  // "none" in an unsigned field
    if (id >= static_cast<std::int64_t>(vocabulary.tokens.size()))
        refuse_key(file, key, fmt::format("{}, in a vocabulary of {} tokens", id, vocabulary.tokens.size()));
    return std::max<std::int64_t>(id, -1);
}

namespace {

Json added_tokens(const GgufFile& file, const GgufVocabulary& vocabulary) {
    const std::int64_t bos = special_id(file, vocabulary, "bos"), eos = special_id(file, vocabulary, "eos");
    Json added = Json::array();
    for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
        const auto signed_id = static_cast<std::int64_t>(id);
        const std::int32_t type = vocabulary.types[id];
        const bool special = type == type_control || type == type_unknown || signed_id == bos || signed_id == eos;
        if (!special && type != type_user_defined) continue;
        added.push_back({{"id", id},
                         {"content", vocabulary.tokens[id]},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", special}});
    }
    return added;
}

Json vocabulary_object(const GgufVocabulary& vocabulary) {
    Json object = Json::object();
    auto& members = object.get_ref<Json::object_t&>();
    members.reserve(vocabulary.tokens.size());
    // Straight to the vector below: an ordered object looks through all keys for each that is added.
    for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id)
        static_cast<Json::object_t::Container&>(members).emplace_back(vocabulary.tokens[id], Json(id));
    return object;
}

}  // namespace

Json post_processor(const GgufFile& file, const GgufVocabulary& vocabulary, bool adds_bos, bool adds_eos, const std::string& otherwise) {
    const bool bos = file.boolean("tokenizer.ggml.add_bos_token").value_or(adds_bos),
               eos = file.boolean("tokenizer.ggml.add_eos_token").value_or(adds_eos);
    if (!bos && !eos)
        return otherwise.empty() ? Json() : Json({{"type", otherwise}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", true}});
    Json single = Json::array(), tokens = Json::object();
    const auto add = [&](const std::string& kind) {
        const std::int64_t id = special_id(file, vocabulary, kind);
        if (id < 0) refuse_key(file, "ggml.add_" + kind + "_token", "true, but there is no " + kind + "_token_id");
        const std::string& token = vocabulary.tokens[static_cast<std::size_t>(id)];
        single.push_back({{"SpecialToken", {{"id", token}, {"type_id", 0}}}});
        tokens[token] = {{"id", token}, {"ids", Json::array({id})}, {"tokens", Json::array({token})}};
    };
    if (bos) add("bos");
    single.push_back({{"Sequence", {{"id", "A"}, {"type_id", 0}}}});
    if (eos) add("eos");
    Json pair = single;
    for (const Json& piece : single) {
        Json second = piece;
        (second.contains("Sequence") ? second["Sequence"]["id"] : second["SpecialToken"]["id"]) =
            piece.contains("Sequence") ? Json("B") : piece["SpecialToken"]["id"];
        second.begin().value()["type_id"] = 1;
        pair.push_back(second);
    }
    return {{"type", "TemplateProcessing"}, {"single", single}, {"pair", pair}, {"special_tokens", tokens}};
}

namespace {

Json read_config(const GgufFile& file, const GgufVocabulary& vocabulary) {
    Json config = {{"clean_up_tokenization_spaces", false}, {"tokenizer_class", "PreTrainedTokenizerFast"}};
    const std::pair<const char*, const char*> kinds[] = {
        {"bos", "bos_token"}, {"eos", "eos_token"}, {"unknown", "unk_token"}, {"padding", "pad_token"}};
    for (const auto& [kind, name] : kinds)
        if (const std::int64_t id = special_id(file, vocabulary, kind); id >= 0) config[name] = vocabulary.tokens[static_cast<std::size_t>(id)];
    if (const auto chat_template = file.text("tokenizer.chat_template")) {
        if (find_invalid_utf8(*chat_template) != std::string::npos) refuse_key(file, "chat_template", "not valid UTF-8");
        config["chat_template"] = *chat_template;
    }
    return config;
}

Json empty_document() {
    return {{"version", "1.0"},         {"truncation", nullptr},     {"padding", nullptr}, {"added_tokens", Json::array()}, {"normalizer", nullptr},
            {"pre_tokenizer", nullptr}, {"post_processor", nullptr}, {"decoder", nullptr}, {"model", Json::object()}};
}

Json byte_level_document(const GgufFile& file, const GgufVocabulary& vocabulary) {
    Json document = empty_document();
    document["model"] = {{"type", "BPE"},
                         {"dropout", nullptr},
                         {"unk_token", nullptr},
                         {"continuing_subword_prefix", nullptr},
                         {"end_of_word_suffix", nullptr},
                         {"fuse_unk", false},
                         {"byte_fallback", false},
                         {"ignore_merges", false}};
    const std::string pre = file.text("tokenizer.ggml.pre").value_or("default");
    if (!words_of(pre, document)) refuse_key(file, "ggml.pre", "\"" + pre + "\" is not a pre-tokenizer that is known here");
    document["model"]["vocab"] = vocabulary_object(vocabulary);
    std::vector<std::string> merges = file.texts("tokenizer.ggml.merges");
    for (std::size_t i = 0; i < merges.size(); ++i)
        if (find_invalid_utf8(merges[i]) != std::string::npos) refuse_key(file, fmt::format("ggml.merges[{}]", i), "not valid UTF-8");
    document["model"]["merges"] = std::move(merges);
    const bool adds_bos = document["model"]["ignore_merges"].get<bool>();  // llama.cpp adds BOS to these by itself
    document["post_processor"] = post_processor(file, vocabulary, adds_bos, false, "ByteLevel");
    document["decoder"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
    return document;
}

// SentencePiece names no merges: every way to cut a token into two tokens is one, the best score first.
Json merges_of_scores(const GgufFile& file, const GgufVocabulary& vocabulary) {
    const std::vector<float> scores = gguf_scores(file, vocabulary);
    struct Merge {
        float score;
        std::size_t left_size, right_size;  // in characters
        std::string_view left, right;
    };
    const auto is_text = [&](std::size_t id) { return vocabulary.types[id] == type_normal || vocabulary.types[id] == type_user_defined; };
    std::vector<Merge> merges;
    for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
        if (!is_text(id)) continue;
        if (!(scores[id] == scores[id])) refuse_key(file, fmt::format("ggml.scores[{}]", id), "not a number");
        const std::string_view token = vocabulary.tokens[id];
        std::vector<std::tuple<std::size_t, std::size_t, Merge>> cuts;
        const auto characters = [](std::string_view text) {
            return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
        };
        for (std::size_t at = 1; at < token.size(); ++at) {
            if (is_continuation(token[at])) continue;
            const auto left = vocabulary.ids.find(token.substr(0, at)), right = vocabulary.ids.find(token.substr(at));
            if (left == vocabulary.ids.end() || right == vocabulary.ids.end() || !is_text(left->second) || !is_text(right->second)) continue;
            cuts.emplace_back(left->second, right->second,
                              Merge{scores[id], characters(left->first), characters(right->first), left->first, right->first});
        }
        std::sort(cuts.begin(), cuts.end(),
                  [](const auto& a, const auto& b) { return std::tie(std::get<0>(a), std::get<1>(a)) < std::tie(std::get<0>(b), std::get<1>(b)); });
        for (const auto& cut : cuts) merges.push_back(std::get<2>(cut));
    }
    std::stable_sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
        return std::tie(a.score, a.left_size, a.right_size) > std::tie(b.score, b.left_size, b.right_size);
    });
    Json written = Json::array();
    for (const Merge& merge : merges) written.push_back(Json::array({merge.left, merge.right}));
    return written;
}

Json sentencepiece_document(const GgufFile& file, const GgufVocabulary& vocabulary) {
    const std::string mark = "\xe2\x96\x81";  // U+2581 stands for a space
    const auto replace = [](const std::string& from, const std::string& to) {
        return Json{{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
    };
    Json document = empty_document();
    Json normalizers = Json::array(), decoders = Json::array({replace(mark, " "), {{"type", "ByteFallback"}}, {{"type", "Fuse"}}});
    if (file.boolean("tokenizer.ggml.add_space_prefix").value_or(true)) {
        normalizers.push_back({{"type", "Prepend"}, {"prepend", mark}});
        decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
    }
    normalizers.push_back(replace(" ", mark));
    document["normalizer"] = {{"type", "Sequence"}, {"normalizers", normalizers}};
    document["decoder"] = {{"type", "Sequence"}, {"decoders", decoders}};
    const std::int64_t unknown = special_id(file, vocabulary, "unknown");
    document["model"] = {{"type", "BPE"},
                         {"dropout", nullptr},
                         {"unk_token", unknown < 0 ? Json() : Json(vocabulary.tokens[static_cast<std::size_t>(unknown)])},
                         {"continuing_subword_prefix", nullptr},
                         {"end_of_word_suffix", nullptr},
                         {"fuse_unk", true},
                         {"byte_fallback", true}};
    document["model"]["vocab"] = vocabulary_object(vocabulary);
    document["model"]["merges"] = merges_of_scores(file, vocabulary);
    document["post_processor"] = post_processor(file, vocabulary, true, false, "");
    return document;
}

}  // namespace

TokenizerDocuments tokenizer_documents(const GgufFile& file) {
    const std::string model = file.text("tokenizer.ggml.model").value_or("");
    if (model != "gpt2" && model != "llama" && model != "bert" && model != "t5")
        refuse_key(file, "ggml.model", "\"" + model + "\", expected \"gpt2\", \"llama\", \"bert\" or \"t5\"");
    const GgufVocabulary vocabulary = read_vocabulary(file);
    TokenizerDocuments documents;
    documents.config = read_config(file, vocabulary);
    if (model == "bert") {
        documents.tokenizer = word_piece_document(file, vocabulary);
        return documents;
    }
    documents.tokenizer = model == "gpt2" ? byte_level_document(file, vocabulary)
                          : model == "t5" ? unigram_document(file, vocabulary)
                                          : sentencepiece_document(file, vocabulary);
    documents.tokenizer["added_tokens"] = added_tokens(file, vocabulary);
    return documents;
}

}  // namespace temper::tok
