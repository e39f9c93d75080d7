#include "eval/task_answers.h"

#include <algorithm>
#include <map>

#include "kernels/error.h"
#include "runs/stop_signal.h"

namespace temper {
namespace {

void stop_if_asked(AnswerCache& cache) {
    if (stop_requested() == 0) return;
    cache.flush();
    throw_error(ExitCode::requeue, "stopped by signal {}; the answers so far are kept, the same command goes on from there", stop_requested());
}

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
    how.finished = [&](std::size_t index, const Loglikelihood& answer) { cache.keep(requests[index], answer); };
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
    for (const Json& stop : config.generation_kwargs["until"])
        if (stop.is_string() && !stop.get<std::string>().empty()) stops.push_back(stop.get<std::string>());
    return stops;
}

std::vector<Batch> batches_of(const std::vector<TaskRequests>& tasks) {
    std::map<std::string, Batch> batches;
    for (std::size_t t = 0; t < tasks.size(); ++t) {
        const Json& arguments = tasks[t].config().generation_kwargs;
        if (tasks[t].contexts().empty()) continue;
        GenerateSettings settings;
        if (arguments.value("do_sample", false)) {
            settings.temperature = arguments.value("temperature", 1.0);
            settings.top_p = arguments.value("top_p", 1.0);
            settings.top_k = arguments.value("top_k", std::int64_t{0});
        }
        const std::string key = Json{settings.temperature, settings.top_p, settings.top_k}.dump();
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

// Whether a row has said what ends it. The last tokens are looked at first: a stop text is no longer than so many of them.
class StopTexts {
  public:
    StopTexts(const Tokenizer& tokenizer, std::vector<std::string> stops) : tokenizer_(tokenizer), stops_(std::move(stops)) {
        for (const std::string& stop : stops_) longest_ = std::max(longest_, stop.size());
    }
    bool in(const std::vector<std::int32_t>& ids) const {
        if (stops_.empty()) return false;
        const std::size_t window = std::min(ids.size(), longest_ + 8);
        return has_stop(tokenizer_.decode({ids.data() + (ids.size() - window), window}, false)) &&
               (window == ids.size() || has_stop(tokenizer_.decode(ids, false)));
    }
    // The answer: without special tokens, and without what comes behind the first stop text.
    std::string cut(const std::vector<std::int32_t>& ids) const {
        std::string text = tokenizer_.decode(ids, true);
        for (const std::string& stop : stops_) text.resize(std::min(text.find(stop), text.size()));
        return text;
    }

  private:
    bool has_stop(const std::string& text) const {
        return std::any_of(stops_.begin(), stops_.end(), [&](const std::string& stop) { return text.find(stop) != std::string::npos; });
    }
    const Tokenizer& tokenizer_;
    std::vector<std::string> stops_;
    std::size_t longest_ = 0;
};

std::vector<std::vector<std::int32_t>> run_batch(const Decoder& decoder, Comm& comm, const std::vector<TaskRequests>& tasks, const Batch& batch,
                                                 const std::vector<StopTexts>& stops, const AskSettings& settings, AnswerCache& cache,
                                                 const EvaluateProgress& progress) {
    std::vector<std::vector<std::int32_t>> results(batch.rows.size()), prompts;
    const auto context_of = [&](std::size_t row) -> const std::vector<std::int32_t>& {
        return tasks[batch.rows[row].task].contexts()[batch.rows[row].index];
    };
    const auto limit_of = [&](std::size_t row) { return tasks[batch.rows[row].task].max_gen_toks(); };
    const auto key_of = [&](std::size_t row) {
        return batch.key + tasks[batch.rows[row].task].config().generation_kwargs["until"].dump() + std::to_string(limit_of(row)) +
               (batch.settings.temperature > 0.0 ? " row " + std::to_string(row) : "");
    };
    std::vector<std::size_t> left;
    GenerateSettings how = batch.settings;
    for (std::size_t row = 0; row < batch.rows.size(); ++row) {
        if (static_cast<int>(row % static_cast<std::size_t>(comm.size())) != comm.rank()) continue;
        if (auto known = cache.find(context_of(row), key_of(row))) {
            results[row] = std::move(*known);
            continue;
        }
        left.push_back(row);
    }
    // The longest prompts first: the last slots to be busy then have little to do.
    std::stable_sort(left.begin(), left.end(), [&](std::size_t a, std::size_t b) { return context_of(a).size() > context_of(b).size(); });
    for (const std::size_t row : left) {
        prompts.push_back(context_of(row));
        how.row_names.push_back(row);
    }
    how.stop = [&](std::size_t row, const std::vector<std::int32_t>& ids) {
        return static_cast<std::int64_t>(ids.size()) >= limit_of(left[row]) || stops[batch.rows[left[row]].task].in(ids);
    };
    how.finished = [&](std::size_t row, const Generated& generated) { cache.keep(context_of(left[row]), key_of(left[row]), generated.ids); };
    const auto all = static_cast<std::int64_t>(left.size());
    const std::vector<Generated> made = generate(decoder, prompts, settings.end_ids, how, [&](std::int64_t done, std::int64_t) {
        cache.flush();
        progress("texts", done, all);
        stop_if_asked(cache);
    });
    for (std::size_t i = 0; i < left.size(); ++i) results[left[i]] = made[i].ids;
    for (std::size_t row = 0; comm.size() > 1 && row < results.size(); ++row) {
        const int owner = static_cast<int>(row % static_cast<std::size_t>(comm.size()));
        auto size = static_cast<std::int64_t>(results[row].size());
        comm.broadcast(&size, sizeof size, owner);
        results[row].resize(static_cast<std::size_t>(size));
        if (size > 0) comm.broadcast(results[row].data(), results[row].size() * sizeof(std::int32_t), owner);
    }
    return results;
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
        const std::vector<std::vector<std::int32_t>> ids = run_batch(decoder, comm, tasks, batch, stops, settings, cache, progress);
        for (std::size_t i = 0; i < ids.size(); ++i) answers[batch.rows[i].task].texts[batch.rows[i].index] = stops[batch.rows[i].task].cut(ids[i]);
    }
    return answers;
}

}  // namespace temper
