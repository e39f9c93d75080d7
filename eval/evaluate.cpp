#include "eval/evaluate.h"

#include <algorithm>

#include "eval/answer_cache.h"
#include "eval/task_filters.h"
#include "eval/task_requests.h"
#include "eval/task_results.h"
#include "eval/task_scores.h"
#include "io/durable.h"
#include "io/jinja/print.h"
#include "io/log.h"

namespace temper {
namespace {

// str() of Python.
std::string python_text(const Json& value) { return value.is_string() ? value.get<std::string>() : jinja::repr_of(jinja::Value::json(value)); }

Json pair_text(const Loglikelihood& answer) { return Json::array({jinja::float_repr(answer.sum), answer.greedy ? "True" : "False"}); }

// What a model has said about one document.
struct DocAnswers {
    std::vector<Loglikelihood> loglikelihoods;
    std::vector<std::string> texts;  // one a repeat
};

DocAnswers answers_of(const TaskDoc& doc, const TaskAnswers& answers) {
    DocAnswers own;
    for (std::size_t i = doc.first_request; i < doc.first_request + doc.requests; ++i)
        if (!answers.texts.empty()) own.texts.push_back(answers.texts[i]);
        else own.loglikelihoods.push_back(answers.loglikelihoods[i]);
    return own;
}

double sum_of(const std::vector<Loglikelihood>& windows) {
    double sum = 0.0;
    for (const Loglikelihood& window : windows) sum += window.sum;
    return sum;
}

Json responses_of(const TaskConfig& config, const DocAnswers& answers) {
    Json responses = Json::array();
    if (config.output_type == OutputType::generate_until) return Json::array({answers.texts});
    if (config.output_type == OutputType::loglikelihood_rolling)
        return Json::array({Json::array({jinja::float_repr(sum_of(answers.loglikelihoods))})});
    for (const Loglikelihood& answer : answers.loglikelihoods) responses.push_back(Json::array({pair_text(answer)}));
    return responses;
}

Json filtered_of(const TaskConfig& config, const DocAnswers& answers, const std::string& text) {
    if (config.output_type == OutputType::generate_until) return Json::array({text});
    if (config.output_type == OutputType::loglikelihood_rolling) return Json::array({jinja::float_repr(sum_of(answers.loglikelihoods))});
    Json filtered = Json::array();
    for (const Loglikelihood& answer : answers.loglikelihoods) filtered.push_back(pair_text(answer));
    return filtered;
}

Json arguments_of(const TaskConfig& config, const TaskDoc& doc) {
    Json arguments = Json::object();
    for (std::size_t i = 0; i < doc.arguments.size(); ++i) {
        Json& one = arguments["gen_args_" + std::to_string(i)];
        one["arg_0"] = doc.arguments[i].first;
        if (config.output_type == OutputType::generate_until) one["arg_1"] = config.generation_kwargs;
        else if (config.output_type != OutputType::loglikelihood_rolling) one["arg_1"] = doc.arguments[i].second;
    }
    return arguments;
}

Json sample_of(const TaskRequests& task, const TaskDoc& doc, const DocAnswers& answers, const std::string& filter, const std::string& text,
               const std::vector<DocScore>& scores) {
    const TaskConfig& config = task.config();
    const std::string target = python_text(task.texts().answer(doc.doc));
    Json sample{{"doc_id", doc.id},
                {"doc", doc.doc},
                {"target", target},
                {"arguments", arguments_of(config, doc)},
                {"resps", responses_of(config, answers)},
                {"filtered_resps", filtered_of(config, answers, text)},
                {"filter", filter},
                {"metrics", Json::array()},
                {"doc_hash", sha256_hex(doc.doc.dump(2))},
                {"prompt_hash", sha256_hex(doc.arguments[0].first)},
                {"target_hash", sha256_hex(target)}};
    for (const DocScore& score : scores) {
        sample["metrics"].push_back(score.metric);
        sample[score.metric] = score.shown;
    }
    return sample;
}

std::vector<DocScore> scores_of(const TaskRequests& task, const TaskDoc& doc, const DocAnswers& answers, const std::string& text) {
    const TaskConfig& config = task.config();
    switch (config.output_type) {
        case OutputType::loglikelihood: return score_loglikelihood(config, answers.loglikelihoods[0]);
        case OutputType::loglikelihood_rolling: return score_rolling(config, doc.arguments[0].first, sum_of(answers.loglikelihoods));
        case OutputType::multiple_choice: return score_choices(config, task.texts(), doc.doc, answers.loglikelihoods);
        case OutputType::generate_until: break;
    }
    return score_generated(config, task.texts(), doc.doc, text);
}

ScoredTask score_task(const TaskRequests& task, const TaskAnswers& answers, TaskSamples& samples) {
    ScoredTask scored;
    scored.config = &task.config();
    scored.all_docs = task.all_docs();
    scored.docs = static_cast<std::int64_t>(task.docs().size());
    scored.cut_docs = task.cut_docs();
    scored.docs_without_right = task.docs_without_right();
    samples.task = task.config().task;
    const bool texts = task.config().output_type == OutputType::generate_until;
    for (const TaskFilter& entry : task.config().filters) {
        const AnswerFilter filter(task.config(), entry);
        const std::size_t first = scored.metrics.size();
        for (const TaskMetric& metric : task.config().metrics) scored.metrics.push_back({metric.name, entry.name, {}});
        for (const TaskDoc& doc : task.docs()) {
            const DocAnswers own = answers_of(doc, answers);
            const std::string text = texts ? filter.apply(doc.doc, own.texts) : std::string();
            const std::vector<DocScore> scores = scores_of(task, doc, own, text);
            for (const DocScore& score : scores)
                for (std::size_t i = first; i < scored.metrics.size(); ++i)
                    if (scored.metrics[i].metric == score.metric) scored.metrics[i].values.push_back(score.value);
            samples.samples.push_back(sample_of(task, doc, own, entry.name, text, scores));
        }
    }
    std::erase_if(scored.metrics, [](const ScoredMetric& metric) { return metric.values.empty(); });
    return scored;
}

// What the scores do not show.
void warn(const TaskRequests& task, std::int64_t max_length) {
    if (task.cut_docs() > 0)
        log_warning("task {}: {} of {} documents do not fit into {} tokens: their prompts lose their beginning", task.config().task, task.cut_docs(),
                    task.docs().size(), max_length);
    if (task.docs_without_right() > 0)
        log_warning("task {}: {} of {} documents have a right answer that is none of the choices (doc_to_target): every choice counts as wrong",
                    task.config().task, task.docs_without_right(), task.docs().size());
}

}  // namespace

Evaluation evaluate(const Decoder& decoder, const Tokenizer& tokenizer, Comm& comm, TaskSet tasks, const EvaluateOptions& options,
                    const EvaluateProgress& progress) {
    AskSettings settings;
    settings.batch_tokens = options.batch_tokens;
    settings.max_length = options.max_length > 0 ? options.max_length : decoder.config().max_position_embeddings;
    settings.end_ids = options.end_ids;
    const RequestEncoder encoder(tokenizer);
    std::vector<TaskRequests> requests;
    for (const std::string& warning : tasks.warnings)
        if (comm.rank() == 0) log_warning("{}", warning);
    for (TaskConfig& task : tasks.tasks) {
        // A task that says 0 stays at 0, as in the reference.
        if (options.num_fewshot && task.given_fewshot != 0) task.num_fewshot = *options.num_fewshot;
        requests.emplace_back(task, encoder, options.prompt, options.limit, settings.max_length);
        if (comm.rank() == 0) warn(requests.back(), settings.max_length);
        progress("prompts", static_cast<std::int64_t>(requests.size()), static_cast<std::int64_t>(tasks.tasks.size()));
    }
    AnswerCache cache(options.answers, comm.rank());
    const std::vector<TaskAnswers> answers = ask(decoder, tokenizer, comm, requests, settings, cache, progress);
    Evaluation evaluation;
    std::vector<ScoredTask> scored;
    evaluation.samples.resize(requests.size());
    for (std::size_t t = 0; t < requests.size(); ++t) {
        scored.push_back(score_task(requests[t], answers[t], evaluation.samples[t]));
        evaluation.requests += static_cast<std::int64_t>(requests[t].requests().size() + requests[t].contexts().size());
    }
    progress("scores", 0, 1);
    evaluation.results = task_results(scored, tasks.groups, options.bootstrap_iters, options.threads);
    return evaluation;
}

}  // namespace temper
