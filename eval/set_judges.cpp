#include "eval/set_judges.h"

#include "io/durable.h"
#include "io/log.h"
#include "kernels/error.h"
#include "retrieval/answer_json.h"
#include "retrieval/chat_asking.h"
#include "runs/prompts.h"

namespace temper {
namespace {

// The form of a verdict of this kind.
Json verdict_schema(const std::string& kind) {
    Json properties{{"reason", {{"type", "string"}}}};
    std::string said = "score";
    if (kind == "hallucination") properties[said = "hallucinated"] = {{"type", "boolean"}};
    else if (kind == "preference") properties[said = "winner"] = {{"enum", {"A", "B", "tie"}}};
    else properties[said] = {{"type", "integer"}, {"minimum", 1}, {"maximum", 5}};
    return {{"type", "object"}, {"required", Json::array({said})}, {"properties", properties}};
}

std::string verdict_form(const std::string& kind) {
    if (kind == "hallucination") return R"({"reason": "...", "hallucinated": true or false})";
    if (kind == "preference") return R"({"reason": "...", "winner": "A", "B" or "tie"})";
    return R"({"reason": "...", "score": 1 to 5})";
}

// 0 to 1: a score of 1 is 0, of 5 is 1.
double value_of_verdict(const std::string& kind, const Json& verdict) {
    if (kind == "hallucination") return verdict.at("hallucinated").get<bool>() ? 1.0 : 0.0;
    if (kind == "preference") return verdict.at("winner") == "A" ? 1.0 : verdict.at("winner") == "B" ? 0.0 : 0.5;
    return (verdict.at("score").get<double>() - 1.0) / 4.0;
}

bool needs_context(const std::string& kind) { return kind == "faithfulness" || kind == "hallucination"; }

// What the user asked: the text, or the last user's turn.
std::string question_of(const SetRow& row, const std::string& model_prompt) {
    if (row.prompt.is_string()) return row.prompt.get<std::string>();
    for (auto turn = row.prompt.rbegin(); turn != row.prompt.rend(); ++turn)
        if (turn->is_object() && turn->value("role", Json()) == "user" && turn->contains("content") && turn->at("content").is_string())
            return turn->at("content").get<std::string>();
    return model_prompt;
}

}  // namespace

struct SetJudges::Question {
    std::size_t judge, system, row;
    bool swapped = false;  // preference: the baseline's answer stands first
    ChatQuestion chat;
    Json verdict;
    ChatOutcome outcome;
};

SetJudges::SetJudges(const EvaluationSet& set, const std::filesystem::path& defaults) : set_(set) {
    for (const JudgeSettings& settings : set.settings().judges) {
        const std::string file = settings.prompt ? *settings.prompt : (defaults / (settings.kind + ".jinja")).string();
        const auto registered = referenced_text(file);
        const std::string source = registered ? registered->body.get<std::string>() : read_file(file, std::size_t(1) << 20);
        judges_.push_back({settings.name.value_or(settings.kind), settings.kind, file, sha256_hex(source), TextTemplate(source, file),
                           JsonSchema(verdict_schema(settings.kind), "verdict")});
        for (const SetRow& row : set.rows()) variables(row, judges_.back());
    }
}

std::string SetJudges::identity() const {
    std::string text;
    for (const Judge& judge : judges_) text += judge.name + " " + judge.kind + " " + judge.sha256 + "\n";
    return text;
}

Json SetJudges::json() const {
    Json all = Json::object();
    for (const Judge& judge : judges_)
        all[judge.name] = {{"kind", judge.kind}, {"model", set_.settings().endpoint.model}, {"prompt", judge.file}, {"prompt_sha256", judge.sha256}};
    return all;
}

Json SetJudges::variables(const SetRow& row, const Judge& judge) const {
    Json variables{{"row", row.fields}, {"id", row.id}, {"context", ""}, {"reference", ""}};
    if (row.fields.contains("reference")) {
        const Json& reference = row.fields.at("reference");
        variables["reference"] = reference.is_string() ? reference : Json(reference.dump());
    }
    const std::string& field = set_.settings().context_field;
    std::string context;
    if (row.fields.contains(field)) {
        const Json& given = row.fields.at(field);
        for (const Json& part : given.is_array() ? given : Json::array({given})) {
            if (!part.is_string()) throw_error(ExitCode::bad_data, "{}: field '{}': expected a text or a list of texts", row.place, field);
            context += (context.empty() ? "" : "\n\n") + part.get<std::string>();
        }
    } else if (needs_context(judge.kind)) {
        throw_error(ExitCode::bad_data, "{}: field '{}' is missing: judge {} compares an answer with it", row.place, field, judge.name);
    }
    variables["context"] = context;
    return variables;
}

std::vector<SetJudges::Question> SetJudges::questions(const std::vector<JudgedSystem>& systems, int baseline) const {
    std::vector<Question> all;
    for (std::size_t j = 0; j < judges_.size(); ++j) {
        const Judge& judge = judges_[j];
        const bool pairwise = judge.kind == "preference";
        if (pairwise && baseline < 0) {
            log_warning("{}: judge {} needs a baseline to compare with, and is left out", set_.settings().name, judge.name);
            continue;
        }
        for (std::size_t s = 0; s < systems.size(); ++s) {
            if (pairwise && static_cast<int>(s) == baseline) continue;
            for (std::size_t i = 0; i < set_.rows().size(); ++i) {
                const SetRow& row = set_.rows()[i];
                const SetAnswer& answer = (*systems[s].answers)[i];
                Json names = variables(row, judge);
                names["question"] = question_of(row, answer.prompt);
                const auto add = [&](bool swapped) {
                    Question question{j, s, i, swapped, {judge.name + " " + row.id, Json::array()}, Json(), {}};
                    question.chat.messages.push_back({{"role", "user"}, {"content", judge.prompt.render(names)}});
                    all.push_back(std::move(question));
                };
                if (!pairwise) {
                    names["answer"] = answer.text;
                    add(false);
                    continue;
                }
                const std::string& other = (*systems[static_cast<std::size_t>(baseline)].answers)[i].text;
                if (other == answer.text) continue;  // a tie, without a question
                names["answer_a"] = answer.text;
                names["answer_b"] = other;
                add(false);
                std::swap(names["answer_a"], names["answer_b"]);
                add(true);
            }
        }
    }
    return all;
}

Json SetJudges::judge(const std::vector<JudgedSystem>& systems, int baseline, AnswerJournal& journal, const std::function<bool()>& stop) const {
    std::vector<Question> all = questions(systems, baseline);
    std::vector<ChatQuestion> chats;
    for (Question& question : all) chats.push_back(std::move(question.chat));
    const SetSettings& settings = set_.settings();
    const auto kind_of = [&](std::size_t index) -> const std::string& { return judges_[all[index].judge].kind; };
    ChatAsking asking;
    asking.endpoint = settings.endpoint;
    asking.prices = settings.prices;
    asking.max_cost = settings.max_cost;
    asking.progress = "judges: " + settings.name;
    asking.take = [&](std::size_t index, const std::string& content) {
        Json verdict = parse_json(json_in_answer(content), "the answer");
        const std::string fault = judges_[all[index].judge].schema.fault(verdict);
        if (!fault.empty()) throw_error(ExitCode::bad_data, "{}", fault);
        all[index].verdict = std::move(verdict);
    };
    asking.repair = [&](std::size_t index, const std::string& reason) {
        return fmt::format("That answer cannot be used: {}. Answer again with JSON alone: {}.", reason, verdict_form(kind_of(index)));
    };
    asking.stop = stop;
    ChatAsked asked = ask_questions(chats, asking, journal);
    if (asked.stopped)
        throw_error(ExitCode::requeue, "stopped by a signal; the judges' {} answers are kept, the same command goes on from there",
                    journal.answers());
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i].outcome = std::move(asked.outcomes[i]);
        if (all[i].outcome.kind == ChatOutcome::Kind::taken && all[i].verdict.is_null())
            throw_error(ExitCode::internal, "judge {}: a verdict was lost", kind_of(i));
    }
    return settle(all, systems, baseline);
}

// Verdicts into the grades. Of a preference both orders count: one that changes with the order is a tie.
Json SetJudges::settle(const std::vector<Question>& questions, const std::vector<JudgedSystem>& systems, int baseline) const {
    Json report = json();
    for (std::size_t j = 0; j < judges_.size(); ++j) {
        const Judge& judge = judges_[j];
        const bool pairwise = judge.kind == "preference";
        std::int64_t asked = 0, repaired = 0, rejected = 0, unasked = 0, swayed = 0;
        for (const Question& question : questions) {
            if (question.judge != j) continue;
            asked += question.outcome.kind != ChatOutcome::Kind::unasked;
            unasked += question.outcome.kind == ChatOutcome::Kind::unasked;
            rejected += question.outcome.kind == ChatOutcome::Kind::rejected;
            repaired += question.outcome.repaired;
            Judgement& judgement = systems[question.system].grades->judges[question.row][judge.name];
            if (question.outcome.kind != ChatOutcome::Kind::taken) {
                judgement.reason = question.outcome.kind == ChatOutcome::Kind::unasked ? "not asked: max_cost is reached" : question.outcome.reason;
                judgement.value.reset();
                continue;
            }
            const double value = value_of_verdict(judge.kind, question.verdict);
            if (!pairwise) {
                judgement.value = value;
                judgement.verdict = question.verdict;
            } else if (!question.swapped) {
                judgement.value = value;
                judgement.verdict["first"] = question.verdict;
            } else if (judgement.value) {
                const bool agrees = *judgement.value == 1.0 - value;
                swayed += !agrees;
                judgement.value = agrees ? *judgement.value : 0.5;
                judgement.verdict["swapped"] = question.verdict;
            }
        }
        Json& entry = report[judge.name];
        entry.update(Json{{"questions", asked}, {"repaired", repaired}, {"rejected", rejected}, {"unasked", unasked}});
        if (pairwise) entry["changed_with_order"] = swayed;
        for (std::size_t s = 0; s < systems.size(); ++s) {
            if (pairwise && (baseline < 0 || static_cast<int>(s) == baseline)) continue;
            for (std::size_t i = 0; pairwise && i < set_.rows().size(); ++i) {
                Judgement& judgement = systems[s].grades->judges[i][judge.name];
                if (judgement.verdict.is_null() && judgement.reason.empty()) {  // equal answers
                    judgement.value = 0.5;
                    judgement.verdict = {{"reason", "the answers are equal"}};
                }
            }
            add_judge_measure(*systems[s].grades, judge.name, judge.kind != "hallucination");
        }
    }
    return report;
}

}  // namespace temper
