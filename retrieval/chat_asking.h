// Questions to a language model behind an endpoint, several at once: each answer is kept in a journal before anything is made of it, an answer that
// cannot be used is put back once with what is wrong, and no question is asked from a cost on.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "io/http/chat_settings.h"
#include "retrieval/answer_journal.h"

namespace temper {

struct ChatQuestion {
    std::string label;  // for the journal and for messages
    Json messages;
};

struct ChatOutcome {
    enum class Kind : std::uint8_t { unasked, taken, rejected } kind = Kind::unasked;  // unasked: max_cost was reached, or it was stopped
    bool repaired = false;                                                             // taken at the second turn
    std::string reason;                                                                // of a rejected one
};

struct ChatAsking {
    EndpointSettings endpoint;
    std::vector<TokenPrice> prices;
    double max_cost = 0;   // 0: no limit
    std::string progress;  // opens the bar
    // An answer to question `index`, from any thread; an Error says why it cannot be used, in words that the model can follow.
    std::function<void(std::size_t index, const std::string& content)> take;
    std::function<std::string(std::size_t index, const std::string& reason)> repair;  // what is asked behind an answer that was not taken
    std::function<bool()> stop;
};

struct ChatAsked {
    std::vector<ChatOutcome> outcomes;  // one a question
    bool stopped = false;               // by `stop`
};

double token_cost(const std::vector<TokenPrice>& prices, const std::string& model, std::int64_t prompt_tokens, std::int64_t completion_tokens);
double journal_cost(const AnswerJournal& journal, const std::vector<TokenPrice>& prices, const std::string& model);

// io_error of the endpoint ends it, as do five refused questions in a row, and usage an answer without its tokens where max_cost counts them; what was
// answered is in the journal.
ChatAsked ask_questions(const std::vector<ChatQuestion>& questions, const ChatAsking& asking, AnswerJournal& journal);

}  // namespace temper
