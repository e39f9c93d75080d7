// What is looked for in the tokens of every kind of rows. Internal to train/.
#pragma once
#include <cstdint>

#include "io/tokenizer.h"
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

}  // namespace temper
