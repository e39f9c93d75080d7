#include "eval/task_answers.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "eval/text_answers.h"
#include "kernels/error.h"

namespace temper {
namespace {

// A request of a task.
struct Asked {
    std::size_t task, index;
};

// What every rank has in its cache is known to all of them only by chance: rank 0 decides what is left to ask.
std::vector<bool> agreed(Comm& comm, const std::vector<bool>& known) {
    std::vector<char> bits(known.begin(), known.end());
    if (!bits.empty()) comm.broadcast(bits.data(), bits.size(), 0);
    return {bits.begin(), bits.end()};
}

// NaN is not less than any number: choices would still have a likeliest one, and the task an accuracy.
void check_finite(const TaskRequests& task, std::size_t request, const Loglikelihood& answer) {
    if (std::isfinite(answer.sum)) return;
    const auto behind = std::upper_bound(task.docs().begin(), task.docs().end(), request,
                                         [](std::size_t index, const TaskDoc& doc) { return index < doc.first_request; });
    throw_error(ExitCode::non_finite, "task {}, document {}: log-probabilities that are not finite: the weights or the adapter are damaged",
                task.config().task, std::prev(behind)->id);
}

void ask_loglikelihoods(const Decoder& decoder, Comm& comm, const std::vector<TaskRequests>& tasks, const AskSettings& settings, AnswerCache& cache,
                        const EvaluateProgress& progress, std::vector<TaskAnswers>& answers) {
    std::vector<Asked> all;
    for (std::size_t t = 0; t < tasks.size(); ++t) {
        answers[t].loglikelihoods.resize(tasks[t].requests().size());
        for (std::size_t i = 0; i < tasks[t].requests().size(); ++i) all.push_back({t, i});
    }
    const auto request_of = [&](const Asked& asked) -> const LoglikelihoodRequest& { return tasks[asked.task].requests()[asked.index]; };
    std::vector<bool> known(all.size());
    std::vector<double> numbers(2 * all.size());
    for (std::size_t i = 0; i < all.size(); ++i)
        if (const std::optional<Loglikelihood> answer = cache.find(request_of(all[i]))) {
            known[i] = true;
            numbers[2 * i] = answer->sum;
            numbers[2 * i + 1] = answer->greedy ? 1.0 : 0.0;
        }
    known = agreed(comm, known);
    if (!numbers.empty()) comm.broadcast(numbers.data(), numbers.size() * sizeof(double), 0);
    std::vector<LoglikelihoodRequest> requests;
    std::vector<Asked> left;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (known[i]) {
            answers[all[i].task].loglikelihoods[all[i].index] = {numbers[2 * i], numbers[2 * i + 1] != 0.0};
            continue;
        }
        left.push_back(all[i]);
        requests.push_back(request_of(all[i]));
    }
    LoglikelihoodSettings how;
    how.batch_tokens = settings.batch_tokens;
    how.max_length = settings.max_length;
    how.finished = [&](std::size_t index, const Loglikelihood& answer) {
        check_finite(tasks[left[index].task], left[index].index, answer);
        cache.keep(requests[index], answer);
    };
    const std::vector<Loglikelihood> found = loglikelihoods(decoder, comm, requests, how, [&](std::int64_t done, std::int64_t total) {
        cache.flush();
        progress("loglikelihoods", done, total);
        stop_if_asked(cache);
    });
    for (std::size_t i = 0; i < left.size(); ++i) answers[left[i].task].loglikelihoods[left[i].index] = found[i];
}

// Generation of prompts that share their sampling settings.
struct Batch {
    GenerateSettings settings;
    std::string key;  // of the settings, for the cache
    std::vector<Asked> rows;
};

std::vector<std::string> stops_of(const TaskConfig& config) {
    std::vector<std::string> stops;
    for (const std::string& stop : config.generation.until)
        if (!stop.empty()) stops.push_back(stop);
    return stops;
}

std::vector<Batch> batches_of(const std::vector<TaskRequests>& tasks) {
    std::map<std::string, Batch> batches;
    for (std::size_t t = 0; t < tasks.size(); ++t) {
        const TaskGeneration& generation = tasks[t].config().generation;
        if (tasks[t].contexts().empty()) continue;
        GenerateSettings settings;
        settings.temperature = generation.temperature;
        settings.top_p = generation.top_p;
        settings.top_k = generation.top_k;
        if (generation.seed) settings.seed = static_cast<std::uint64_t>(*generation.seed);
        const std::string key = Json{settings.temperature, settings.top_p, settings.top_k, settings.seed}.dump();
        Batch& batch = batches[key];
        const std::int64_t longest = std::max(batch.rows.empty() ? 0 : batch.settings.max_new_tokens, tasks[t].max_gen_toks());
        batch.settings = settings;
        batch.settings.max_new_tokens = longest;
        batch.key = key;
        for (std::size_t i = 0; i < tasks[t].contexts().size(); ++i) batch.rows.push_back({t, i});
    }
    std::vector<Batch> all;
    for (auto& [key, batch] : batches) all.push_back(std::move(batch));
    return all;
}

std::vector<TextRequest> requests_of(const std::vector<TaskRequests>& tasks, const Batch& batch, const std::vector<StopTexts>& stops) {
    std::vector<TextRequest> requests;
    for (const Asked& row : batch.rows) {
        const TaskRequests& task = tasks[row.task];
        const std::string draws = batch.settings.temperature > 0.0 ? " row " + std::to_string(requests.size()) : "";
        requests.push_back({&task.contexts()[row.index], &stops[row.task], task.max_gen_toks(),
                            batch.key + Json(task.config().generation.until).dump() + std::to_string(task.max_gen_toks()) + draws});
    }
    return requests;
}

}  // namespace

std::vector<TaskAnswers> ask(const Decoder& decoder, const Tokenizer& tokenizer, Comm& comm, const std::vector<TaskRequests>& tasks,
                             const AskSettings& settings, AnswerCache& cache, const EvaluateProgress& progress) {
    std::vector<TaskAnswers> answers(tasks.size());
    ask_loglikelihoods(decoder, comm, tasks, settings, cache, progress, answers);
    std::vector<StopTexts> stops;
    for (std::size_t t = 0; t < tasks.size(); ++t) {
        answers[t].texts.resize(tasks[t].contexts().size());
        stops.emplace_back(tokenizer, tasks[t].contexts().empty() ? std::vector<std::string>() : stops_of(tasks[t].config()));
    }
    for (const Batch& batch : batches_of(tasks)) {
        const std::vector<std::vector<std::int32_t>> ids =
            answer_texts(decoder, comm, requests_of(tasks, batch, stops), batch.settings, settings.end_ids, cache,
                         [&](std::int64_t done, std::int64_t total) { progress("texts", done, total); });
        for (std::size_t i = 0; i < ids.size(); ++i) answers[batch.rows[i].task].texts[batch.rows[i].index] = stops[batch.rows[i].task].cut(ids[i]);
    }
    return answers;
}

}  // namespace temper
