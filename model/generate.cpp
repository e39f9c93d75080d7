#include "model/generate.h"

#include <algorithm>

namespace temper {

std::vector<Generated> generate(const Decoder& decoder, const std::vector<std::vector<std::int32_t>>& prompts,
                                const std::vector<std::int32_t>& end_ids, const GenerateSettings& settings,
                                const std::function<void(std::int64_t, std::int64_t)>& progress) {
    if (prompts.empty()) return {};
    if (settings.max_new_tokens < 1 || settings.slots < 1) throw_error(ExitCode::usage, "generate: max_new_tokens and slots must be at least 1");
    std::size_t longest = 0;
    for (const auto& prompt : prompts) longest = std::max(longest, prompt.size());
    GenerationSession session(decoder, end_ids,
                              {std::min<std::int64_t>(settings.slots, static_cast<std::int64_t>(prompts.size())),
                               static_cast<std::int64_t>(longest) + settings.max_new_tokens, settings.prefill_tokens});
    for (std::size_t i = 0; i < prompts.size(); ++i) session.check(i, {prompts[i].data(), prompts[i].size()});
    std::vector<Generated> results(prompts.size());
    std::size_t next = 0;
    std::int64_t finished = 0, made = 0;
    const auto told = [&](std::uint64_t key, const Generated& so_far, bool last) {
        if (!so_far.failure.empty()) throw_error(ExitCode::non_finite, "generate: {}", so_far.failure);
        ++made;
        const auto row = static_cast<std::size_t>(key);
        if (!last && !(settings.stop && settings.stop(row, so_far.ids))) return true;
        results[row] = so_far;
        if (settings.finished) settings.finished(row, so_far);
        ++finished;
        return false;
    };
    while (finished < static_cast<std::int64_t>(prompts.size())) {
        while (next < prompts.size()) {
            GenerationRow row{next, prompts[next], settings.max_new_tokens, settings, settings.row_names.empty() ? next : settings.row_names[next]};
            if (!session.admit(row)) break;
            ++next;
        }
        session.step(told);
        if (progress) progress(finished, made);
    }
    return results;
}

}  // namespace temper
