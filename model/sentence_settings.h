// How a model's directory says that texts become vectors: the files of sentence-transformers (modules.json and what it names,
// config_sentence_transformers.json, sentence_bert_config.json). A directory without them gives the mean of the tokens, of a decoder the last one.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernels/error.h"
#include "kernels/ops.h"

namespace temper {

// A linear layer over the pooled vector.
struct DenseSettings {
    std::filesystem::path directory;  // holds model.safetensors with linear.weight and linear.bias
    std::int64_t in = 0, out = 0;
    bool bias = true;
    std::optional<Pointwise> activation;  // none: as it is
};

struct SentenceSettings {
    std::filesystem::path transformer;           // the directory of the model and its tokenizer
    std::optional<std::int64_t> max_seq_length;  // tokens of a text, special ones included
    bool lower_case = false;
    std::vector<ops::Pooling> pooling;  // several are laid side by side
    bool pool_prompt = true;            // false: tokens of the prompt are left out of the pooling
    std::vector<DenseSettings> dense;
    bool normalize = false;
    std::map<std::string, std::string> prompts;
    std::string default_prompt_name;  // empty: none
    std::optional<std::int64_t> truncate_dimensions;
    std::string score_activation;  // of a cross-encoder: torch's name, empty where these files name none
};

// bad_data names the file, and what of it is not understood.
SentenceSettings read_sentence_settings(const std::filesystem::path& model, bool decoder);
// The same of a cross-encoder, which pools nothing.
SentenceSettings read_pair_settings(const std::filesystem::path& model);

const char* name_of(ops::Pooling mode);  // as sentence-transformers calls it: "mean", "cls", "lasttoken", …
// A name that is none ends with `wrong`: bad_data of a model's file, usage of an option.
ops::Pooling parse_pooling(const std::string& name, const std::string& place, ExitCode wrong = ExitCode::bad_data);

}  // namespace temper
