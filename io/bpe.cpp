#include "io/bpe.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <functional>

#include "io/unicode.h"
#include "kernels/error.h"

namespace temper::tok {

namespace {

std::atomic<std::uint64_t> next_instance{1};

// Words that a thread has seen, for the model it used last in each of a few places.
class WordMemory {
  public:
    static WordMemory& of(std::uint64_t instance) {
        thread_local std::array<WordMemory, 4> memories;
        WordMemory& memory = memories[instance % memories.size()];
        if (memory.instance_ != instance) memory = WordMemory(instance);
        return memory;
    }
    WordMemory() = default;
    explicit WordMemory(std::uint64_t instance) : instance_(instance) {}

    bool recall(std::string_view word, std::vector<Symbol>& symbols) const {
        const auto found = words_.find(word);
        if (found == words_.end()) return false;
        const auto first = symbols_.begin() + static_cast<std::ptrdiff_t>(found->second.first);
        symbols.insert(symbols.end(), first, first + static_cast<std::ptrdiff_t>(found->second.second));
        return true;
    }
    void keep(std::string_view word, const std::vector<Symbol>& symbols, std::size_t from) {
        if (word.size() > 256 || words_.size() >= 65536) return;
        words_.emplace(std::string(word), std::pair(symbols_.size(), symbols.size() - from));
        symbols_.insert(symbols_.end(), symbols.begin() + static_cast<std::ptrdiff_t>(from), symbols.end());
    }

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    std::uint64_t instance_ = 0;
    std::unordered_map<std::string, std::pair<std::size_t, std::size_t>, Hash, std::equal_to<>> words_;  // first symbol, count
    std::vector<Symbol> symbols_;
};

}  // namespace

void MergeTable::reserve(std::size_t merges) {
    const std::size_t slots = std::bit_ceil(merges * 2 + 2);
    keys_.assign(slots, empty);
    merges_.assign(slots, {0, 0});
    mask_ = slots - 1;
}

void MergeTable::set(std::int32_t left, std::int32_t right, Merge merge) {
    std::size_t at = slot(key(left, right));
    while (keys_[at] != empty && keys_[at] != key(left, right)) at = (at + 1) & mask_;
    size_ += keys_[at] == empty;
    keys_[at] = key(left, right);
    merges_[at] = merge;
}

Bpe::Bpe(const JsonSection& model) : instance_(next_instance++) {
    if (const auto type = model.text_if("type"); type && *type != "BPE")
        model.refuse("type", "\"" + *type + "\" is not a model that is supported, expected \"BPE\"");
    model.allow_only({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges",
                      "vocab", "merges"});
    if (const Json* dropout = model.find("dropout"); dropout && (!dropout->is_number() || dropout->get<double>() != 0))
        model.refuse("dropout", "merges left out at random are not supported");
    prefix_ = model.text_if("continuing_subword_prefix").value_or("");
    suffix_ = model.text_if("end_of_word_suffix").value_or("");
    fuse_unknown_ = model.boolean("fuse_unk", false);
    ignore_merges_ = model.boolean("ignore_merges", false);
    read_vocabulary(model);
    read_merges(model);
    build_character_table();
    if (const auto unknown = model.text_if("unk_token")) {
        unknown_ = find(*unknown);
        if (!unknown_) model.refuse("unk_token", "\"" + *unknown + "\" is not in the vocabulary");
    }
    if (model.boolean("byte_fallback", false)) {
        if (!prefix_.empty() || !suffix_.empty()) model.refuse("byte_fallback", "not supported with continuing_subword_prefix or end_of_word_suffix");
        for (int byte = 0; byte < 256; ++byte) byte_fallback_.push_back(find(fmt::format("<0x{:02X}>", byte)).value_or(-1));
    }
}

void Bpe::read_vocabulary(const JsonSection& model) {
    constexpr std::int64_t most = 1 << 24;
    const JsonSection vocabulary = model.child("vocab");
    const std::size_t count = vocabulary.json().size();
    std::int64_t limit = 0;
    for (const auto& [token, id] : vocabulary.json().items()) limit = std::max(limit, vocabulary.integer_of(token, id, 0, most) + 1);
    // Holes are rare and few; a stray huge id must not cost memory.
    if (limit > static_cast<std::int64_t>(count) * 2 + 65536)
        model.refuse("vocab", fmt::format("{} tokens with ids up to {}: the ids are not dense", count, limit - 1));
    tokens_.resize(static_cast<std::size_t>(limit));
    present_.resize(tokens_.size());
    ids_.reserve(count);
    for (const auto& [token, value] : vocabulary.json().items()) {
        const auto id = value.get<std::size_t>();
        if (present_[id]) vocabulary.refuse(token, fmt::format("id {} is that of \"{}\" too", id, tokens_[id]));
        tokens_[id] = token;
        present_[id] = true;
        ids_.emplace(tokens_[id], static_cast<std::int32_t>(id));
    }
}

void Bpe::read_merges(const JsonSection& model) {
    const Json* merges = model.find("merges");
    if (!merges || !merges->is_array()) model.refuse("merges", "expected an array");
    merges_.reserve(merges->size());
    std::uint32_t rank = 0;
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
            const auto id = find(token);
            if (!id) model.refuse(place, "\"" + token + "\" is not in the vocabulary");
            return *id;
        };
        const std::int32_t left_id = id_of(left), right_id = id_of(right);
        merges_.set(left_id, right_id, {rank++, id_of(left + right.substr(prefix_.size()))});
    }
}

void Bpe::build_character_table() {
    characters_.assign(0x250, -1);
    for (char32_t c = 0; c < characters_.size(); ++c) characters_[c] = find(to_utf8(c)).value_or(-1);
}

std::optional<std::int32_t> Bpe::find(std::string_view token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const std::string* Bpe::token(std::int64_t id) const {
    return id >= 0 && id < id_limit() && present_[static_cast<std::size_t>(id)] ? &tokens_[static_cast<std::size_t>(id)] : nullptr;
}

void Bpe::encode(std::string_view word, std::vector<Symbol>& symbols) const {
    if (word.empty()) return;
    if (ignore_merges_) {
        if (const auto id = find(word)) {
            symbols.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
            return;
        }
    }
    WordMemory& memory = WordMemory::of(instance_);
    if (memory.recall(word, symbols)) return;
    const std::size_t from = symbols.size();
    std::vector<Symbol> own;
    first_symbols(word, own);
    merge(own);
    symbols.insert(symbols.end(), own.begin(), own.end());
    memory.keep(word, symbols, from);
}

std::int32_t Bpe::find_character(std::string_view character) const {
    if (character.size() <= 2) {
        const char32_t c = decode_character(character, 0);
        if (c < characters_.size()) return characters_[c];
    }
    return find(character).value_or(-1);
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

// Lowest rank first, then leftmost: a heap over a linked list of symbols, n log n in the length of the word.
void Bpe::merge(std::vector<Symbol>& symbols) const {
    if (symbols.size() < 2) return;
    struct Link {
        std::uint32_t previous, next;
    };
    constexpr std::uint32_t none = ~std::uint32_t(0);
    const auto count = static_cast<std::uint32_t>(symbols.size());
    std::vector<Link> links(count);
    std::vector<std::uint64_t> heap;  // rank above, place of the left symbol below; the smallest on top
    const auto consider = [&](std::uint32_t left, std::uint32_t right) {
        const MergeTable::Merge* found = merges_.find(symbols[left].id, symbols[right].id);
        if (found) heap.push_back(static_cast<std::uint64_t>(found->rank) << 32 | left);
        return found != nullptr;
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
        const MergeTable::Merge* current = merges_.find(symbols[left].id, symbols[right].id);
        if (!current || current->rank != rank) continue;
        symbols[left] = {current->id, symbols[left].begin, symbols[right].end};
        symbols[right].id = -1;
        const std::uint32_t next = links[left].next = links[right].next, previous = links[left].previous;
        if (next != none) links[next].previous = left;
        if (previous != none && consider(previous, left)) std::push_heap(heap.begin(), heap.end(), std::greater<>());
        if (next != none && consider(left, next)) std::push_heap(heap.begin(), heap.end(), std::greater<>());
    }
    symbols.erase(std::remove_if(symbols.begin(), symbols.end(), [](const Symbol& symbol) { return symbol.id < 0; }), symbols.end());
}

}  // namespace temper::tok
