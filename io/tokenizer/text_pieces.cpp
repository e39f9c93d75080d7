#include "io/tokenizer/text_pieces.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "io/unicode.h"
#include "kernels/error.h"

namespace temper::tok {

void PieceWriter::refuse_longer() { throw_error(ExitCode::bad_data, "normalised text of more than 2 GiB: cut the input in pieces"); }

void PieceWriter::copy_with(std::string_view piece, const SourceView& from, char byte, std::string_view instead) {
    constexpr std::size_t chunk = 8;
    if (source_ || instead.size() > chunk || piece.empty()) {
        for (std::size_t at = 0, next = 0; at < piece.size(); at = next) {
            next = std::min(piece.find(byte, at), piece.size());
            copy(piece, from, at, next);
            if (next < piece.size()) put(instead, from[next++]);
        }
        return;
    }
    const auto found = static_cast<std::size_t>(std::count(piece.begin(), piece.end(), byte));
    const std::size_t before = text_.size(), size = piece.size() - found + found * instead.size();
    need_room(size);
    if (text_.empty() && size > 0) first_ = from[instead.empty() ? std::min(piece.find_first_not_of(byte), piece.size() - 1) : 0].begin;
    // Eight bytes are written at each place, of which as many stay as belong there: no branch on what the text holds.
    text_.resize(before + size + chunk);
    std::array<char, chunk> other{};
    std::copy(instead.begin(), instead.end(), other.begin());
    char* to = text_.data() + before;
    for (const char c : piece) {
        const bool same = c == byte;
        std::memcpy(to, other.data(), chunk);
        *to = same ? other[0] : c;
        to += same ? instead.size() : 1;
    }
    text_.resize(before + size);
}

TextPieces::TextPieces(std::string_view input, bool with_sources) : text_(input), with_sources_(with_sources) {
    if (with_sources) source_.reserve(input.size());
    for (std::size_t at = 0; with_sources && at < input.size();) {
        const std::size_t size = character_size(input[at]);
        source_.insert(source_.end(), size, {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(at + size)});
        at += size;
    }
    if (!input.empty()) pieces_.push_back({0, input.size()});
}

SourceRange TextPieces::range(std::size_t begin, std::size_t end) const {
    assert(begin < end && end <= source_.size());
    return {source_[begin].begin, std::max(source_[begin].end, source_[end - 1].end)};
}

void TextPieces::split(const std::function<void(std::string_view, const SourceView&, std::vector<Piece>&)>& cut) {
    std::vector<Piece> result, found;
    result.reserve(pieces_.size());
    for (const Piece& piece : pieces_) {
        if (piece.id >= 0) {
            result.push_back(piece);
            continue;
        }
        found.clear();
        cut(view(piece), source(piece), found);
        for (const Piece& part : found)
            if (part.begin < part.end) result.push_back({piece.begin + part.begin, piece.begin + part.end, part.id});
    }
    pieces_ = std::move(result);
}

void TextPieces::rewrite(const std::function<void(std::string_view, const SourceView&, PieceWriter&)>& write) {
    std::string text;
    std::vector<SourceRange> from;
    text.reserve(text_.size() + text_.size() / 4);
    if (with_sources_) from.reserve(text_.size() + text_.size() / 4);
    std::vector<Piece> result;
    result.reserve(pieces_.size());
    PieceWriter writer(text, with_sources_ ? &from : nullptr);
    for (const Piece& piece : pieces_) {
        const std::size_t begin = text.size();
        if (piece.id >= 0) {
            writer.copy(view(piece), source(piece), 0, piece.end - piece.begin);
        } else {
            write(view(piece), source(piece), writer);
        }
        if (text.size() > begin) result.push_back({begin, text.size(), piece.id});
    }
    text_ = std::move(text);
    source_ = std::move(from);
    starts_input_ = writer.starts_input();
    pieces_ = std::move(result);
}

void apply_split_behavior(const std::vector<Match>& matches, SplitBehavior behavior, bool invert, std::vector<Piece>& pieces) {
    const auto is_delimiter = [&](const Match& match) { return match.matched != invert; };
    bool previous = false;
    switch (behavior) {
        case SplitBehavior::isolated:
            for (const Match& match : matches) pieces.push_back({match.begin, match.end});
            return;
        case SplitBehavior::removed:
            for (const Match& match : matches)
                if (!is_delimiter(match)) pieces.push_back({match.begin, match.end});
            return;
        case SplitBehavior::contiguous:
        case SplitBehavior::merged_with_previous:
            for (const Match& match : matches) {
                const bool joins = behavior == SplitBehavior::contiguous ? is_delimiter(match) == previous : is_delimiter(match) && !previous;
                if (joins && !pieces.empty()) pieces.back().end = match.end;
                else pieces.push_back({match.begin, match.end});
                previous = is_delimiter(match);
            }
            return;
        case SplitBehavior::merged_with_next:
            for (auto match = matches.rbegin(); match != matches.rend(); ++match) {
                if (is_delimiter(*match) && !previous && !pieces.empty()) pieces.back().begin = match->begin;
                else pieces.push_back({match->begin, match->end});
                previous = is_delimiter(*match);
            }
            std::reverse(pieces.begin(), pieces.end());
            return;
    }
}

}  // namespace temper::tok
