#include "model/text_rows.h"

#include <algorithm>

#include "kernels/error.h"

namespace temper {

void TokenRows::clear() {
    ids.clear();
    types.clear();
    ends.clear();
    skipped.clear();
}

void TokenRows::append(const TokenRows& from, std::size_t first, std::size_t count) {
    if (count == 0) return;
    const std::int64_t begin = from.begin(first), end = from.ends[first + count - 1], moved = static_cast<std::int64_t>(ids.size()) - begin;
    if (!from.types.empty()) {
        types.resize(ids.size());
        types.insert(types.end(), from.types.begin() + begin, from.types.begin() + end);
    }
    ids.insert(ids.end(), from.ids.begin() + begin, from.ids.begin() + end);
    if (!types.empty()) types.resize(ids.size());
    if (!from.skipped.empty()) skipped.resize(size());
    for (std::size_t row = first; row < first + count; ++row) {
        if (!from.skipped.empty()) skipped.push_back(from.skipped[row]);
        ends.push_back(from.ends[row] + moved);
    }
    if (!skipped.empty()) skipped.resize(size());
}

TokenRows one_token() {
    TokenRows rows;
    rows.ids = {0};
    rows.ends = {1};
    return rows;
}

TextRows::TextRows(Tokenizer tokenizer, std::int64_t limit) : tokenizer_(std::move(tokenizer)), limit_(limit) {
    for (const PairPiece& piece : tokenizer_.pair_pieces()) pair_specials_ += piece.ids.size();
    const std::size_t specials = tokenizer_.tokens_before().size() + tokenizer_.tokens_after().size();
    if (limit < 1 || static_cast<std::size_t>(limit) <= specials)
        throw_error(ExitCode::usage, "a limit of {} tokens leaves no room for a text between {} special tokens", limit, specials);
    const Json& config = tokenizer_.config();
    cut_at_begin_ = config.contains("truncation_side") && config.at("truncation_side") == "left";
    if (config.contains("model_input_names") && config.at("model_input_names").is_array()) {
        const Json& names = config.at("model_input_names");
        types_ = std::find(names.begin(), names.end(), Json("token_type_ids")) != names.end();
    }
}

void TextRows::cut(std::vector<std::int32_t>& ids, std::size_t length) const {
    if (ids.size() <= length) return;
    if (cut_at_begin_) ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(length));
    else ids.resize(length);
}

bool TextRows::add(std::string_view text, TokenRows& rows, std::int32_t skipped) const {
    const std::vector<std::int32_t>&before = tokenizer_.tokens_before(), &after = tokenizer_.tokens_after();
    std::vector<std::int32_t> ids = tokenizer_.encode(text, false);
    const std::size_t room = static_cast<std::size_t>(limit_) - before.size() - after.size();
    const bool longer = ids.size() > room;
    cut(ids, room);
    for (const std::vector<std::int32_t>* part : {&before, static_cast<const std::vector<std::int32_t>*>(&ids), &after})
        rows.ids.insert(rows.ids.end(), part->begin(), part->end());
    rows.ends.push_back(static_cast<std::int64_t>(rows.ids.size()));
    if (!rows.types.empty()) rows.types.resize(rows.ids.size());
    if (skipped > 0 || !rows.skipped.empty()) {
        rows.skipped.resize(rows.ends.size());
        rows.skipped.back() = skipped;
    }
    return longer;
}

std::int32_t TextRows::prompt_tokens(std::string_view prompt) const {
    return static_cast<std::int32_t>(tokenizer_.tokens_before().size() + tokenizer_.encode(prompt, false).size());
}

bool TextRows::add_pair(std::string_view first, std::string_view second, TokenRows& rows) const {
    if (tokenizer_.pair_pieces().empty())
        throw_error(ExitCode::bad_data, "the tokenizer does not say how two texts make one row (a pair template in post_processor)");
    if (static_cast<std::size_t>(limit_) <= pair_specials_)
        throw_error(ExitCode::usage, "a limit of {} tokens leaves no room for two texts between {} special tokens", limit_, pair_specials_);
    std::vector<std::int32_t> a = tokenizer_.encode(first, false), b = tokenizer_.encode(second, false);
    // As the reference cuts: the shorter stays whole while it fits into half of the room.
    const std::size_t room = static_cast<std::size_t>(limit_) - pair_specials_;
    const bool longer = a.size() + b.size() > room;
    if (longer) {
        const std::size_t shorter = std::min(a.size(), b.size());
        std::size_t less = shorter, more = shorter > room ? shorter : std::max(shorter, room - shorter);
        if (less + more > room) less = room / 2, more = less + room % 2;
        const bool first_is_shorter = a.size() <= b.size();
        cut(a, first_is_shorter ? less : more);
        cut(b, first_is_shorter ? more : less);
    }
    if (types_) rows.types.resize(rows.ids.size());
    for (const PairPiece& piece : tokenizer_.pair_pieces()) {
        const std::vector<std::int32_t>& ids = piece.kind == PairPiece::Kind::tokens ? piece.ids : piece.kind == PairPiece::Kind::first ? a : b;
        rows.ids.insert(rows.ids.end(), ids.begin(), ids.end());
        if (types_) rows.types.resize(rows.ids.size(), piece.type);
    }
    rows.ends.push_back(static_cast<std::int64_t>(rows.ids.size()));
    return longer;
}

}  // namespace temper
