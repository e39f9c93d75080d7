// A text on its way to token ids: its bytes as rewritten so far, for each byte the range of the input that it comes from,
// and the pieces it is cut into. Added tokens are pieces that already have their id; no later step touches them.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace temper::tok {

struct SourceRange {
    std::uint32_t begin, end;  // bytes of the input
};
struct Piece {
    std::size_t begin, end;  // bytes of the rewritten text
    std::int32_t id = -1;    // of an added token
};
struct Match {
    std::size_t begin, end;  // relative to the piece
    bool matched;            // false: text between matches
};
// For each byte of a piece the range of the input that it comes from. A text that keeps no such ranges (nobody asks for offsets) gives
// places in the text as it stands, of which one thing still holds: only the input's first byte begins at 0.
class SourceView {
  public:
    SourceView(const SourceRange* ranges, std::uint32_t shift) : ranges_(ranges), shift_(shift) {}
    SourceRange operator[](std::size_t i) const {
        if (ranges_) return ranges_[i];
        const auto at = shift_ + static_cast<std::uint32_t>(i);
        return {at, at + 1};
    }
    const SourceRange* ranges() const { return ranges_; }  // nullptr where they are not kept

  private:
    const SourceRange* ranges_;
    std::uint32_t shift_;
};

// What becomes of a delimiter that a pattern matched (names as in tokenizer.json).
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

// Replacement text being written for a piece.
class PieceWriter {
  public:
    // bad_data before the text grows beyond `limit`: places in it are 32 bits wide.
    PieceWriter(std::string& text, std::vector<SourceRange>* source, std::size_t limit = std::size_t(1) << 31)
        : text_(text), source_(source), limit_(limit) {}
    void put(std::string_view bytes, SourceRange range) {
        need_room(bytes.size());
        if (text_.empty() && !bytes.empty()) first_ = range.begin;
        text_.append(bytes);
        if (source_) source_->insert(source_->end(), bytes.size(), range);
    }
    // Bytes [begin, end) of the piece as they are.
    void copy(std::string_view piece, const SourceView& from, std::size_t begin, std::size_t end) {
        if (begin >= end) return;
        need_room(end - begin);
        if (text_.empty()) first_ = from[begin].begin;
        text_.append(piece, begin, end - begin);
        if (source_) source_->insert(source_->end(), from.ranges() + begin, from.ranges() + end);
    }
    // The piece with another text for each of a byte.
    void copy_with(std::string_view piece, const SourceView& from, char byte, std::string_view instead);
    bool starts_input() const { return first_ == 0; }  // the first byte written comes from the input's first

  private:
    void need_room(std::size_t bytes) const {
        if (bytes > limit_ - text_.size()) refuse_longer();
    }
    [[noreturn]] static void refuse_longer();

    std::string& text_;
    std::vector<SourceRange>* source_;
    std::size_t limit_;
    std::uint32_t first_ = 1;
};

class TextPieces {
  public:
    // One piece, the whole; the input is valid UTF-8. Without sources nothing is known of where bytes come from.
    explicit TextPieces(std::string_view input, bool with_sources = true);

    const std::vector<Piece>& pieces() const { return pieces_; }
    std::size_t size() const { return text_.size(); }  // bytes of the rewritten text
    std::string_view view(const Piece& piece) const { return std::string_view(text_).substr(piece.begin, piece.end - piece.begin); }
    SourceView source(const Piece& piece) const {
        return {with_sources_ ? source_.data() + piece.begin : nullptr, static_cast<std::uint32_t>(piece.begin + (starts_input_ ? 0 : 1))};
    }
    // The input's bytes behind [begin, end) of the rewritten text.
    SourceRange range(std::size_t begin, std::size_t end) const;

    // Both visit pieces without an id, in order.
    // Cuts a piece: cut(text, pieces) appends the new pieces, relative to the piece; empty ones are dropped.
    void split(const std::function<void(std::string_view, const SourceView&, std::vector<Piece>&)>& cut);
    // Writes a piece anew.
    void rewrite(const std::function<void(std::string_view, const SourceView&, PieceWriter&)>& write);

  private:
    std::string text_;
    std::vector<SourceRange> source_;
    std::vector<Piece> pieces_;
    bool with_sources_, starts_input_ = true;
};

// Pieces from the matches of a pattern, which cover the text in order. Inverted: what did not match is the delimiter.
void apply_split_behavior(const std::vector<Match>& matches, SplitBehavior behavior, bool invert, std::vector<Piece>& pieces);

}  // namespace temper::tok
