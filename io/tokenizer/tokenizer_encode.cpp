// Text to ids: added tokens, normalizer, pre-tokenizer, model. Who asks for offsets goes the long way, on which every byte knows where it
// comes from; all others the short one. The two give the same ids.
#include <array>

#include "io/tokenizer/tokenizer.h"
#include "io/tokenizer/tokenizer_impl.h"
#include "io/tokenizer/word_cache.h"
#include "io/unicode.h"
#include "kernels/error.h"

namespace temper {

Tokenizer::Impl::ShortWay Tokenizer::Impl::find_short_way() const {
    using Kind = tok::TextStep::Kind;
    ShortWay way;
    way.steps = pre_tokenizer.size();
    way.cache = tok::new_cache_number();
    if (way.steps > 0 && pre_tokenizer[way.steps - 1].kind == Kind::byte_alphabet) {
        way.byte_level = true;
        --way.steps;
    }
    if (way.steps > 0 && pre_tokenizer[way.steps - 1].kind == Kind::words) way.words = pre_tokenizer[--way.steps].words;
    return way;
}

void Tokenizer::Impl::encode(std::string_view text, const Options& options, std::vector<std::int32_t>& ids,
                             std::vector<std::pair<std::size_t, std::size_t>>* offsets) const {
    if (text.size() >= std::size_t(1) << 31) throw_error(ExitCode::bad_data, "a text of {} bytes to encode, expected less than 2 GiB", text.size());
    if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos)
        throw_error(ExitCode::bad_data, "the text to encode is not valid UTF-8 at byte {}", bad);
    const auto put_all = [&](const std::vector<std::int32_t>& added_ids) {
        ids.insert(ids.end(), added_ids.begin(), added_ids.end());
        if (offsets) offsets->insert(offsets->end(), added_ids.size(), {0, 0});
    };
    if (options.add_special_tokens) put_all(surroundings.before);

    const tok::SpecialRules rules{options.parse_special, options.barriers};
    const bool plain = !options.parse_special || !options.barriers.empty();  // what the text may command has been taken out of it by then
    tok::TextPieces pieces(text, offsets || !options.barriers.empty());
    added.extract(pieces, false, rules);
    for (const tok::TextStep& step : normalizer) step(pieces);
    added.extract(pieces, true, rules);
    const std::size_t steps = offsets ? pre_tokenizer.size() : short_way.steps;
    for (std::size_t i = 0; i < steps; ++i) pre_tokenizer[i](pieces);
    if (offsets) encode_symbols(pieces, plain, ids, *offsets);
    else encode_words(pieces, plain, ids);

    if (options.add_special_tokens) put_all(surroundings.after);
}

void Tokenizer::Impl::encode_symbols(const tok::TextPieces& pieces, bool plain, std::vector<std::int32_t>& ids,
                                     std::vector<std::pair<std::size_t, std::size_t>>& offsets) const {
    const auto put = [&](std::int32_t id, tok::SourceRange range) {
        ids.push_back(id);
        offsets.emplace_back(range.begin, range.end);
    };
    std::vector<tok::Symbol> symbols;
    for (const tok::Piece& piece : pieces.pieces()) {
        if (piece.id >= 0) {
            put(piece.id, pieces.range(piece.begin, piece.end));
            continue;
        }
        const std::string_view text = pieces.view(piece);
        for (std::size_t at = 0; at < text.size();) {
            tok::Word word{};
            model->cut(text, at, &word, 1);
            symbols.clear();
            model->encode(text.substr(word.begin, word.end - word.begin), plain, symbols);
            const std::size_t begin = piece.begin + word.begin;
            for (const tok::Symbol& symbol : symbols) put(symbol.id, pieces.range(begin + symbol.begin, begin + symbol.end));
        }
    }
}

void Tokenizer::Impl::encode_words(const tok::TextPieces& pieces, bool plain, std::vector<std::int32_t>& ids) const {
    tok::WordCache& cache = tok::WordCache::of(short_way.cache);
    thread_local std::vector<tok::Symbol> symbols;
    thread_local std::string characters;
    tok::IdWriter out(ids);
    const auto encode_word = [&](std::string_view word) {
        symbols.clear();
        if (short_way.byte_level) {
            characters.clear();
            for (const char byte : word) tok::append_utf8(characters, tok::byte_to_character(static_cast<unsigned char>(byte)));
            model->encode(characters, plain, symbols);
        } else {
            model->encode(word, plain, symbols);
        }
        for (const tok::Symbol& symbol : symbols) out.put(symbol.id);
    };
    std::array<tok::Word, 64> words;
    std::array<tok::WordCache::Key, 64> keys;
    const auto put_words = [&](std::string_view text, std::size_t behind, std::size_t count) {
        if (plain) {  // may give other ids than those that are remembered
            for (std::size_t i = 0; i < count; ++i) encode_word(text.substr(words[i].begin, words[i].end - words[i].begin));
            return;
        }
        for (std::size_t i = 0; i < count; ++i) {
            keys[i] = tok::WordCache::key_of(text.substr(words[i].begin, words[i].end - words[i].begin), text.size() - words[i].begin + behind);
            cache.expect(keys[i]);
        }
        for (std::size_t i = 0; i < count; ++i) {
            const std::string_view word = text.substr(words[i].begin, words[i].end - words[i].begin);
            if (cache.recall(keys[i], word, out)) continue;
            encode_word(word);
            cache.keep(keys[i], word, symbols);
        }
    };
    for (const tok::Piece& piece : pieces.pieces()) {
        const std::string_view text = pieces.view(piece);
        const std::size_t behind = pieces.size() - piece.end;  // bytes that may be read behind the piece
        if (piece.id >= 0) {
            out.put(piece.id);
        } else if (!short_way.words && (short_way.byte_level || !model->knows_words())) {
            words[0] = {0, text.size()};
            put_words(text, behind, 1);
        } else {
            for (std::size_t at = 0; at < text.size();) {
                const std::size_t count =
                    short_way.words ? short_way.words(text, at, words.data(), words.size()) : model->cut(text, at, words.data(), words.size());
                put_words(text, behind, count);
            }
        }
    }
    out.flush();
}

void Tokenizer::encode(std::string_view text, const Options& options, std::vector<std::int32_t>& ids) const {
    impl_->encode(text, options, ids, nullptr);
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, const Options& options) const {
    std::vector<std::int32_t> ids;
    impl_->encode(text, options, ids, nullptr);
    return ids;
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
    Options options;
    options.add_special_tokens = add_special_tokens;
    return encode(text, options);
}

Tokenizer::Encoding Tokenizer::encode_with_offsets(std::string_view text, const Options& options) const {
    Encoding encoding;
    impl_->encode(text, options, encoding.ids, &encoding.offsets);
    return encoding;
}

Tokenizer::Encoding Tokenizer::encode_with_offsets(std::string_view text, bool add_special_tokens) const {
    Options options;
    options.add_special_tokens = add_special_tokens;
    return encode_with_offsets(text, options);
}

}  // namespace temper
