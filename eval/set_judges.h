// Judges: another language model, behind an endpoint, says about every answer whether it is faithful, relevant, free of inventions, or better than the
// baseline's. The question is a template; the verdict is JSON of a fixed form, checked, and asked for once more where it cannot be used.
#pragma once
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "eval/set_grades.h"
#include "io/json_schema.h"
#include "io/text_template.h"
#include "retrieval/answer_journal.h"

namespace temper {

// One system's part of what is judged.
struct JudgedSystem {
    const std::vector<SetAnswer>* answers = nullptr;
    SetGrades* grades = nullptr;
};

class SetJudges {
  public:
    // The templates are read: usage with the file where one does not parse, missing_input. `defaults` holds those that come with temper.
    // bad_data with a row's place where a judge needs what it lacks.
    SetJudges(const EvaluationSet& set, const std::filesystem::path& defaults);

    // Asks about every row and system what the journal does not know yet, and adds judgements and measures to the grades. `baseline`: index of the
    // system that the others are preferred to or not; negative: none. Returns what came of it, by judge. io_error of the endpoint; requeue where `stop`
    // asks for it.
    Json judge(const std::vector<JudgedSystem>& systems, int baseline, AnswerJournal& journal, const std::function<bool()>& stop) const;
    std::string identity() const;  // of the templates
    Json json() const;             // name, kind, prompt and its SHA-256, of each

  private:
    struct Judge {
        std::string name, kind, file, sha256;
        TextTemplate prompt;
        JsonSchema schema;
    };
    struct Question;
    std::vector<Question> questions(const std::vector<JudgedSystem>& systems, int baseline) const;
    Json variables(const SetRow& row, const Judge& judge) const;
    Json settle(const std::vector<Question>& questions, const std::vector<JudgedSystem>& systems, int baseline) const;

    const EvaluationSet& set_;
    std::vector<Judge> judges_;
};

}  // namespace temper
