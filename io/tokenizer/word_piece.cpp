#include "io/tokenizer/word_piece.h"

#include <algorithm>

#include "io/unicode.h"
#include "kernels/error.h"

namespace temper::tok {

LookupModel::LookupModel(const JsonSection& model, const std::string& unknown)
    : TokenModel(model), unknown_(vocabulary().find(unknown)), unknown_name_(unknown) {}

void LookupModel::put_unknown(std::string_view word, std::vector<Symbol>& symbols) const {
    if (!unknown_)
        throw_error(ExitCode::bad_data, "the tokenizer has no token for \"{}\", and \"{}\" is not in its vocabulary", word.substr(0, 64),
                    unknown_name_);
    symbols.push_back({*unknown_, 0, static_cast<std::uint32_t>(word.size())});
}

WordPiece::WordPiece(const JsonSection& model) : LookupModel(model, model.text("unk_token")) {
    model.allow_only({"type", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"});
    const std::string prefix = model.text("continuing_subword_prefix");
    longest_word_ = model.integer("max_input_chars_per_word", 0, std::int64_t(1) << 31);
    std::vector<ByteTrie::Entry> heads, tails;
    for (std::int32_t id = 0; id < vocabulary().id_limit(); ++id) {
        const std::string* token = vocabulary().token(id);
        if (!token) continue;
        heads.emplace_back(*token, id);
        if (token->compare(0, prefix.size(), prefix) == 0) tails.emplace_back(std::string_view(*token).substr(prefix.size()), id);
    }
    heads_ = ByteTrie(std::move(heads));
    tails_ = ByteTrie(std::move(tails));
}

void WordPiece::encode(std::string_view word, bool plain, std::vector<Symbol>& symbols) const {
    if (static_cast<std::int64_t>(word.size()) > longest_word_ &&
        std::count_if(word.begin(), word.end(), [](char c) { return !is_continuation(c); }) > longest_word_) {
        put_unknown(word, symbols);
        return;
    }
    const std::size_t from = symbols.size();
    for (std::size_t begin = 0; begin < word.size();) {
        const ByteTrie& trie = begin == 0 ? heads_ : tails_;
        std::int32_t best = -1;
        std::size_t best_end = begin;
        std::uint32_t node = ByteTrie::root;
        for (std::size_t end = begin; end < word.size();) {
            node = trie.child(node, static_cast<unsigned char>(word[end++]));
            if (node == ByteTrie::none) break;
            const std::int32_t id = trie.value(node);
            if (id < 0 || (plain && is_control(id)) || (end < word.size() && is_continuation(word[end]))) continue;
            best = id;
            best_end = end;
        }
        if (best < 0) {
            symbols.resize(from);
            put_unknown(word, symbols);
            return;
        }
        symbols.push_back({best, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(best_end)});
        begin = best_end;
    }
}

WordLevel::WordLevel(const JsonSection& model) : LookupModel(model, model.text("unk_token")) { model.allow_only({"type", "unk_token", "vocab"}); }

void WordLevel::encode(std::string_view word, bool plain, std::vector<Symbol>& symbols) const {
    if (word.empty()) return;
    const auto id = vocabulary().find(word);
    if (id && !(plain && is_control(*id))) symbols.push_back({*id, 0, static_cast<std::uint32_t>(word.size())});
    else put_unknown(word, symbols);
}

}  // namespace temper::tok
