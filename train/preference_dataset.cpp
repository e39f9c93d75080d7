#include "train/preference_dataset.h"

#include <algorithm>

#include "train/preference_build.h"

namespace temper {

PreferenceDataset PreferenceDataset::open(const Request& request, const Tokenizer& tokenizer, Comm& comm) {
    return PreferenceDataset(TokenFile::open(request.cache_directory, token_cache_key(request, tokenizer), comm,
                                             [&](const auto& alive) { return tokenize_preferences(request, tokenizer, alive); }));
}

PreferenceDataset PreferenceDataset::from_rows(const std::vector<PreferenceRow>& rows) {
    TokenTable all(rows.empty() || rows[0].answers.size() == 2 ? 3 : 2);
    all.sources.push_back({"rows", "", static_cast<std::int64_t>(rows.size()), "", {}});
    DataReport& report = all.report;
    PreferenceReport& preference = report.preference.emplace();
    for (const PreferenceRow& row : rows) {
        add_preference(all, row, all.rows() + 1);
        std::int64_t whole = static_cast<std::int64_t>(row.prompt.size());
        for (const auto& answer : row.answers) {
            report.longest = std::max(report.longest, static_cast<std::int64_t>(row.prompt.size() + answer.size()));
            whole += static_cast<std::int64_t>(answer.size());
        }
        report.tokens += whole;
        preference.longest_row = std::max(preference.longest_row, whole);
    }
    report.rows = report.kept = all.rows();
    return PreferenceDataset(TokenFile::in_memory(all));
}

}  // namespace temper
