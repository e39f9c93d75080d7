#include "train/dataset_build.h"

#include <algorithm>

#include "io/durable.h"
#include "kernels/error.h"
#include "train/row_checks.h"
#include "train/row_encoder.h"
#include "train/row_walk.h"

namespace temper {
namespace {

class Builder {
  public:
    Builder(const DataRequest& request, const Tokenizer& tokenizer, const std::function<void()>& alive)
        : request_(request),
          checks_(request, tokenizer),
          encoder_(tokenizer, {request.model, request.chat_template, request.completion_only_loss, request.assistant_only_loss}),
          walk_(request, alive) {}

    TokenTable build() {
        const bool has_template = !encoder_.template_source().empty();
        if (has_template) rows_.template_sha256 = sha256_hex(encoder_.template_source());
        walk_.run(
            rows_,
            [&](Json row, const std::string& format, const std::string& place) { return form_row(std::move(row), format, has_template, place); },
            [&](const WalkedRow& row) {
                const TokenRow tokens = encoder_.encode(row.formed.row, row.place);
                for (std::int64_t copy = 0; copy < row.copies; ++copy) add_row(tokens, row.line, row.place);
            });
        if (rows_.report.rows == 0) throw_error(ExitCode::bad_data, "{} data: {} holds no rows", request_.role, request_.files.front().path);
        if (rows_.report.kept == 0)
            throw_error(
                ExitCode::bad_data,
                "{} data {}: nothing is supervised in {} rows ({} dropped without a supervised token, {} dropped as too long): check the row kind, "
                "data.max_length {} and data.assistant_only_loss",
                request_.role, request_.files.front().path, rows_.report.rows, rows_.report.dropped_unsupervised, rows_.report.dropped_overlong,
                request_.max_length);
        return std::move(rows_);
    }

  private:
    void add_row(TokenRow row, std::int64_t line, const std::string& place) {
        DataReport& report = rows_.report;
        const auto length = static_cast<std::int64_t>(row.ids.size());
        if (length > request_.max_length) {
            if (request_.on_overlong == "fail")
                throw_error(ExitCode::bad_data, "{}: {} tokens, data.max_length is {} and data.on_overlong is fail", place, length,
                            request_.max_length);
            if (request_.on_overlong == "drop") {
                ++report.dropped_overlong;
                return;
            }
            ++report.truncated;
            report.tokens_cut += length - request_.max_length;
            row.ids.resize(static_cast<std::size_t>(request_.max_length));
            row.supervised.resize(row.ids.size());
        }
        const bool learns =
            row.ids.size() > 1 && std::find(row.supervised.begin() + 1, row.supervised.end(), std::uint8_t{1}) != row.supervised.end();
        if (!learns) {
            ++report.dropped_unsupervised;
            return;
        }
        count(row);
        rows_.add_list(row.ids);
        rows_.marks.insert(rows_.marks.end(), row.supervised.begin(), row.supervised.end());
        rows_.lines.push_back(line);
    }

    void count(const TokenRow& row) {
        DataReport& report = rows_.report;
        ++report.kept;
        report.tokens += static_cast<std::int64_t>(row.ids.size());
        report.supervised += std::count(row.supervised.begin() + 1, row.supervised.end(), std::uint8_t{1});
        report.longest = std::max(report.longest, static_cast<std::int64_t>(row.ids.size()));
        // The last run of supervised tokens.
        std::size_t last = row.ids.size();
        while (last > 0 && row.supervised[last - 1] == 0) --last;
        std::size_t first = last;
        while (first > 0 && row.supervised[first - 1] != 0) --first;
        if (!checks_.ends({row.ids.data() + first, last - first})) ++report.no_end_token;
        if (row.ids.size() > 1 && checks_.has_two_bos(row.ids[0], row.ids[1])) ++report.several_bos;
    }

    const DataRequest& request_;
    RowChecks checks_;
    RowEncoder encoder_;
    RowWalk walk_;
    TokenTable rows_{1};
};

}  // namespace

TokenTable tokenize_rows(const DataRequest& request, const Tokenizer& tokenizer, const std::function<void()>& alive) {
    return Builder(request, tokenizer, alive).build();
}

}  // namespace temper
