// Asks about chunks, several at once. Internal to retrieval/.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "retrieval/answer_journal.h"
#include "retrieval/dataset_questions.h"

namespace temper {

struct ChunkOutcome {
    enum class Kind : std::uint8_t { unasked, rows, rejected } kind = Kind::unasked;
    std::vector<Json> rows;
    bool repaired = false;
    std::string reason;  // of a rejected one
};

struct Asked {
    std::vector<ChunkOutcome> outcomes;  // one a chunk
    bool stopped = false;                // by `stop`; max_cost leaves chunks unasked and is no stop
};

double cost_of(const DatasetConfig& config, const AnswerJournal& journal);

// io_error of the endpoint ends it, as do five refused questions in a row; what was answered is in the journal.
Asked ask_about(const std::vector<DatasetChunk>& chunks, const DatasetConfig& config, AnswerJournal& journal, const std::function<bool()>& stop);

}  // namespace temper
