#include "eval/text_answers.h"

#include <algorithm>

#include "kernels/error.h"
#include "runs/stop_signal.h"

namespace temper {

StopTexts::StopTexts(const Tokenizer& tokenizer, std::vector<std::string> stops) : tokenizer_(tokenizer), stops_(std::move(stops)) {
    for (const std::string& stop : stops_) longest_ = std::max(longest_, stop.size());
}

bool StopTexts::has_stop(const std::string& text) const {
    return std::any_of(stops_.begin(), stops_.end(), [&](const std::string& stop) { return text.find(stop) != std::string::npos; });
}

// The last tokens are looked at first: a stop text is no longer than so many of them.
bool StopTexts::in(const std::vector<std::int32_t>& ids) const {
    if (stops_.empty()) return false;
    const std::size_t window = std::min(ids.size(), longest_ + 8);
    return has_stop(tokenizer_.decode({ids.data() + (ids.size() - window), window}, false)) &&
           (window == ids.size() || has_stop(tokenizer_.decode(ids, false)));
}

std::string StopTexts::cut(const std::vector<std::int32_t>& ids) const {
    std::string text = tokenizer_.decode(ids, true);
    for (const std::string& stop : stops_) text.resize(std::min(text.find(stop), text.size()));
    return text;
}

std::vector<std::vector<std::int32_t>> answer_texts(const Decoder& decoder, Comm& comm, const std::vector<TextRequest>& requests,
                                                    GenerateSettings settings, const std::vector<std::int32_t>& end_ids, AnswerCache& cache,
                                                    const std::function<void(std::int64_t, std::int64_t)>& progress) {
    const auto prompt_of = [&](std::size_t row) -> const std::vector<std::int32_t>& { return *requests[row].prompt; };
    std::vector<std::vector<std::int32_t>> results(requests.size()), prompts;
    std::vector<std::size_t> left;
    for (std::size_t row = 0; row < requests.size(); ++row) {
        if (static_cast<int>(row % static_cast<std::size_t>(comm.size())) != comm.rank()) continue;
        if (auto known = cache.find(prompt_of(row), requests[row].key)) {
            results[row] = std::move(*known);
            continue;
        }
        left.push_back(row);
    }
    // The longest prompts first: the last slots to be busy then have little to do.
    std::stable_sort(left.begin(), left.end(), [&](std::size_t a, std::size_t b) { return prompt_of(a).size() > prompt_of(b).size(); });
    for (const std::size_t row : left) {
        prompts.push_back(prompt_of(row));
        settings.row_names.push_back(row);
    }
    settings.stop = [&](std::size_t row, const std::vector<std::int32_t>& ids) {
        const TextRequest& request = requests[left[row]];
        return static_cast<std::int64_t>(ids.size()) >= request.limit || request.stops->in(ids);
    };
    settings.finished = [&](std::size_t row, const Generated& generated) {
        cache.keep(prompt_of(left[row]), requests[left[row]].key, generated.ids);
    };
    const auto all = static_cast<std::int64_t>(left.size());
    const std::vector<Generated> made = generate(decoder, prompts, end_ids, settings, [&](std::int64_t done, std::int64_t) {
        cache.flush();
        progress(done, all);
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

void stop_if_asked(AnswerCache& cache) {
    if (stop_requested() == 0) return;
    cache.flush();
    throw_error(ExitCode::requeue, "stopped by signal {}; the answers so far are kept, the same command goes on from there", stop_requested());
}

}  // namespace temper
