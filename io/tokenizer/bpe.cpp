#include "io/tokenizer/bpe.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>

#include "io/unicode.h"
#include "kernels/error.h"

namespace temper::tok {

namespace {

constexpr std::size_t few = 48;                    // symbols
constexpr std::string_view mark = "\xe2\x96\x81";  // U+2581

}  // namespace

void MergeTable::reserve(std::size_t merges) {
    const std::size_t slots = std::bit_ceil(merges * 2 + 2);
    slots_.assign(slots, none);
    merges_.reserve(merges);
    mask_ = slots - 1;
    shift_ = 64 - std::countr_zero(slots);
}

void MergeTable::add(std::int32_t left, std::int32_t right, std::int32_t id) {
    const std::uint64_t hash = hash_of(left, right);
    const std::uint32_t known = find(left, right);
    std::size_t at = static_cast<std::size_t>(hash >> shift_);
    while (slots_[at] != none && (known == none || (slots_[at] & (most - 1)) != known)) at = (at + 1) & mask_;
    slots_[at] = (static_cast<std::uint32_t>(hash) & ~(most - 1)) | static_cast<std::uint32_t>(merges_.size());
    merges_.push_back({left, right, id});
}

Bpe::Bpe(const JsonSection& model) : TokenModel(model) {
    model.allow_only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges",
                      "vocab", "merges"});
    if (const Json* dropout = model.find("dropout"); dropout && (!dropout->is_number() || dropout->get<double>() != 0))
        model.refuse("dropout", "merges left out at random are not supported");
    prefix_ = model.text_if("continuing_subword_prefix").value_or("");
    suffix_ = model.text_if("end_of_word_suffix").value_or("");
    fuse_unknown_ = model.boolean("fuse_unk", false);
    ignore_merges_ = model.boolean("ignore_merges", false);
    read_merges(model);
    build_character_table();
    if (const auto unknown = model.text_if("unk_token")) {
        unknown_ = vocabulary().find(*unknown);
        if (!unknown_) model.refuse("unk_token", "\"" + *unknown + "\" is not in the vocabulary");
    }
    if (model.boolean("byte_fallback", false)) {
        if (!prefix_.empty() || !suffix_.empty()) model.refuse("byte_fallback", "not supported with continuing_subword_prefix or end_of_word_suffix");
        for (int byte = 0; byte < 256; ++byte) byte_fallback_.push_back(vocabulary().find(fmt::format("<0x{:02X}>", byte)).value_or(-1));
    }
    know_alone();
}

void Bpe::read_merges(const JsonSection& model) {
    const Json* merges = model.find("merges");
    if (!merges || !merges->is_array()) model.refuse("merges", "expected an array");
    if (merges->size() >= MergeTable::most)
        model.refuse("merges", fmt::format("{} of them, expected fewer than {}", merges->size(), MergeTable::most));
    merges_.reserve(merges->size());
    cuts_words_ = vocabulary().find(mark) && suffix_.empty() && prefix_.empty() && !ignore_merges_;
    for (std::size_t i = 0; i < merges->size(); ++i) {
        const Json& merge = (*merges)[i];
        const std::string place = fmt::format("merges[{}]", i);
        std::string left, right;
        if (merge.is_string()) {
            const auto& line = merge.get_ref<const std::string&>();
            if (line.rfind("#version", 0) == 0) continue;
            const std::size_t space = line.find(' ');
            if (space == std::string::npos || line.find(' ', space + 1) != std::string::npos)
                model.refuse(place, "expected two parts with a space between");
            left = line.substr(0, space);
            right = line.substr(space + 1);
        } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
            left = merge[0].get<std::string>();
            right = merge[1].get<std::string>();
        } else {
            model.refuse(place, "expected \"a b\" or [\"a\", \"b\"]");
        }
        if (right.size() < prefix_.size()) model.refuse(place, "the right part is shorter than continuing_subword_prefix");
        const auto id_of = [&](const std::string& token) {
            const auto id = vocabulary().find(token);
            if (!id) model.refuse(place, "\"" + token + "\" is not in the vocabulary");
            return *id;
        };
        const std::int32_t left_id = id_of(left), right_id = id_of(right);
        const std::string whole = left + right.substr(prefix_.size());
        merges_.add(left_id, right_id, id_of(whole));
        cuts_words_ = cuts_words_ && whole.find("<0x") == std::string::npos;  // bytes do not merge
        neighbours_.add(whole);
    }
}

void Bpe::build_character_table() {
    characters_.assign(0x10000, -1);
    for (std::int64_t id = 0; id < vocabulary().id_limit(); ++id) {
        const std::string* token = vocabulary().token(id);
        if (!token || token->empty() || character_size((*token)[0]) != token->size()) continue;
        if (const char32_t c = decode_character(*token, 0); c < characters_.size()) characters_[c] = vocabulary().find(*token).value_or(-1);
    }
}

void Bpe::know_alone() {
    if (!byte_fallback_.empty() && std::find(byte_fallback_.begin(), byte_fallback_.end(), -1) == byte_fallback_.end()) neighbours_.all_alone();
    for (char32_t c = 0; c < characters_.size(); ++c)
        if (characters_[c] >= 0) neighbours_.add_alone(c);
    neighbours_.build();
}

std::size_t Bpe::cut(std::string_view text, std::size_t& at, Word* words, std::size_t capacity) const {
    if (!cuts_words_) return TokenModel::cut(text, at, words, capacity);
    std::size_t count = 0;
    for (; count < capacity && at < text.size(); ++count) {
        const std::size_t end = neighbours_.word_end(text, at);
        words[count] = {at, end};
        at = end;
    }
    return count;
}

void Bpe::encode(std::string_view word, bool plain, std::vector<Symbol>& symbols) const {
    if (word.empty()) return;
    if (ignore_merges_) {
        const auto id = vocabulary().find(word);
        if (id && !(plain && is_control(*id))) {
            symbols.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
            return;
        }
    }
    if (symbols.empty()) {
        first_symbols(word, symbols);
        merge(symbols);
        return;
    }
    std::vector<Symbol> own;
    first_symbols(word, own);
    merge(own);
    symbols.insert(symbols.end(), own.begin(), own.end());
}

std::int32_t Bpe::find_character(std::string_view character) const {
    if (character_size(character[0]) == character.size()) {  // it has no affix
        const char32_t c = decode_character(character, 0);
        if (c < characters_.size()) return characters_[c];
    }
    return vocabulary().find(character).value_or(-1);
}

bool Bpe::add_bytes(std::string_view character, std::uint32_t begin, std::vector<Symbol>& symbols) const {
    if (byte_fallback_.empty()) return false;
    for (const char byte : character)
        if (byte_fallback_[static_cast<unsigned char>(byte)] < 0) return false;
    for (std::uint32_t i = 0; i < character.size(); ++i)
        symbols.push_back({byte_fallback_[static_cast<unsigned char>(character[i])], begin + i, begin + i + 1});
    return true;
}

// One symbol a character; unknown ones as bytes, else as the unknown token (neighbours in one where the model fuses them), else none.
void Bpe::first_symbols(std::string_view word, std::vector<Symbol>& symbols) const {
    symbols.reserve(word.size());
    std::optional<Symbol> unknown;  // not yet written: the next may fuse with it
    const auto flush = [&] {
        if (unknown) symbols.push_back(*unknown);
        unknown.reset();
    };
    std::string affixed;
    for (std::size_t at = 0, next = 0; at < word.size(); at = next) {
        next = at + character_size(word[at]);
        const auto begin = static_cast<std::uint32_t>(at), end = static_cast<std::uint32_t>(next);
        std::string_view character = word.substr(at, next - at);
        const bool inside = at > 0 && !prefix_.empty(), last = next == word.size() && !suffix_.empty();
        if (inside || last) {
            affixed = (inside ? prefix_ : "") + std::string(character) + (last ? suffix_ : "");
            character = affixed;
        }
        if (const std::int32_t id = find_character(character); id >= 0) {
            flush();
            symbols.push_back({id, begin, end});
        } else if (!add_bytes(character, begin, symbols) && unknown_) {
            if (unknown && fuse_unknown_) {
                unknown->end = end;
            } else {
                flush();
                unknown = Symbol{*unknown_, begin, end};
            }
        }
    }
    flush();
}

// Lowest rank first, then leftmost.
void Bpe::merge(std::vector<Symbol>& symbols) const {
    if (symbols.size() < 2) return;
    if (symbols.size() <= few) merge_few(symbols);
    else merge_many(symbols);
}

// Looks for the best pair again after each merge: cheap as long as the word is short.
void Bpe::merge_few(std::vector<Symbol>& symbols) const {
    std::array<std::uint32_t, few> ranks;  // of each symbol with the next
    const auto look = [&](std::size_t left) { ranks[left] = merges_.find(symbols[left].id, symbols[left + 1].id); };
    std::size_t count = symbols.size();
    for (std::size_t i = 0; i + 1 < count; ++i) merges_.expect(symbols[i].id, symbols[i + 1].id);
    for (std::size_t i = 0; i + 1 < count; ++i) look(i);
    while (count > 1) {
        std::size_t best = 0;
        for (std::size_t i = 1; i + 1 < count; ++i)
            if (ranks[i] < ranks[best]) best = i;
        if (ranks[best] == MergeTable::none) break;
        symbols[best] = {merges_[ranks[best]].id, symbols[best].begin, symbols[best + 1].end};
        --count;
        for (std::size_t i = best + 1; i < count; ++i) symbols[i] = symbols[i + 1];
        for (std::size_t i = best + 1; i + 1 < count; ++i) ranks[i] = ranks[i + 1];
        if (best + 1 < count) look(best);
        if (best > 0) look(best - 1);
    }
    symbols.resize(count);
}

// A heap over a linked list of symbols: n log n in the length of the word.
void Bpe::merge_many(std::vector<Symbol>& symbols) const {
    struct Link {
        std::uint32_t previous, next;
    };
    constexpr std::uint32_t none = ~std::uint32_t(0);
    const auto count = static_cast<std::uint32_t>(symbols.size());
    std::vector<Link> links(count);
    std::vector<std::uint64_t> heap;  // rank above, place of the left symbol below; the smallest on top
    const auto consider = [&](std::uint32_t left, std::uint32_t right) {
        const std::uint32_t rank = merges_.find(symbols[left].id, symbols[right].id);
        if (rank != MergeTable::none) heap.push_back(static_cast<std::uint64_t>(rank) << 32 | left);
        return rank != MergeTable::none;
    };
    for (std::uint32_t i = 0; i < count; ++i) {
        links[i] = {i > 0 ? i - 1 : none, i + 1 < count ? i + 1 : none};
        if (i + 1 < count) consider(i, i + 1);
    }
    std::make_heap(heap.begin(), heap.end(), std::greater<>());
    while (!heap.empty()) {
        std::pop_heap(heap.begin(), heap.end(), std::greater<>());
        const auto rank = static_cast<std::uint32_t>(heap.back() >> 32), left = static_cast<std::uint32_t>(heap.back());
        heap.pop_back();
        const std::uint32_t right = links[left].next;
        if (symbols[left].id < 0 || right == none) continue;
        // The pair may have changed since it was queued.
        if (merges_[rank].left != symbols[left].id || merges_[rank].right != symbols[right].id) continue;
        symbols[left] = {merges_[rank].id, symbols[left].begin, symbols[right].end};
        symbols[right].id = -1;
        const std::uint32_t next = links[left].next = links[right].next, previous = links[left].previous;
        if (next != none) links[next].previous = left;
        if (previous != none && consider(previous, left)) std::push_heap(heap.begin(), heap.end(), std::greater<>());
        if (next != none && consider(left, next)) std::push_heap(heap.begin(), heap.end(), std::greater<>());
    }
    symbols.erase(std::remove_if(symbols.begin(), symbols.end(), [](const Symbol& symbol) { return symbol.id < 0; }), symbols.end());
}

}  // namespace temper::tok
