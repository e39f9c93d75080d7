#include "train/row_walk.h"

#include <optional>

#include "io/progress.h"
#include "io/rows/row_source.h"
#include "kernels/error.h"

namespace temper {
namespace {

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

}  // namespace

RowWalk::RowWalk(const DataRequest& request, const std::function<void()>& alive) : request_(request), alive_(alive) {
    if (request.val_size > 0) held_out_ = HeldOut(request, alive);
}

void RowWalk::run(TokenTable& table, const Form& form, const std::function<void(WalkedRow)>& take) {
    for (const DataFile& file : request_.files) walk_file(file, table, form, take);
}

void RowWalk::walk_file(const DataFile& file, TokenTable& table, const Form& form, const std::function<void(WalkedRow)>& take) {
    const auto index = static_cast<std::int64_t>(table.sources.size());
    table.sources.push_back({file.path, rows_sha256(file.path), 0, row_format(file.path), {}});
    const bool held_out_half = request_.role == "eval" && request_.val_size > 0;
    const auto reader = open_rows(file.path);
    Json row;
    std::int64_t read = 0;
    UnseenColumns unseen(file);
    const double begin = Progress::steady_seconds();
    std::optional<Progress> progress;  // of a file that takes long
    while ((file.max_rows < 0 || read < file.max_rows) && reader->next(row)) {
        alive_();
        unseen.note(row);
        if (!progress && Progress::steady_seconds() - begin > 2.0) progress.emplace("tokenize " + file.path, 0);
        if (progress) progress->update(read, 0);
        std::int64_t copies = copies_of(++read, file.weight);
        if (copies > 0 ? held_out_.contains(candidates_++) != held_out_half : held_out_half) continue;
        DataSource& source = table.sources.back();
        ++source.rows;
        ++table.report.rows;
        if (held_out_half) copies = 1;  // what a row weighs is a matter of training
        if (copies == 0) {
            ++table.report.not_drawn;
            continue;
        }
        table.report.repeated += copies - 1;
        const std::string place = reader->place();
        if (!file.columns.empty()) rename_columns(file, row, place);
        FormedRow formed = form(std::move(row), file.format, place);
        ++source.forms[formed.form];
        take({std::move(formed), copies, (index << 40) + reader->line(), place});
    }
    if (!request_.sample) unseen.check(read);
}

}  // namespace temper
