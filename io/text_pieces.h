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
// What becomes of a delimiter that a pattern matched (names as in tokenizer.json).
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

// Replacement text being written for a piece.
class PieceWriter {
  public:
    PieceWriter(std::string& text, std::vector<SourceRange>& source) : text_(text), source_(source) {}
    void put(std::string_view bytes, SourceRange range) {
        text_.append(bytes);
        source_.insert(source_.end(), bytes.size(), range);
    }

  private:
    std::string& text_;
    std::vector<SourceRange>& source_;
};

class TextPieces {
  public:
    explicit TextPieces(std::string_view input);  // one piece, the whole; the input is valid UTF-8

    const std::vector<Piece>& pieces() const { return pieces_; }
    std::string_view view(const Piece& piece) const { return std::string_view(text_).substr(piece.begin, piece.end - piece.begin); }
    const SourceRange* source(const Piece& piece) const { return source_.data() + piece.begin; }
    // The input's bytes behind [begin, end) of the rewritten text.
    SourceRange range(std::size_t begin, std::size_t end) const;

    // Both visit pieces without an id, in order.
    // Cuts a piece: cut(text, pieces) appends the new pieces, relative to the piece; empty ones are dropped.
    void split(const std::function<void(std::string_view, std::vector<Piece>&)>& cut);
    // Writes a piece anew.
    void rewrite(const std::function<void(std::string_view, const SourceRange*, PieceWriter&)>& write);

  private:
    std::string text_;
    std::vector<SourceRange> source_;
    std::vector<Piece> pieces_;
};

// Pieces from the matches of a pattern, which cover the text in order. Inverted: what did not match is the delimiter.
void apply_split_behavior(const std::vector<Match>& matches, SplitBehavior behavior, bool invert, std::vector<Piece>& pieces);

}  // namespace temper::tok
