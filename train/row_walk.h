// The rows of a request's files, in order: max_rows, weights, columns and the held-out half hold alike for every kind of rows.
// Internal to train/.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "io/jsonl.h"
#include "train/held_out.h"
#include "train/row_forms.h"
#include "train/token_file.h"

namespace temper {

struct WalkedRow {
    FormedRow formed;
    std::int64_t copies;  // at least 1
    std::int64_t line;    // as TokenTable::lines has it
    std::string place;
};

class RowWalk {
  public:
    RowWalk(const DataRequest& request, const std::function<void()>& alive);
    // Every row that is drawn at all, formed by `form(row, format, place)`; the figures go into the table's report and sources.
    using Form = std::function<FormedRow(Json row, const std::string& format, const std::string& place)>;
    void run(TokenTable& table, const Form& form, const std::function<void(WalkedRow)>& take);

  private:
    void walk_file(const DataFile& file, TokenTable& table, const Form& form, const std::function<void(WalkedRow)>& take);

    const DataRequest& request_;
    const std::function<void()>& alive_;
    HeldOut held_out_;
    std::int64_t candidates_ = 0;
};

}  // namespace temper
