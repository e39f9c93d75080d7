#include "retrieval/dataset_asking.h"

#include "retrieval/chat_asking.h"
#include "retrieval/dataset_rows.h"

namespace temper {

double cost_of(const DatasetConfig& config, const AnswerJournal& journal) { return journal_cost(journal, config.prices, config.endpoint.model); }

Asked ask_about(const std::vector<DatasetChunk>& chunks, const DatasetConfig& config, AnswerJournal& journal, const std::function<bool()>& stop) {
    const DatasetQuestions templates(config);
    const std::vector<std::string> fields = config.row_fields();
    std::vector<ChatQuestion> questions;
    for (const DatasetChunk& chunk : chunks) questions.push_back({chunk.category + " " + chunk.chunk.id, templates.messages(chunk)});
    Asked result;
    result.outcomes.resize(chunks.size());
    ChatAsking asking;
    asking.endpoint = config.endpoint;
    asking.prices = config.prices;
    asking.max_cost = config.max_cost;
    asking.progress = "dataset";
    asking.take = [&](std::size_t index, const std::string& content) {
        result.outcomes[index].rows = rows_of_answer(content, fields, config.rows_per_chunk);
    };
    asking.repair = [&](std::size_t, const std::string& reason) { return repair_question(reason, fields); };
    asking.stop = stop;
    ChatAsked asked = ask_questions(questions, asking, journal);
    result.stopped = asked.stopped;
    for (std::size_t i = 0; i < chunks.size(); ++i) static_cast<ChatOutcome&>(result.outcomes[i]) = std::move(asked.outcomes[i]);
    return result;
}

}  // namespace temper
