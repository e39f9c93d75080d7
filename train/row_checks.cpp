#include "train/row_checks.h"

#include <algorithm>

namespace temper {

bool RowChecks::is_end(std::int32_t id) const { return std::find(request_.end_ids.begin(), request_.end_ids.end(), id) != request_.end_ids.end(); }

bool RowChecks::is_blank(std::int32_t id) const {
    const std::string text = tokenizer_.decode(Span<const std::int32_t>(&id, 1), false);
    return text.find_first_not_of(" \n\r\t") == std::string::npos;
}

bool RowChecks::ends(Span<const std::int32_t> learned) const {
    const std::size_t size = learned.size();
    if (size == 0) return false;
    return is_end(learned[size - 1]) || (size > 1 && is_end(learned[size - 2]) && is_blank(learned[size - 1]));
}

bool RowChecks::has_two_bos(std::int32_t first, std::int32_t second) const {
    const auto bos = tokenizer_.bos_id();
    return bos && !is_end(*bos) && first == *bos && second == *bos;
}

}  // namespace temper
