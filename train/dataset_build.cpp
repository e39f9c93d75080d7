#include "train/dataset_build.h"

#include <algorithm>

#include "io/durable.h"
#include "io/row_source.h"
#include "kernels/error.h"
#include "train/held_out.h"
#include "train/row_encoder.h"
#include "train/row_forms.h"

namespace temper {
namespace {

// Raise when tokens or marks of the same input change.
constexpr int token_format = 4;

// Columns that a file maps and rows may do without: a name that no row has is a mistake in writing it.
class UnseenColumns {
  public:
    explicit UnseenColumns(const DataFile& file) : file_(file) {
        for (const auto& [ours, theirs] : file.columns)
            if (is_optional_column(ours)) columns_.emplace_back(ours, theirs);
    }
    void note(const Json& row) {
        if (!columns_.empty()) std::erase_if(columns_, [&](const auto& column) { return row.contains(column.second); });
    }
    void check(std::int64_t rows) const {
        if (columns_.empty() || rows == 0) return;
        throw_error(ExitCode::bad_data, "{}: none of {} rows has a field '{}', which columns maps to '{}'", file_.path, rows, columns_[0].second,
                    columns_[0].first);
    }

  private:
    const DataFile& file_;
    std::vector<std::pair<std::string, std::string>> columns_;  // ours, the file's
};

class Builder {
  public:
    Builder(const TokenDataset::Request& request, const Tokenizer& tokenizer, const std::function<void()>& alive)
        : request_(request),
          tokenizer_(tokenizer),
          alive_(alive),
          encoder_(tokenizer, {request.model, request.chat_template, request.completion_only_loss, request.assistant_only_loss}) {
        if (request.val_size > 0) held_out_ = HeldOut(request, alive);
    }

    TokenizedRows build() {
        if (!encoder_.template_source().empty()) rows_.template_sha256 = sha256_hex(encoder_.template_source());
        for (const DataFile& file : request_.files) add_file(file);
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
    void add_file(const DataFile& file) {
        const auto index = static_cast<std::int64_t>(rows_.sources.size());
        rows_.sources.push_back({file.path, rows_sha256(file.path), 0, row_format(file.path), {}});
        const bool held_out_half = request_.role == "eval" && request_.val_size > 0;
        const auto reader = open_rows(file.path);
        Json row;
        std::int64_t read = 0;
        UnseenColumns unseen(file);
        while ((file.max_rows < 0 || read < file.max_rows) && reader->next(row)) {
            alive_();
            unseen.note(row);
            std::int64_t copies = copies_of(++read, file.weight);
            if (copies > 0 ? held_out_.contains(candidates_++) != held_out_half : held_out_half) continue;
            DataSource& source = rows_.sources.back();
            ++source.rows;
            ++rows_.report.rows;
            if (held_out_half) copies = 1;  // what a row weighs is a matter of training
            if (copies == 0) {
                ++rows_.report.not_drawn;
                continue;
            }
            rows_.report.repeated += copies - 1;
            if (!file.columns.empty()) rename_columns(file, row, reader->place());
            FormedRow formed = form_row(std::move(row), file.format, !encoder_.template_source().empty(), reader->place());
            ++source.forms[formed.form];
            const TokenRow tokens = encoder_.encode(formed.row, reader->place());
            for (std::int64_t copy = 0; copy < copies; ++copy) add_row(tokens, (index << 40) + reader->line(), reader->place());
        }
        if (!request_.sample) unseen.check(read);
    }

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
        rows_.ids.insert(rows_.ids.end(), row.ids.begin(), row.ids.end());
        rows_.supervised.insert(rows_.supervised.end(), row.supervised.begin(), row.supervised.end());
        rows_.offsets.push_back(static_cast<std::int64_t>(rows_.ids.size()));
        rows_.lines.push_back(line);
    }

    void count(const TokenRow& row) {
        DataReport& report = rows_.report;
        ++report.kept;
        report.tokens += static_cast<std::int64_t>(row.ids.size());
        report.supervised += std::count(row.supervised.begin() + 1, row.supervised.end(), std::uint8_t{1});
        report.longest = std::max(report.longest, static_cast<std::int64_t>(row.ids.size()));
        // Templates may write a line break behind the end token: look for an end token among the last supervised run of tokens.
        std::size_t last = row.ids.size();
        while (last > 0 && row.supervised[last - 1] == 0) --last;
        const bool ends =
            is_end(row.ids[last - 1]) || (last > 1 && row.supervised[last - 2] != 0 && is_end(row.ids[last - 2]) && is_blank(row.ids[last - 1]));
        if (!ends) ++report.no_end_token;
        const auto bos = tokenizer_.bos_id();
        const bool bos_is_structural = bos && !is_end(*bos);  // some models open every turn with the same token: only a leading pair counts
        if (bos_is_structural && row.ids.size() > 1 && row.ids[0] == *bos && row.ids[1] == *bos) ++report.several_bos;
    }

    bool is_end(std::int32_t id) const { return std::find(request_.end_ids.begin(), request_.end_ids.end(), id) != request_.end_ids.end(); }
    bool is_blank(std::int32_t id) const {
        const std::string text = tokenizer_.decode(Span<const std::int32_t>(&id, 1), false);
        return text.find_first_not_of(" \n\r\t") == std::string::npos;
    }

    const TokenDataset::Request& request_;
    const Tokenizer& tokenizer_;
    const std::function<void()>& alive_;
    RowEncoder encoder_;
    HeldOut held_out_;
    std::int64_t candidates_ = 0;
    TokenizedRows rows_;
};

}  // namespace

std::string token_cache_key(const TokenDataset::Request& request, const Tokenizer& tokenizer) {
    Json key;
    key["format"] = token_format;
    key["tokenizer"] = tokenizer.fingerprint();
    key["template"] = request.chat_template.empty() ? tokenizer.chat_template().value_or("") : request.chat_template;
    if (request.val_size > 0) key["held_out"] = {{"val_size", request.val_size}, {"seed", request.val_seed}, {"evaluated", request.role == "eval"}};
    key["max_length"] = request.max_length;
    key["on_overlong"] = request.on_overlong;
    key["completion_only_loss"] = request.completion_only_loss;
    key["assistant_only_loss"] = request.assistant_only_loss;
    key["end_ids"] = request.end_ids;
    key["files"] = Json::array();
    for (const DataFile& file : request.files) {
        if (!std::filesystem::exists(file.path)) throw_error(ExitCode::missing_input, "{} data '{}' does not exist", request.role, file.path);
        key["files"].push_back({{"path", file.path},
                                {"sha256", rows_sha256(file.path)},
                                {"max_rows", file.max_rows},
                                {"weight", file.weight},
                                {"columns", file.columns},
                                {"format", file.format}});
    }
    return sha256_hex(key.dump());
}

TokenizedRows tokenize_rows(const TokenDataset::Request& request, const Tokenizer& tokenizer, const std::function<void()>& alive) {
    return Builder(request, tokenizer, alive).build();
}

}  // namespace temper
