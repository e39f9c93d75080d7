// What encoding adds around a text, and around two that belong together: BOS, EOS and the like, from the post-processor of tokenizer.json.
#pragma once
#include <cstdint>
#include <vector>

#include "io/json_section.h"
#include "io/tokenizer/tokenizer.h"

namespace temper::tok {

struct Surroundings {
    std::vector<std::int32_t> before, after;
    std::vector<PairPiece> pair;  // empty where it knows nothing of two texts
};

// TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, Sequence; bad_data names any other.
// ids end at id_limit.
void add_post_processor(Surroundings& surroundings, const JsonSection& section, std::int64_t id_limit);

}  // namespace temper::tok
