// The kinds of vocabulary in GGUF files that are no BPE: bert (WordPiece) and t5 (Unigram).
#include "io/base64.h"
#include "io/tokenizer/bert_tokenizer.h"
#include "io/tokenizer/gguf_tokenizer.h"
#include "kernels/error.h"

namespace temper::tok {

namespace {

const std::string mark = "\xe2\x96\x81";  // U+2581

}  // namespace

// llama.cpp's files mark where a word begins instead of where it goes on; [CLS] and its like stand as they are.
Json word_piece_document(const GgufFile& file, const GgufVocabulary& vocabulary) {
    std::vector<std::string> tokens;
    for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id) {
        const std::string& token = vocabulary.tokens[id];
        const bool bracketed = token.size() > 2 && token.front() == '[' && token.back() == ']';
        if (token.compare(0, mark.size(), mark) == 0) tokens.push_back(token.substr(mark.size()));
        else if (vocabulary.types[id] == type_control || vocabulary.types[id] == type_unknown || bracketed) tokens.push_back(token);
        else tokens.push_back("##" + token);
    }
    BertSettings settings;
    settings.lowercase = file.boolean("tokenizer.ggml.normalizer.lowercase").value_or(true);
    const auto take = [&](std::string& name, const char* kind) {
        if (const std::int64_t id = special_id(file, vocabulary, kind); id >= 0) name = tokens[static_cast<std::size_t>(id)];
    };
    take(settings.unknown, "unknown");
    take(settings.separator, "seperator");  // so spelled in the format
    take(settings.padding, "padding");
    take(settings.start, "cls");
    take(settings.start, "bos");
    take(settings.mask, "mask");
    return bert_document(tokens, settings, file.describe());
}

Json unigram_document(const GgufFile& file, const GgufVocabulary& vocabulary) {
    const std::vector<float> scores = gguf_scores(file, vocabulary);
    Json tokens = Json::array();
    bool has_bytes = false;
    for (std::size_t id = 0; id < scores.size(); ++id) {
        if (!(scores[id] - scores[id] == 0)) refuse_key(file, fmt::format("ggml.scores[{}]", id), "not a finite number");
        tokens.push_back(Json::array({vocabulary.tokens[id], static_cast<double>(scores[id])}));
        has_bytes = has_bytes || vocabulary.types[id] == type_byte;
    }
    const std::int64_t unknown = special_id(file, vocabulary, "unknown");
    const bool prefix = file.boolean("tokenizer.ggml.add_space_prefix").value_or(true);
    Json normalizer, words = {{"type", "Metaspace"}, {"replacement", mark}, {"prepend_scheme", prefix ? "always" : "never"}, {"split", true}};
    std::string charsmap;
    for (const std::int32_t byte : file.integers("tokenizer.ggml.precompiled_charsmap"))
        charsmap += static_cast<char>(static_cast<unsigned char>(byte));
    if (!charsmap.empty()) normalizer = {{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(charsmap)}};
    const Json decoder = words;
    if (file.boolean("tokenizer.ggml.remove_extra_whitespaces").value_or(false))
        words = {{"type", "Sequence"}, {"pretokenizers", Json::array({Json{{"type", "WhitespaceSplit"}}, words})}};
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", Json::array()},
            {"normalizer", normalizer},
            {"pre_tokenizer", words},
            {"post_processor", post_processor(file, vocabulary, false, true, "")},
            {"decoder", decoder},
            {"model", {{"type", "Unigram"}, {"unk_id", unknown < 0 ? Json() : Json(unknown)}, {"vocab", tokens}, {"byte_fallback", has_bytes}}}};
}

}  // namespace temper::tok
