// Texts that a model makes of prompts: shared over ranks, kept as they come, ended by stop texts.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "eval/answer_cache.h"
#include "io/comm/comm.h"
#include "io/tokenizer/tokenizer.h"
#include "model/generate.h"

namespace temper {

// Whether a row has said what ends it.
class StopTexts {
  public:
    StopTexts(const Tokenizer& tokenizer, std::vector<std::string> stops);
    bool in(const std::vector<std::int32_t>& ids) const;
    // The answer: without special tokens, and without what comes behind the first stop text.
    std::string cut(const std::vector<std::int32_t>& ids) const;

  private:
    bool has_stop(const std::string& text) const;
    const Tokenizer& tokenizer_;
    std::vector<std::string> stops_;
    std::size_t longest_ = 0;
};

struct TextRequest {
    const std::vector<std::int32_t>* prompt = nullptr;
    const StopTexts* stops = nullptr;
    std::int64_t limit = 256;  // tokens of the answer
    std::string key;           // what the answer depends on beside the prompt, for the cache
};

// Tokens in the order of the requests, on every rank the same. `settings` are those of all; its limit is the longest, what stands for a row in its draws
// is the row's number. progress gets (answers done, answers of this rank that were not known). requeue where a signal asks to stop: what is answered is
// in the cache.
std::vector<std::vector<std::int32_t>> answer_texts(const Decoder& decoder, Comm& comm, const std::vector<TextRequest>& requests,
                                                    GenerateSettings settings, const std::vector<std::int32_t>& end_ids, AnswerCache& cache,
                                                    const std::function<void(std::int64_t, std::int64_t)>& progress);

void stop_if_asked(AnswerCache& cache);  // requeue

}  // namespace temper
