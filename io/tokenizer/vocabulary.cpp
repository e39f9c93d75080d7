#include "io/tokenizer/vocabulary.h"

#include <algorithm>

#include "kernels/error.h"

namespace temper::tok {

Vocabulary::Vocabulary(const JsonSection& model) {
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
    size_ = count;
    for (const auto& [token, value] : vocabulary.json().items()) {
        const auto id = value.get<std::size_t>();
        if (present_[id]) vocabulary.refuse(token, fmt::format("id {} is that of \"{}\" too", id, tokens_[id]));
        tokens_[id] = token;
        present_[id] = true;
        ids_.emplace(tokens_[id], static_cast<std::int32_t>(id));
    }
}

Vocabulary::Vocabulary(std::vector<std::string> tokens) : tokens_(std::move(tokens)), present_(tokens_.size(), true), size_(tokens_.size()) {
    ids_.reserve(tokens_.size());
    for (std::size_t id = 0; id < tokens_.size(); ++id) ids_[tokens_[id]] = static_cast<std::int32_t>(id);
}

std::optional<std::int32_t> Vocabulary::find(std::string_view token) const {
    const auto found = ids_.find(token);
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const std::string* Vocabulary::token(std::int64_t id) const {
    return id >= 0 && id < id_limit() && present_[static_cast<std::size_t>(id)] ? &tokens_[static_cast<std::size_t>(id)] : nullptr;
}

}  // namespace temper::tok
