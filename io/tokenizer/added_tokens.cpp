#include "io/tokenizer/added_tokens.h"

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

std::size_t AddedTokens::Finder::next(std::string_view text, std::size_t at) const {
    if (first_bytes.size() == 1) {
        const std::size_t found = text.find(first_bytes[0], at);
        return found == std::string_view::npos ? text.size() : found;
    }
    while (at < text.size() && trie.child(ByteTrie::root, static_cast<unsigned char>(text[at])) == ByteTrie::none) ++at;
    return at;
}

std::pair<std::int32_t, std::size_t> AddedTokens::Finder::longest(std::string_view text, std::size_t at) const {
    std::pair<std::int32_t, std::size_t> best(-1, 0);
    std::uint32_t node = ByteTrie::root;
    for (std::size_t i = at; i < text.size(); ++i) {
        if ((node = trie.child(node, static_cast<unsigned char>(text[i]))) == ByteTrie::none) break;
        if (trie.value(node) >= 0) best = {trie.value(node), i + 1 - at};
    }
    return best;
}

void AddedTokens::add(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary) {
    std::int64_t next = std::max(id_limit(), static_cast<std::int64_t>(vocabulary.size()));
    for (const AddedToken& token : tokens) {
        if (token.content.empty()) continue;
        auto id = find(token.content);
        if (!id) id = vocabulary.find(token.content);
        if (!id) id = static_cast<std::int32_t>(next++);
        ids_[token.content] = *id;
        by_id_[*id] = token;
    }
}

void AddedTokens::build(const TextSteps& normalizer, const std::string& place) {
    std::map<std::string, std::int32_t> plain, normalized;
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
        auto& found = token.normalized ? normalized : plain;
        if (form.empty()) throw_error(ExitCode::bad_data, "{}: the added token \"{}\" is empty once normalized", place, token.content);
        if (!found.emplace(form, id).second) throw_error(ExitCode::bad_data, "{}: two added tokens are \"{}\" once normalized", place, form);
    }
    const auto finder = [](const std::map<std::string, std::int32_t>& tokens) {
        Finder result;
        for (const auto& [text, id] : tokens)
            if (result.first_bytes.find(text[0]) == std::string::npos) result.first_bytes += text[0];
        result.trie = ByteTrie({tokens.begin(), tokens.end()});
        return result;
    };
    plain_ = finder(plain);
    normalized_ = finder(normalized);
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

std::vector<std::int32_t> AddedTokens::special_ids() const {
    std::vector<std::int32_t> ids;
    for (const auto& [id, token] : by_id_)
        if (token.special) ids.push_back(id);
    return ids;
}

void AddedTokens::extract(TextPieces& pieces, bool normalized, const SpecialRules& rules) const {
    const Finder& finder = normalized ? normalized_ : plain_;
    if (finder.first_bytes.empty()) return;
    const auto allows = [&](SourceRange range) {
        const std::size_t* barrier = std::upper_bound(rules.barriers.begin(), rules.barriers.end(), std::size_t(range.begin));
        return rules.parse && (barrier == rules.barriers.end() || *barrier > range.end);
    };
    pieces.split([&](std::string_view text, const SourceView& source, std::vector<Piece>& out) {
        std::size_t covered = 0;
        for (std::size_t at = finder.next(text, 0); at < text.size(); at = finder.next(text, at)) {
            const auto [id, length] = finder.longest(text, at);
            if (length == 0) {
                ++at;
                continue;
            }
            const AddedToken& token = by_id_.at(id);
            std::size_t begin = at, end = at + length;
            at = end;  // matches do not overlap, whether they are taken or not
            if (token.single_word && !stands_alone(text, begin, end)) continue;
            if (token.special && !allows({source[begin].begin, source[end - 1].end})) continue;
            if (token.lstrip) begin = std::max(covered, skip_space_back(text, begin, std::min(covered, begin)));
            if (begin >= end) continue;  // white space that the token before has taken
            if (token.rstrip) end = skip_space(text, end);
            if (covered < begin) out.push_back({covered, begin});
            out.push_back({begin, end, id});
            covered = end;
        }
        if (covered < text.size()) out.push_back({covered, text.size()});
    });
}

}  // namespace temper::tok
