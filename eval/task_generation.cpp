#include "eval/task_generation.h"

#include <algorithm>

namespace temper {
namespace {

// The reference takes the first of these that is given.
const std::vector<std::string> limits{"max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"};

// Settings that change no text here, whatever they say: of beams, of memory, of what else is returned.
const std::vector<std::string> idle{"early_stopping",
                                    "length_penalty",
                                    "use_cache",
                                    "cache_implementation",
                                    "pad_token_id",
                                    "bos_token_id",
                                    "output_scores",
                                    "output_logits",
                                    "output_attentions",
                                    "output_hidden_states",
                                    "return_dict_in_generate",
                                    "remove_invalid_values",
                                    "renormalize_logits"};

// Settings that would change texts but for one value; null: but where they are not given.
struct Refused {
    const char* key;
    Json neutral;
    bool of_draws = false;  // changes greedy texts never
};
const std::vector<Refused>& refused() {
    static const std::vector<Refused> all{{"num_beams", 1},
                                          {"num_beam_groups", 1},
                                          {"num_return_sequences", 1},
                                          {"n", 1},
                                          {"best_of", 1},
                                          {"repetition_penalty", 1},
                                          {"encoder_repetition_penalty", 1},
                                          {"presence_penalty", 0},
                                          {"frequency_penalty", 0},
                                          {"diversity_penalty", 0},
                                          {"penalty_alpha", 0},
                                          {"guidance_scale", 1},
                                          {"no_repeat_ngram_size", 0},
                                          {"encoder_no_repeat_ngram_size", 0},
                                          {"min_length", 0},
                                          {"min_new_tokens", 0},
                                          {"min_tokens", 0},
                                          {"ignore_eos", false},
                                          {"skip_special_tokens", true},
                                          {"min_p", 0, true},
                                          {"typical_p", 1, true},
                                          {"epsilon_cutoff", 0, true},
                                          {"eta_cutoff", 0, true},
                                          {"top_h", Json(), true},
                                          {"max_length", Json()},
                                          {"max_time", Json()},
                                          {"stop", Json()},
                                          {"stop_strings", Json()},
                                          {"eos_token_id", Json()},
                                          {"bad_words_ids", Json()},
                                          {"force_words_ids", Json()},
                                          {"constraints", Json()},
                                          {"sequence_bias", Json()},
                                          {"suppress_tokens", Json()},
                                          {"begin_suppress_tokens", Json()},
                                          {"forced_bos_token_id", Json()},
                                          {"forced_eos_token_id", Json()},
                                          {"exponential_decay_length_penalty", Json()}};
    return all;
}

void check_keys(const FieldReader& kwargs) {
    std::vector<std::string> known{"until", "do_sample", "temperature", "top_p", "top_k", "seed"};
    known.insert(known.end(), limits.begin(), limits.end());
    known.insert(known.end(), idle.begin(), idle.end());
    for (const Refused& setting : refused()) known.push_back(setting.key);
    kwargs.check_keys(known);
}

void check_refused(const FieldReader& kwargs, bool draws) {
    for (const Refused& setting : refused()) {
        if (!kwargs.has(setting.key) || (setting.of_draws && !draws) || kwargs.value(setting.key) == setting.neutral) continue;
        kwargs.fail(setting.key, kwargs.value(setting.key).dump() + " is not done here: leave it out" +
                                     (setting.neutral.is_null() ? "" : ", or give " + setting.neutral.dump()));
    }
}

}  // namespace

TaskGeneration read_generation(const FieldReader& kwargs) {
    check_keys(kwargs);
    TaskGeneration generation;
    generation.until = kwargs.value("until").is_string() ? std::vector<std::string>{kwargs.text("until")} : kwargs.texts("until");
    for (auto key = limits.rbegin(); key != limits.rend(); ++key)
        generation.max_gen_toks = kwargs.count(key->c_str(), 1).value_or(generation.max_gen_toks);
    const double given = kwargs.number("temperature", 0.0).value_or(0.0);
    const bool draws = kwargs.flag("do_sample", given > 0.0);
    const double top_p = kwargs.number("top_p", 0.0).value_or(1.0);
    if (top_p <= 0.0 || top_p > 1.0) kwargs.fail("top_p", "expected a number above 0, to 1, found " + kwargs.value("top_p").dump());
    const std::int64_t top_k = kwargs.count("top_k", -1).value_or(0);  // -1 is vLLM's word for all
    generation.seed = kwargs.count("seed", 0);
    check_refused(kwargs, draws);
    if (!draws) return generation;
    generation.temperature = kwargs.has("temperature") ? given : 1.0;
    generation.top_p = top_p;
    generation.top_k = std::max<std::int64_t>(0, top_k);
    return generation;
}

}  // namespace temper
