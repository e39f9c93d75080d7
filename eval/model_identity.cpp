#include "eval/model_identity.h"

#include <filesystem>

#include <fmt/ranges.h>

#include "io/durable.h"

namespace temper {

std::string model_identity(const std::string& model, const std::string& adapter, const ModelFiles& files, const Tokenizer& tokenizer) {
    // The fingerprint is of the ids alone, for caches of tokens: the template and the tokens around a text are not in it.
    std::string text = fmt::format("model {}\nend ids {}\ntokenizer {}\ntokenizer settings {}\nbefore {} behind {}\n", model_sha256(model),
                                   fmt::join(files.config().eos_ids, " "), tokenizer.fingerprint(), sha256_hex(tokenizer.to_tokenizer_config_json()),
                                   fmt::join(tokenizer.tokens_before(), " "), fmt::join(tokenizer.tokens_after(), " "));
    if (adapter.empty()) return text;
    for (const char* file : {"adapter_model.safetensors", "adapter_config.json"})
        text += fmt::format("adapter {} {}\n", file, sha256_file(std::filesystem::path(adapter) / file));
    return text;
}

}  // namespace temper
