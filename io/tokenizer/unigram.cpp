#include "io/tokenizer/unigram.h"

#include <algorithm>
#include <cmath>

#include "io/unicode.h"
#include "kernels/error.h"

namespace temper::tok {

namespace {

// [["<unk>", 0.0], ...]
std::vector<std::string> read_tokens(const JsonSection& model) {
    const Json* vocabulary = model.find("vocab");
    if (!vocabulary || !vocabulary->is_array()) model.refuse("vocab", "expected an array of [token, score]");
    if (vocabulary->size() > std::size_t(1) << 24) model.refuse("vocab", fmt::format("{} tokens, expected at most {}", vocabulary->size(), 1 << 24));
    std::vector<std::string> tokens;
    tokens.reserve(vocabulary->size());
    for (const Json& entry : *vocabulary) {
        if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number())
            model.refuse(fmt::format("vocab[{}]", tokens.size()), "expected [token, score]");
        tokens.push_back(entry[0].get<std::string>());
    }
    return tokens;
}

// A score as the reference's reader of JSON has it: the digits as a whole number, times or through a power of ten, each rounded. That may
// be one unit in the last place off the nearest double, and decides between ways of the same score.
double read_score(double nearest) {
    const std::string text = fmt::format("{}", std::abs(nearest));  // the shortest that reads back, as it stands in the file
    std::uint64_t digits = 0;
    int exponent = 0;
    std::size_t at = 0;
    for (bool fraction = false; at < text.size() && text[at] != 'e'; ++at) {
        if (text[at] == '.') {
            fraction = true;
            continue;
        }
        digits = digits * 10 + static_cast<std::uint64_t>(text[at] - '0');
        exponent -= fraction ? 1 : 0;
    }
    if (at < text.size()) exponent += std::stoi(text.substr(at + 1));
    double value = static_cast<double>(digits);
    for (; exponent < -308 && value != 0; exponent += 308) value /= 1e308;
    const double power = std::stod(fmt::format("1e{}", std::min(std::abs(exponent), 308)));
    value = exponent >= 0 ? value * power : value / power;
    return nearest < 0 ? -value : value;
}

struct Step {
    double score;
    std::int32_t id;
    std::uint32_t begin;  // where the last token of the best way here begins
};
constexpr std::uint32_t unreached = ~std::uint32_t(0);

}  // namespace

Unigram::Unigram(const JsonSection& model) : TokenModel(read_tokens(model)) {
    model.allow_only({"type", "unk_id", "vocab", "byte_fallback"});
    double least = std::numeric_limits<double>::infinity();
    for (const Json& entry : *model.find("vocab")) {
        scores_.push_back(entry[1].is_number_float() ? read_score(entry[1].get<double>()) : entry[1].get<double>());
        if (!std::isfinite(scores_.back())) model.refuse(fmt::format("vocab[{}]", scores_.size() - 1), "its score is not a finite number");
        least = std::min(least, scores_.back());
    }
    unknown_score_ = least - 10;  // the reference's penalty
    if (model.find("unk_id")) unknown_ = static_cast<std::int32_t>(model.integer("unk_id", 0, vocabulary().id_limit() - 1));
    std::vector<ByteTrie::Entry> entries;
    for (std::int32_t id = 0; id < vocabulary().id_limit(); ++id) {
        const std::string& token = *vocabulary().token(id);
        entries.emplace_back(token, id);
        if (find_invalid_utf8(token) != std::string::npos) model.refuse(fmt::format("vocab[{}]", id), "not valid UTF-8");
    }
    trie_ = ByteTrie(std::move(entries));
    if (model.boolean("byte_fallback", false))
        for (int byte = 0; byte < 256; ++byte) bytes_.push_back(vocabulary().find(fmt::format("<0x{:02X}>", byte)).value_or(-1));
}

// A stretch of the best way that is unknown: in the vocabulary after all where neighbours together spell a token, else bytes, else unknown.
void Unigram::put(std::string_view word, std::size_t begin, std::size_t end, bool plain, std::vector<Symbol>& symbols) const {
    const auto first = static_cast<std::uint32_t>(begin), last = static_cast<std::uint32_t>(end);
    const std::string_view text = word.substr(begin, end - begin);
    const auto known = vocabulary().find(text);
    if (known && !(plain && is_control(*known))) {
        symbols.push_back({*known, first, last});
        return;
    }
    const bool covered = !bytes_.empty() && std::all_of(text.begin(), text.end(), [&](char c) { return bytes_[static_cast<unsigned char>(c)] >= 0; });
    if (covered) {
        for (const char c : text) symbols.push_back({bytes_[static_cast<unsigned char>(c)], first, last});
        return;
    }
    if (unknown_ < 0) throw_error(ExitCode::bad_data, "the tokenizer has no token for \"{}\", and its model has no unk_id", text.substr(0, 64));
    symbols.push_back({unknown_, first, last});
}

void Unigram::encode(std::string_view word, bool plain, std::vector<Symbol>& symbols) const {
    thread_local std::vector<Step> best;  // by end
    best.assign(word.size() + 1, {0, -1, unreached});
    for (std::size_t begin = 0, next = 0; begin < word.size(); begin = next) {
        next = begin + character_size(word[begin]);
        const double so_far = best[begin].score;
        const auto offer = [&](std::size_t end, std::int32_t id, double score) {
            Step& step = best[end];
            if (step.begin == unreached || so_far + score > step.score) step = {so_far + score, id, static_cast<std::uint32_t>(begin)};
        };
        bool single = false;
        std::uint32_t node = ByteTrie::root;
        for (std::size_t end = begin; end < word.size();) {
            node = trie_.child(node, static_cast<unsigned char>(word[end++]));
            if (node == ByteTrie::none) break;
            const std::int32_t id = trie_.value(node);
            if (id < 0 || (plain && is_control(id))) continue;
            offer(end, id, scores_[static_cast<std::size_t>(id)]);
            single = single || end == next;
        }
        if (!single) offer(next, -1, unknown_score_);
    }

    const std::size_t from = symbols.size();
    for (std::size_t end = word.size(); end > 0;) {
        const Step& last = best[end];
        if (last.id >= 0 && last.id != unknown_) {
            symbols.push_back({last.id, last.begin, static_cast<std::uint32_t>(end)});
            end = last.begin;
            continue;
        }
        std::size_t begin = end;
        while (begin > 0 && (best[begin].id < 0 || best[begin].id == unknown_)) begin = best[begin].begin;
        const std::size_t mark = symbols.size();
        put(word, begin, end, plain, symbols);
        std::reverse(symbols.begin() + static_cast<std::ptrdiff_t>(mark), symbols.end());
        end = begin;
    }
    std::reverse(symbols.begin() + static_cast<std::ptrdiff_t>(from), symbols.end());
}

}  // namespace temper::tok
