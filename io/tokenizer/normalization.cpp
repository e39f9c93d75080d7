// Unicode normal forms by utf8proc, cluster by cluster: a cluster runs from one character that cannot join its predecessor to the next.
// The output of a cluster covers the whole cluster of the input. Characters newer than the reference's tables stay as they are.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <unordered_set>

#include <utf8proc.h>

#include "io/tokenizer/text_steps.h"
#include "io/unicode.h"
#include "io/unicode_tables.h"
#include "kernels/error.h"

namespace temper::tok {

namespace {

utf8proc_option_t options_of(NormalForm form) {
    const int compose = form == NormalForm::nfc || form == NormalForm::nfkc ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
    const int compatible = form == NormalForm::nfkc || form == NormalForm::nfkd ? UTF8PROC_COMPAT : 0;
    return static_cast<utf8proc_option_t>(compose | compatible | UTF8PROC_STABLE);
}

bool is_inert(char32_t c) { return find_row(normalization_inert(), c) != nullptr; }

std::array<utf8proc_int32_t, 32> decompose(char32_t c, NormalForm form, std::size_t& size) {
    std::array<utf8proc_int32_t, 32> out{};  // the longest decomposition has 18
    int boundary_class = 0;
    const auto options = static_cast<utf8proc_option_t>((options_of(form) & ~UTF8PROC_COMPOSE) | UTF8PROC_DECOMPOSE);
    const auto n =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), out.data(), static_cast<utf8proc_ssize_t>(out.size()), options, &boundary_class);
    if (n < 0) throw_error(ExitCode::internal, "utf8proc: {}", utf8proc_errmsg(n));
    size = static_cast<std::size_t>(n);
    return out;
}

// Characters of combining class 0 that compose with the one before them (vowel signs; the jamo are told by range).
const std::unordered_set<char32_t>& composing_starters() {
    static const std::unordered_set<char32_t> instance = [] {
        std::unordered_set<char32_t> found;
        for (char32_t c = 0xc0; c < 0x30000; ++c) {
            if ((c >= 0xac00 && c <= 0xdfff) || is_inert(c)) continue;
            std::size_t size = 0;
            const auto parts = decompose(c, NormalForm::nfd, size);
            for (std::size_t i = 1; i < size; ++i)
                if (utf8proc_get_property(parts[i])->combining_class == 0) found.insert(static_cast<char32_t>(parts[i]));
        }
        return found;
    }();
    return instance;
}

bool joins_predecessor(char32_t c, NormalForm form) {
    if (c < 0x300 || (c >= 0x3400 && c <= 0x9fff) || (c >= 0xac00 && c <= 0xd7a3) || is_inert(c)) return false;
    std::size_t size = 0;
    const auto first = static_cast<char32_t>(decompose(c, form, size)[0]);
    const bool jamo = (first >= 0x1161 && first <= 0x1175) || (first >= 0x11a8 && first <= 0x11c2);
    return utf8proc_get_property(static_cast<utf8proc_int32_t>(first))->combining_class != 0 || jamo || composing_starters().count(first) != 0;
}

std::string normalize_cluster(std::string_view cluster, NormalForm form) {
    utf8proc_uint8_t* result = nullptr;
    const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(cluster.data()), static_cast<utf8proc_ssize_t>(cluster.size()), &result,
                                   options_of(form));
    const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owner(result, &std::free);
    if (size < 0) throw_error(ExitCode::internal, "utf8proc: {}", utf8proc_errmsg(size));
    return std::string(reinterpret_cast<const char*>(result), static_cast<std::size_t>(size));
}

// Alone, the character is its own normal form: ASCII always, and for NFC what most text is made of.
bool is_stable_alone(char32_t c, NormalForm form) {
    return c < 0x80 || (form == NormalForm::nfc && (c < 0x300 || (c >= 0x3400 && c <= 0x9fff) || (c >= 0xac00 && c <= 0xd7a3))) || is_inert(c);
}

void normalize(std::string_view piece, const SourceView& source, PieceWriter& out, NormalForm form) {
    const auto is_ascii = [&](std::size_t at) { return static_cast<unsigned char>(piece[at]) < 0x80; };
    for (std::size_t begin = 0; begin < piece.size();) {
        // ASCII with more of it behind, which nothing joins, is most of most text.
        std::size_t run = begin;
        while (run < piece.size() && is_ascii(run) && (run + 1 == piece.size() || is_ascii(run + 1))) ++run;
        out.copy(piece, source, begin, run);
        begin = run;
        if (begin == piece.size()) break;
        const char32_t first = decode_character(piece, begin);
        std::size_t end = begin + character_size(piece[begin]), characters = 1;
        while (!is_inert(first) && end < piece.size() && joins_predecessor(decode_character(piece, end), form)) {
            end += character_size(piece[end]);
            ++characters;
        }
        const std::string_view cluster = piece.substr(begin, end - begin);
        const std::string result = characters == 1 && is_stable_alone(first, form) ? std::string(cluster) : normalize_cluster(cluster, form);
        if (result == cluster) {
            out.copy(piece, source, begin, end);
        } else {
            out.put(result, {source[begin].begin, source[end - 1].end});
        }
        begin = end;
    }
}

}  // namespace

TextStep normalization(NormalForm form) {
    return [form](TextPieces& text) {
        text.rewrite([form](std::string_view piece, const SourceView& source, PieceWriter& out) { normalize(piece, source, out, form); });
    };
}

}  // namespace temper::tok
