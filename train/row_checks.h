// What is looked for in the tokens of every kind of rows. Internal to train/.
#pragma once
#include <cstdint>

#include "io/tokenizer/tokenizer.h"
#include "kernels/span.h"
#include "train/data_request.h"

namespace temper {

class RowChecks {
  public:
    RowChecks(const DataRequest& request, const Tokenizer& tokenizer) : request_(request), tokenizer_(tokenizer) {}
    bool is_end(std::int32_t id) const;
    bool is_blank(std::int32_t id) const;
    // Templates may write a line break behind the end token: that is an end too.
    bool ends(Span<const std::int32_t> learned) const;
    // A BOS that the template and the tokenizer both wrote, in the first two tokens. Some models open every turn with the same token.
    bool has_two_bos(std::int32_t first, std::int32_t second) const;

  private:
    const DataRequest& request_;
    const Tokenizer& tokenizer_;
};

// bad_data opening with `place` when a token is none of the model's.
void check_row_ids(Span<const std::int32_t> ids, std::int64_t vocabulary, const std::string& role, const std::string& place);

}  // namespace temper
