#include "train/preference_build.h"

#include <algorithm>

#include "io/durable.h"
#include "kernels/error.h"
#include "train/preference_forms.h"
#include "train/row_checks.h"
#include "train/row_walk.h"

namespace temper {
namespace {

// TRL unpairs batches of this size: their chosen answers, then their rejected ones.
constexpr std::size_t unpaired_together = 1000;

class Builder {
  public:
    Builder(const DataRequest& request, const Tokenizer& tokenizer, const std::function<void()>& alive)
        : request_(request),
          checks_(request, tokenizer),
          encoder_(tokenizer, request.model, request.chat_template),
          walk_(request, alive),
          rows_(request.kind == RowKind::pairs ? 3 : 2) {
        rows_.report.preference.emplace();
    }

    TokenTable build() {
        const bool has_template = !encoder_.template_source().empty();
        if (has_template) rows_.template_sha256 = sha256_hex(encoder_.template_source());
        walk_.run(
            rows_,
            [&](Json row, const std::string& format, const std::string& place) {
                return form_preference_row(std::move(row), format, request_.kind, has_template, place);
            },
            [&](const WalkedRow& row) { take(row); });
        flush_rejected();
        if (rows_.report.kept == 0) fail_without_rows();
        return std::move(rows_);
    }

  private:
    struct Waiting {
        PreferenceRow row;
        std::int64_t line;
    };
    PreferenceReport& preference() { return *rows_.report.preference; }

    void take(const WalkedRow& walked) {
        const Json& row = walked.formed.row;
        if (walked.formed.prompt_elsewhere) ++preference().prompt_elsewhere;
        if (row.contains("label")) {
            PreferenceRow one = encoder_.encode(row, {"completion"}, walked.place);
            one.label = label_of(row, walked.place);
            for (std::int64_t copy = 0; copy < walked.copies; ++copy) add(one, walked);
        } else if (request_.kind == RowKind::pairs) {
            const PreferenceRow pair = encoder_.encode(row, {"chosen", "rejected"}, walked.place);
            for (std::int64_t copy = 0; copy < walked.copies; ++copy) add(pair, walked);
        } else {
            take_unpaired(walked);
        }
    }

    void take_unpaired(const WalkedRow& walked) {
        const PreferenceRow chosen = encoder_.encode(walked.formed.row, {"chosen"}, walked.place);
        PreferenceRow rejected = encoder_.encode(walked.formed.row, {"rejected"}, walked.place);
        rejected.label = false;
        for (std::int64_t copy = 0; copy < walked.copies; ++copy) {
            PreferenceRow one = chosen, other = rejected;
            const bool keep_one = fits(one, walked.place), keep_other = fits(other, walked.place);
            if (keep_one && keep_other && one.prompt == other.prompt && one.answers == other.answers && !keeps_identical(walked.place)) continue;
            if (keep_one) finish(one, walked.line);
            if (keep_other) waiting_.push_back({std::move(other), walked.line});
        }
        if (++pairs_waiting_ == unpaired_together) flush_rejected();
    }

    void flush_rejected() {
        for (const Waiting& waiting : waiting_) finish(waiting.row, waiting.line);
        waiting_.clear();
        pairs_waiting_ = 0;
    }

    void add(PreferenceRow row, const WalkedRow& walked) {
        if (!fits(row, walked.place)) return;
        if (row.answers.size() == 2 && row.answers[0] == row.answers[1] && !keeps_identical(walked.place)) return;
        finish(row, walked.line);
    }

    // What stands in the row's way is counted; a row that is too long is cut.
    bool fits(PreferenceRow& row, const std::string& place) {
        for (const auto& answer : row.answers)
            row.empty = row.empty || std::all_of(answer.begin(), answer.end(), [&](auto id) { return checks_.is_end(id); });
        if (row.empty && !keeps_empty(row, place)) return false;
        if (!fits_length(row, place)) return false;
        const bool learns = std::all_of(row.answers.begin(), row.answers.end(), [&](const auto& answer) { return predicted(row, answer) > 0; });
        if (!learns) ++rows_.report.dropped_unsupervised;
        return learns;
    }

    bool keeps_empty(const PreferenceRow& row, const std::string& place) {
        ++preference().empty;
        if (request_.on_empty == "fail")
            throw_error(ExitCode::bad_data, "{}: an answer has no text and data.on_empty is fail: give it one, or set data.on_empty to drop or keep",
                        place);
        const bool no_token = std::any_of(row.answers.begin(), row.answers.end(), [](const auto& answer) { return answer.empty(); });
        if (request_.on_empty == "keep" && !no_token) return true;
        ++preference().dropped_empty;  // without a token there is no probability to learn
        return false;
    }

    bool keeps_identical(const std::string& place) {
        ++preference().identical;
        if (request_.on_identical == "fail")
            throw_error(
                ExitCode::bad_data,
                "{}: chosen and rejected are the same tokens within data.max_length {} and data.on_identical is fail: take the row out, or set "
                "data.on_identical to drop",
                place, request_.max_length);
        if (request_.on_identical == "keep") return true;
        ++preference().dropped_identical;
        return false;
    }

    bool fits_length(PreferenceRow& row, const std::string& place) {
        DataReport& report = rows_.report;
        const std::size_t limit = static_cast<std::size_t>(request_.max_length);
        std::size_t longest = 0;
        for (const auto& answer : row.answers) longest = std::max(longest, row.prompt.size() + answer.size());
        if (longest <= limit) return true;
        if (request_.on_overlong == "fail")
            throw_error(ExitCode::bad_data, "{}: {} tokens in prompt and answer, data.max_length is {} and data.on_overlong is fail", place, longest,
                        request_.max_length);
        if (request_.on_overlong == "drop") {
            ++report.dropped_overlong;
            return false;
        }
        if (row.prompt.size() >= limit) {
            ++preference().dropped_prompt;
            return false;
        }
        ++report.truncated;
        for (auto& answer : row.answers) {
            if (row.prompt.size() + answer.size() <= limit) continue;
            report.tokens_cut += static_cast<std::int64_t>(row.prompt.size() + answer.size() - limit);
            answer.resize(limit - row.prompt.size());
        }
        return true;
    }

    // The first token of all is predicted from nothing.
    static std::size_t predicted(const PreferenceRow& row, const std::vector<std::int32_t>& answer) {
        return row.prompt.empty() && !answer.empty() ? answer.size() - 1 : answer.size();
    }

    void finish(const PreferenceRow& row, std::int64_t line) {
        DataReport& report = rows_.report;
        ++report.kept;
        std::size_t whole = row.prompt.size();
        for (const auto& answer : row.answers) {
            whole += answer.size();
            report.supervised += static_cast<std::int64_t>(predicted(row, answer));
            report.longest = std::max(report.longest, static_cast<std::int64_t>(row.prompt.size() + answer.size()));
            const bool preferred = &answer == &row.answers[0] && row.label;
            if (!checks_.ends(answer)) ++(preferred ? report.no_end_token : preference().no_end_token_rejected);
        }
        report.tokens += static_cast<std::int64_t>(whole);
        preference().longest_row = std::max(preference().longest_row, static_cast<std::int64_t>(whole));
        if (row.prompt_end_left_out) ++preference().prompt_end_left_out;
        if (row.answers.size() == 1) ++(row.label ? preference().desirable : preference().undesirable);
        if (begins_with_two_bos(row)) ++report.several_bos;
        add_preference(rows_, row, line);
    }

    bool begins_with_two_bos(const PreferenceRow& row) const {
        std::vector<std::int32_t> start = row.prompt;
        if (start.size() < 2) start.insert(start.end(), row.answers[0].begin(), row.answers[0].end());
        return start.size() > 1 && checks_.has_two_bos(start[0], start[1]);
    }

    [[noreturn]] void fail_without_rows() const {
        const DataReport& report = rows_.report;
        const PreferenceReport& more = *report.preference;
        if (report.rows == 0) throw_error(ExitCode::bad_data, "{} data: {} holds no rows", request_.role, request_.files.front().path);
        throw_error(
            ExitCode::bad_data,
            "{} data {}: nothing is left of {} rows ({} dropped with identical answers, {} with an empty answer, {} as too long, {} because the "
            "prompt fills data.max_length {}, {} without a token to learn)",
            request_.role, request_.files.front().path, report.rows, more.dropped_identical, more.dropped_empty, report.dropped_overlong,
            more.dropped_prompt, request_.max_length, report.dropped_unsupervised);
    }

    const DataRequest& request_;
    RowChecks checks_;
    PreferenceEncoder encoder_;
    RowWalk walk_;
    TokenTable rows_;
    std::vector<Waiting> waiting_;
    std::size_t pairs_waiting_ = 0;
};

}  // namespace

TokenTable tokenize_preferences(const DataRequest& request, const Tokenizer& tokenizer, const std::function<void()>& alive) {
    return Builder(request, tokenizer, alive).build();
}

void add_preference(TokenTable& table, const PreferenceRow& row, std::int64_t line) {
    table.add_list(row.prompt);
    for (const std::vector<std::int32_t>& answer : row.answers) table.add_list(answer);
    if (row.answers.size() == 1) table.marks.push_back(row.label ? 1 : 0);
    table.lines.push_back(line);
}

}  // namespace temper
