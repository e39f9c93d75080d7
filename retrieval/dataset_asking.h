// Asks about chunks, several at once. Internal to retrieval/.
#pragma once
#include <functional>
#include <vector>

#include "retrieval/chat_asking.h"
#include "retrieval/dataset_questions.h"

namespace temper {

struct ChunkOutcome : ChatOutcome {
    std::vector<Json> rows;
};

struct Asked {
    std::vector<ChunkOutcome> outcomes;  // one a chunk
    bool stopped = false;                // by `stop`; max_cost leaves chunks unasked and is no stop
};

double cost_of(const DatasetConfig& config, const AnswerJournal& journal);

// io_error of the endpoint ends it, as do five refused questions in a row; what was answered is in the journal.
Asked ask_about(const std::vector<DatasetChunk>& chunks, const DatasetConfig& config, AnswerJournal& journal, const std::function<bool()>& stop);

}  // namespace temper
