// How llama.cpp's names of pre-tokenizers are spelled in tokenizer.json. llama.cpp applies its expressions one after the other, each to the
// pieces that the one before left: Splits of the kind Isolated.
#include <map>

#include "io/tokenizer/gguf_tokenizer.h"

namespace temper::tok {

namespace {

const std::string contractions = R"((?i:'s|'t|'re|'ve|'m|'ll|'d))";
const std::string space_rest = R"(\s*[\r\n]+|\s+(?!\S)|\s+)";

// Llama 3, Qwen 2 and their kin differ in how many digits make a word.
std::string cased_words(const std::string& digits) {
    return contractions + R"(|[^\r\n\p{L}\p{N}]?\p{L}+|)" + digits + R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|)" + space_rest;
}
// GPT-4o and Tekken: from capitals to small letters, not back.
std::string capitals_first(const std::string& end, const std::string& digits) {
    const std::string lead = R"([^\r\n\p{L}\p{N}]?)", head = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])", tail = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])";
    return lead + head + "*" + tail + "+" + end + "|" + lead + head + "+" + tail + "*" + end + "|" + digits + R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" +
           space_rest;
}

const std::string single_numbers = R"(\p{N})";
const std::string gpt2_words = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const std::string cased_letters =
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386"
    "\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba"
    "\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d"
    "\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc"
    "\u2102\u2107\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149\u214e\u2183\u2184"
    "\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf"
    "\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2"
    "\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943";

using Patterns = std::vector<std::string>;

// What stands before the bytes' alphabet, and whether a word that is a token needs no merges.
struct Words {
    Patterns patterns;
    bool ignores_merges = false;
    bool composes = false;  // NFC
};

const std::map<std::string, Words>& known_words() {
    static const std::map<std::string, Words> instance = [] {
        std::map<std::string, Words> names;
        const auto add = [&](std::initializer_list<const char*> all, const Words& words) {
            for (const char* name : all) names[name] = words;
        };
        const Patterns llama3 = {cased_words(R"(\p{N}{1,3})")}, qwen2 = {cased_words(R"(\p{N})")};
        const Patterns deepseek3 = {
            R"(\p{N}{1,3})", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
            R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|)" + space_rest};
        const std::string poro = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+";
        add({"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano"}, {llama3, true, false});
        add({"dbrx", "smaug-bpe", "glm4", "chatglm-bpe"}, {llama3, false, false});
        add({"qwen2", "megrez"}, {qwen2, false, true});
        add({"stablelm2", "deepseek-r1-qwen", "kormo", "f2llmv2", "hunyuan", "solar-open", "grok-2"}, {qwen2, false, false});
        add({"qwen35"}, {{contractions + R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)" + space_rest}, false, true});
        add({"gpt-2", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v1-en", "jina-v2-code", "roberta-bpe", "gigachat", "a.x-4.0",
             "mellum", "modern-bert", "mpt", "olmo", "jais", "exaone4", "trillion", "granite-docling"},
            {{gpt2_words}, false, false});
        add({"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"},
            {{single_numbers, gpt2_words}, false, false});
        add({"falcon"}, {{R"([\p{P}\$\+<=>\^~\|`]+)", gpt2_words, "[0-9][0-9][0-9]"}, false, false});
        add({"default"}, {{R"([\p{P}\$\+<=>\^~\|]+)", gpt2_words, R"(\p{N}+)", "[0-9][0-9][0-9]"}, false, false});
        add({"deepseek-llm"}, {{"[\r\n]", R"(\s?[)" + cased_letters + "]+", "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
                                R"(\s+$)", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", R"(\p{N}+)"},
                               false,
                               false});
        add({"deepseek-coder"}, {{"[\r\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", R"(\p{N})"}, false, false});
        add({"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"}, {deepseek3, false, false});
        add({"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, {{capitals_first(contractions + "?", R"(\p{N}{1,3})")}, false, false});
        add({"tekken"}, {{capitals_first("", R"(\p{N})")}, true, false});
        add({"bloom", "poro-chat", "gpt3-finnish"}, {{poro}, false, false});
        add({"viking"}, {{poro, R"(\p{N})"}, false, false});
        add({"seed-coder"}, {{contractions + R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|)" + space_rest}, false, false});
        add({"bailingmoe", "bailingmoe2", "llada-moe"},
            {{R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"}, false, false});
        return names;
    }();
    return instance;
}

}  // namespace

bool words_of(const std::string& pre, Json& tokenizer) {
    const auto found = known_words().find(pre);
    if (found == known_words().end()) return false;
    // Digits and GPT-2's words have names of their own.
    Json steps = Json::array();
    bool gpt2_last = false;
    for (const std::string& pattern : found->second.patterns) {
        gpt2_last = pattern == gpt2_words && &pattern == &found->second.patterns.back();
        if (pattern == single_numbers) steps.push_back({{"type", "Digits"}, {"individual_digits", true}});
        else if (!gpt2_last) steps.push_back({{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}});
    }
    steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", gpt2_last}});
    if (steps.size() == 1) tokenizer["pre_tokenizer"] = steps[0];
    else tokenizer["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", steps}};
    if (found->second.ignores_merges) tokenizer["model"]["ignore_merges"] = true;
    if (found->second.composes) tokenizer["normalizer"] = {{"type", "NFC"}};
    return true;
}

}  // namespace temper::tok
