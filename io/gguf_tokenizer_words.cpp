// How llama.cpp's names of pre-tokenizers are spelled in tokenizer.json.
#include <map>

#include "io/gguf_tokenizer.h"

namespace temper::tok {

namespace {

// Llama 3 and Qwen 2 differ in how many digits make a word.
std::string cased_words(const std::string& digits) {
    return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)" + digits + R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

Json byte_level(bool use_regex) { return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}}; }

Json sequence(Json first, Json second) { return {{"type", "Sequence"}, {"pretokenizers", Json::array({std::move(first), std::move(second)})}}; }

Json split(const std::string& pattern) { return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}}; }

enum class Words { gpt2, single_digits, llama3, qwen2 };

const std::map<std::string, Words>& known_words() {
    static const std::map<std::string, Words> instance = {
        {"default", Words::gpt2},
        {"gpt-2", Words::gpt2},
        {"phi-2", Words::gpt2},
        {"mpt", Words::gpt2},
        {"olmo", Words::gpt2},
        {"smollm", Words::single_digits},
        {"starcoder", Words::single_digits},
        {"refact", Words::single_digits},
        {"llama-bpe", Words::llama3},
        {"llama3", Words::llama3},
        {"llama-v3", Words::llama3},
        {"qwen2", Words::qwen2},
    };
    return instance;
}

}  // namespace

bool words_of(const std::string& pre, Json& tokenizer) {
    const auto found = known_words().find(pre);
    if (found == known_words().end()) return false;
    switch (found->second) {
        case Words::gpt2: tokenizer["pre_tokenizer"] = byte_level(true); break;
        case Words::single_digits: tokenizer["pre_tokenizer"] = sequence({{"type", "Digits"}, {"individual_digits", true}}, byte_level(true)); break;
        case Words::llama3:
            tokenizer["pre_tokenizer"] = sequence(split(cased_words(R"(\p{N}{1,3})")), byte_level(false));
            tokenizer["model"]["ignore_merges"] = true;
            break;
        case Words::qwen2:
            tokenizer["normalizer"] = {{"type", "NFC"}};
            tokenizer["pre_tokenizer"] = sequence(split(cased_words(R"(\p{N})")), byte_level(false));
            break;
    }
    return true;
}

}  // namespace temper::tok
