#include "retrieval/chunking.h"

#include <algorithm>

#include "io/unicode.h"
#include "kernels/error.h"
#include "retrieval/boundaries.h"

namespace temper {
namespace {

class Cutter {
  public:
    Cutter(const std::string& text, TextForm form, const ChunkSettings& settings, const CountTokens& count)
        : text_(text), settings_(settings), count_(count), cuts_(find_boundaries(text, form)), tokens_(count(text)) {}

    std::vector<ChunkRange> cut() {
        std::vector<ChunkRange> ranges;
        if (text_.find_first_not_of(" \t\n") == std::string::npos) return ranges;
        for (std::size_t begin = 0, fresh = 0; fresh < text_.size();) {
            std::size_t end = end_of(begin, fresh);
            if (end == 0 && begin < fresh) end = end_of(begin = fresh, fresh);  // the overlap alone is too much
            if (end == 0)
                throw_error(ExitCode::usage, "chunk_tokens is {}, and a single character has more tokens: raise it", settings_.chunk_tokens);
            ranges.push_back({begin, end, fresh});
            fresh = end;
            begin = next_begin(begin, end);
        }
        return ranges;
    }

  private:
    // Tokens that begin before a place.
    std::size_t tokens_before(std::size_t place) const {
        const auto at = std::lower_bound(tokens_.begin(), tokens_.end(), place,
                                         [](const Embedder::TokenPlace& token, std::size_t p) { return static_cast<std::size_t>(token.begin) < p; });
        return static_cast<std::size_t>(at - tokens_.begin());
    }
    // Where the token of this number begins, at the start of a character.
    std::size_t place_of(std::size_t token) const {
        if (token >= tokens_.size()) return text_.size();
        auto place = static_cast<std::size_t>(tokens_[token].begin);
        while (place > 0 && place < text_.size() && tok::is_continuation(text_[place])) --place;
        return place;
    }

    // The best cut in (above, most]; `most` itself is one, within a word.
    std::size_t best_cut(std::size_t above, std::size_t most) const {
        const auto before = [](std::size_t place, const Boundary& boundary) { return place < boundary.place; };
        const auto first = std::upper_bound(cuts_.begin(), cuts_.end(), above, before), last = std::upper_bound(first, cuts_.end(), most, before);
        const Boundary* best = nullptr;
        for (auto it = first; it != last; ++it)
            if (best == nullptr || it->cut >= best->cut) best = &*it;
        return best == nullptr ? most : best->place;
    }

    // Tokens of a text change a little where it is cut (byte pairs join across): what counts is the chunk alone.
    bool fits(std::size_t begin, std::size_t end) const {
        return count_(text_.substr(begin, end - begin)).size() <= static_cast<std::size_t>(settings_.chunk_tokens);
    }

    // Of the chunk that begins there; 0 when not even one more character fits.
    std::size_t end_of(std::size_t begin, std::size_t fresh) const {
        const std::size_t first = tokens_before(begin), fresh_token = tokens_before(fresh);
        for (auto limit = static_cast<std::size_t>(settings_.chunk_tokens); limit > 0; --limit) {
            std::size_t end = text_.size();
            if (tokens_.size() - first > limit) {
                const std::size_t most = place_of(first + limit);
                std::size_t above = std::max(place_of(first + limit / 2), place_of(fresh_token + 1));
                if (above >= most) above = fresh;
                end = most > fresh ? best_cut(std::max(above, fresh), most) : fresh + tok::character_size(text_[fresh]);
            }
            if (fits(begin, end)) return end;
        }
        return 0;
    }

    std::size_t next_begin(std::size_t begin, std::size_t end) const {
        const auto behind = std::lower_bound(cuts_.begin(), cuts_.end(), end, [](const Boundary& b, std::size_t place) { return b.place < place; });
        if (behind != cuts_.end() && behind->place == end && behind->cut == Cut::section) return end;
        const std::size_t last = tokens_before(end), overlap = static_cast<std::size_t>(settings_.overlap_tokens);
        if (overlap == 0 || last <= overlap) return overlap == 0 ? end : begin;
        // Tokens of one character begin at one place: what is repeated begins behind them.
        std::size_t token = last - overlap;
        while (token < last && tokens_[token].begin == tokens_[token - 1].begin) ++token;
        std::size_t earliest = std::max(token < last ? static_cast<std::size_t>(tokens_[token].begin) : end, begin + 1);
        while (earliest < end && tok::is_continuation(text_[earliest])) ++earliest;
        const std::size_t latest = place_of(last - overlap / 2);
        // The first sentence in reach, else the first word, else the token.
        const auto first =
            std::lower_bound(cuts_.begin(), cuts_.end(), earliest, [](const Boundary& b, std::size_t place) { return b.place < place; });
        const Boundary* word = nullptr;
        for (auto it = first; it != cuts_.end() && it->place <= latest && it->place < end; ++it) {
            if (it->cut >= Cut::sentence) return it->place;
            if (word == nullptr) word = &*it;
        }
        return word != nullptr ? word->place : std::min(earliest, end);
    }

    const std::string& text_;
    const ChunkSettings& settings_;
    const CountTokens& count_;
    std::vector<Boundary> cuts_;
    std::vector<Embedder::TokenPlace> tokens_;
};

std::string stripped(const std::string& text, const ChunkRange& range) {
    std::string chunk = text.substr(range.begin, range.end - range.begin);
    chunk.erase(chunk.find_last_not_of(" \t\n") + 1);
    // Indentation of the first line of code stays.
    const std::size_t first = chunk.find_first_not_of(" \t\n");
    const std::size_t line = first == std::string::npos ? std::string::npos : chunk.rfind('\n', first);
    if (line != std::string::npos) chunk.erase(0, line + 1);
    return chunk;
}

}  // namespace

std::vector<ChunkRange> chunk_ranges(const std::string& text, TextForm form, const ChunkSettings& settings, const CountTokens& tokens) {
    return Cutter(text, form, settings, tokens).cut();
}

std::vector<Chunk> chunk_document(const Document& document, const ChunkSettings& settings, const CountTokens& tokens) {
    const std::vector<Heading> headings = document.form == TextForm::markdown ? find_headings(document.text) : std::vector<Heading>();
    std::vector<Chunk> chunks;
    for (const ChunkRange& range : chunk_ranges(document.text, document.form, settings, tokens)) {
        Chunk chunk;
        chunk.text = stripped(document.text, range);
        if (chunk.text.empty()) continue;
        chunk.document = document.id;
        chunk.ordinal = static_cast<std::int64_t>(chunks.size());
        chunk.id = document.id + "#" + std::to_string(chunk.ordinal);
        chunk.metadata = document.metadata;
        const std::string heading = heading_path(headings, range.fresh);
        if (!heading.empty()) chunk.metadata["heading"] = heading;
        chunks.push_back(std::move(chunk));
    }
    return chunks;
}

}  // namespace temper
