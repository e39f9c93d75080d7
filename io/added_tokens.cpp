#include "io/added_tokens.h"

#include <algorithm>

#include "io/unicode.h"
#include "kernels/error.h"

namespace temper::tok {

AddedToken read_added_token(const JsonSection& section) {
    AddedToken token;
    token.content = section.text("content");
    token.single_word = section.boolean("single_word", false);
    token.lstrip = section.boolean("lstrip", false);
    token.rstrip = section.boolean("rstrip", false);
    token.special = section.boolean("special", false);
    token.normalized = section.boolean("normalized", !token.special);
    return token;
}

std::uint32_t TokenTrie::child(std::uint32_t node, unsigned char byte) const {
    const auto& children = nodes_[node].children;
    const auto found = std::lower_bound(children.begin(), children.end(), std::pair<unsigned char, std::uint32_t>(byte, 0));
    return found != children.end() && found->first == byte ? found->second : 0;
}

void TokenTrie::add(std::string_view bytes, std::int32_t value) {
    std::uint32_t node = 0;
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        std::uint32_t next = child(node, byte);
        if (next == 0) {
            next = static_cast<std::uint32_t>(nodes_.size());
            auto& children = nodes_[node].children;
            children.insert(std::lower_bound(children.begin(), children.end(), std::pair<unsigned char, std::uint32_t>(byte, 0)), {byte, next});
            nodes_.emplace_back();
        }
        node = next;
    }
    nodes_[node].value = value;
}

bool TokenTrie::contains(std::string_view bytes) const {
    std::uint32_t node = 0;
    for (const char c : bytes)
        if ((node = child(node, static_cast<unsigned char>(c))) == 0) return false;
    return nodes_[node].value >= 0;
}

std::pair<std::int32_t, std::size_t> TokenTrie::longest(std::string_view text, std::size_t at) const {
    std::pair<std::int32_t, std::size_t> best(-1, 0);
    std::uint32_t node = 0;
    for (std::size_t i = at; i < text.size(); ++i) {
        if ((node = child(node, static_cast<unsigned char>(text[i]))) == 0) break;
        if (nodes_[node].value >= 0) best = {nodes_[node].value, i + 1 - at};
    }
    return best;
}

void AddedTokens::add(const std::vector<AddedToken>& tokens, const Bpe& model) {
    std::int64_t next = std::max(id_limit(), static_cast<std::int64_t>(model.size()));
    for (const AddedToken& token : tokens) {
        if (token.content.empty()) continue;
        auto id = find(token.content);
        if (!id) id = model.find(token.content);
        if (!id) id = static_cast<std::int32_t>(next++);
        ids_[token.content] = *id;
        by_id_[*id] = token;
    }
}

void AddedTokens::build(const TextSteps& normalizer, const std::string& place) {
    plain_ = normalized_ = TokenTrie();
    normal_forms_.clear();
    for (const auto& [id, token] : by_id_) {
        std::string form = token.content;
        if (token.normalized) {
            TextPieces text(token.content);
            for (const TextStep& step : normalizer) step(text);
            form.clear();
            for (const Piece& piece : text.pieces()) form += text.view(piece);
            if (form != token.content) normal_forms_[id] = form;
        }
        TokenTrie& trie = token.normalized ? normalized_ : plain_;
        if (form.empty()) throw_error(ExitCode::bad_data, "{}: the added token \"{}\" is empty once normalized", place, token.content);
        if (trie.contains(form)) throw_error(ExitCode::bad_data, "{}: two added tokens are \"{}\" once normalized", place, form);
        trie.add(form, id);
    }
}

std::optional<std::int32_t> AddedTokens::find(std::string_view content) const {
    const auto found = ids_.find(std::string(content));
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const AddedToken* AddedTokens::token(std::int32_t id) const {
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? nullptr : &found->second;
}

const std::string* AddedTokens::decoded(std::int32_t id) const {
    if (const auto found = normal_forms_.find(id); found != normal_forms_.end()) return &found->second;
    const AddedToken* found = token(id);
    return found ? &found->content : nullptr;
}

bool AddedTokens::is_special(std::int32_t id) const {
    const AddedToken* found = token(id);
    return found && found->special;
}

namespace {

// No word character on either side.
bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
    const bool before = begin > 0 && is_word(decode_character_before(text, begin));
    return !before && !(end < text.size() && is_word(decode_character(text, end)));
}

std::size_t skip_space_back(std::string_view text, std::size_t at, std::size_t least) {
    while (at > least && is_whitespace(decode_character_before(text, at))) {
        do --at;
        while (is_continuation(text[at]));
    }
    return at;
}

std::size_t skip_space(std::string_view text, std::size_t at) {
    while (at < text.size() && is_whitespace(decode_character(text, at))) at += character_size(text[at]);
    return at;
}

}  // namespace

void AddedTokens::extract(TextPieces& pieces, bool normalized) const {
    const TokenTrie& trie = normalized ? normalized_ : plain_;
    if (trie.empty()) return;
    pieces.split([&](std::string_view text, std::vector<Piece>& out) {
        std::size_t covered = 0;
        for (std::size_t at = 0; at < text.size();) {
            const auto [id, length] = trie.longest(text, at);
            if (length == 0) {
                ++at;
                continue;
            }
            const AddedToken& token = by_id_.at(id);
            std::size_t begin = at, end = at + length;
            at = end;  // matches do not overlap, whether they are taken or not
            if (token.single_word && !stands_alone(text, begin, end)) continue;
            if (token.lstrip) begin = skip_space_back(text, begin, std::min(covered, begin));
            if (token.rstrip) end = skip_space(text, end);
            if (covered < begin) out.push_back({covered, begin});
            out.push_back({begin, end, id});
            covered = end;
        }
        if (covered < text.size()) out.push_back({covered, text.size()});
    });
}

}  // namespace temper::tok
