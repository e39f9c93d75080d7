// What an encoder of the BERT family is, read from config.json. Fields that would change the arithmetic and are not understood are refused by name.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/jsonl.h"
#include "kernels/ops.h"

namespace temper {

struct EncoderConfig {
    std::string family;  // config.json's model_type: bert, roberta, xlm-roberta, camembert, distilbert, mpnet
    std::int64_t vocab_size = 0, hidden_size = 0, intermediate_size = 0, layers = 0, heads = 0;
    std::int64_t max_position_embeddings = 0, type_vocab_size = 0;  // types 0: the family has none
    double layer_norm_eps = 1e-12;
    Pointwise activation = Pointwise::gelu;
    // RoBERTa counts positions from behind this id, and not on tokens that are it; BERT counts from 0.
    std::optional<std::int32_t> padding_id;

    // MPNet: each head adds to a logit what it learned for the bucket of the key's distance (relative_bucket).
    bool relative_bias = false;

    // A classifier over the first token: a linear, an activation, and a linear to the labels. 0 labels: none.
    std::int64_t labels = 0;
    std::string score_activation;  // torch's name of the activation of scores, empty where the file names none

    std::int64_t head_size() const { return hidden_size / heads; }
    std::int64_t first_position() const { return padding_id ? *padding_id + 1 : 0; }
    std::int64_t longest() const { return max_position_embeddings - first_position(); }  // tokens of a text
};

// MPNet's bucket of a key so far behind the query (before it: below 0): half of them are of keys before, each distance up to 7 for itself, longer ones
// by their logarithm, from relative_longest on all in one.                                                 [transformers 5.23, modeling_mpnet]
constexpr std::int64_t relative_buckets = 32, relative_longest = 128;
std::int64_t relative_bucket(std::int64_t distance);

bool is_encoder_family(const std::string& model_type);
// place opens error messages: the path of the file.
EncoderConfig parse_encoder_config(const Json& json, const std::string& place);

}  // namespace temper
