// Merging by tables, words and caches against merging by the book, over random vocabularies.
#include "io/tokenizer/bpe.h"

#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "io/tokenizer/tokenizer.h"
#include "io/unicode.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace temper::tok {
namespace {

using Random = std::mt19937;
std::size_t below(Random& random, std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random); }
bool chance(Random& random, std::size_t one_in) { return below(random, one_in) == 0; }

const std::vector<std::string> characters = {"a",
                                             "b",
                                             "c",
                                             "\n",
                                             "\t",
                                             "<",
                                             "0",
                                             "x",
                                             ".",
                                             "\xe2\x96\x81",
                                             "\xe2\x96\x81",
                                             "\xc3\xa9",
                                             "\xd0\xb6",
                                             "\xe6\xbc\xa2",
                                             "\xe2\x96\x82",
                                             "\xf0\x9f\x98\x80",
                                             "\xf0\x9f\x98\x81"};

std::string random_text(Random& random, std::size_t most) {
    std::string text;
    for (std::size_t count = 1 + below(random, most); count > 0; --count) {
        const std::string& c = characters[below(random, characters.size())];
        for (std::size_t again = chance(random, 8) ? 1 + below(random, 12) : 1; again > 0; --again) text += c;
    }
    return text;
}

// Words of up to some merges, with marks inside where the vocabulary is to have such.
Json random_model(Random& random) {
    const bool marks_inside = chance(random, 3), bytes = !chance(random, 3), some_bytes = bytes && chance(random, 4), unknown = chance(random, 2);
    std::vector<std::string> tokens;
    std::set<std::string> known;
    const auto add = [&](const std::string& token) {
        if (known.insert(token).second) tokens.push_back(token);
    };
    if (unknown) add("<unk>");
    for (int byte = 0; bytes && byte < 256; ++byte)
        if (!some_bytes || chance(random, 2)) add(fmt::format("<0x{:02X}>", byte));
    const std::size_t first = tokens.size();
    for (const std::string& c : characters)
        if (c == "\xe2\x96\x81" || !chance(random, 4)) add(c);
    Json merges = Json::array();
    const bool odd_parts = chance(random, 6);  // merges of unknown tokens and bytes
    for (std::size_t tries = 4 + below(random, 60); tries > 0; --tries) {
        const auto pick = [&] {
            return tokens[odd_parts && chance(random, 6) ? below(random, tokens.size()) : first + below(random, tokens.size() - first)];
        };
        const std::string left = pick(), right = pick();
        if (!marks_inside && right.find("\xe2\x96\x81") != std::string::npos && left.find_first_not_of("\xe2\x96\x81") != std::string::npos) continue;
        if (left.size() + right.size() > 24) continue;
        add(left + right);
        merges.push_back(Json::array({left, right}));
        if (chance(random, 20)) merges.push_back(merges[below(random, merges.size())]);  // the later one counts
    }
    Json vocabulary = Json::object();
    for (std::size_t i = 0; i < tokens.size(); ++i) vocabulary[tokens[i]] = i;
    Json model{{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}, {"byte_fallback", bytes}, {"fuse_unk", chance(random, 2)}};
    if (unknown) model["unk_token"] = "<unk>";
    return model;
}

// By the book (the reference's merge_word and merge_all): symbols of characters, then again and again the leftmost pair of the lowest rank.
std::vector<std::int32_t> merged_by_the_book(const Json& model, const std::string& text) {
    const Json& vocabulary = model["vocab"];
    std::map<std::pair<std::int32_t, std::int32_t>, std::pair<std::size_t, std::int32_t>> merges;
    const auto id = [&](const std::string& token) { return vocabulary.contains(token) ? vocabulary[token].get<std::int32_t>() : -1; };
    for (std::size_t i = 0; i < model["merges"].size(); ++i) {
        const auto left = model["merges"][i][0].get<std::string>(), right = model["merges"][i][1].get<std::string>();
        merges[{id(left), id(right)}] = {i, id(left + right)};
    }
    std::vector<std::int32_t> ids;
    std::size_t unknown = 0;  // seen, not yet written: in the reference bytes do not wait for them
    const auto flush = [&] { ids.insert(ids.end(), std::exchange(unknown, 0), id("<unk>")); };
    for (std::size_t at = 0; at < text.size(); at += character_size(text[at])) {
        const std::string c = text.substr(at, character_size(text[at]));
        std::vector<std::int32_t> bytes;
        for (const char byte : c) bytes.push_back(id(fmt::format("<0x{:02X}>", static_cast<unsigned char>(byte))));
        if (id(c) >= 0) {
            flush();
            ids.push_back(id(c));
        } else if (model["byte_fallback"].get<bool>() && std::count(bytes.begin(), bytes.end(), -1) == 0) {
            ids.insert(ids.end(), bytes.begin(), bytes.end());
        } else if (model.contains("unk_token")) {
            if (!model["fuse_unk"].get<bool>()) flush();
            unknown = 1;
        }
    }
    flush();
    while (true) {
        std::size_t best = ids.size(), rank = ~std::size_t(0);
        for (std::size_t i = 0; i + 1 < ids.size(); ++i)
            if (const auto found = merges.find({ids[i], ids[i + 1]}); found != merges.end() && found->second.first < rank)
                best = i, rank = found->second.first;
        if (best == ids.size()) return ids;
        ids[best] = merges[{ids[best], ids[best + 1]}].second;
        ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    }
}

std::vector<std::int32_t> ids_of(const std::vector<Symbol>& symbols) {
    std::vector<std::int32_t> ids;
    for (const Symbol& symbol : symbols) ids.push_back(symbol.id);
    return ids;
}

TEST(Bpe, MergesAndWordsAreThoseOfTheBook) {
    Random random(7);
    std::size_t models_that_cut = 0, words_cut = 0, long_words = 0;
    for (int round = 0; round < 400; ++round) {
        const Json document = random_model(random);
        const JsonSection section(document, "test");
        const Bpe bpe(section);
        models_that_cut += bpe.knows_words();
        for (int i = 0; i < 20; ++i) {
            const std::string text = random_text(random, i < 16 ? 12 : 90);
            const auto expected = merged_by_the_book(document, text);
            std::vector<Symbol> whole, words;
            bpe.encode(text, false, whole);
            ASSERT_EQ(ids_of(whole), expected) << document.dump() << "\n" << ::testing::PrintToString(text);
            std::array<Word, 5> cut;
            std::size_t behind = 0;
            for (std::size_t at = 0; at < text.size();) {
                const std::size_t count = bpe.cut(text, at, cut.data(), cut.size());
                for (std::size_t w = 0; w < count; ++w) {
                    ASSERT_EQ(cut[w].begin, behind);
                    behind = cut[w].end;
                    words_cut += behind < text.size();
                    long_words += behind - cut[w].begin > 60;
                    bpe.encode(std::string_view(text).substr(cut[w].begin, cut[w].end - cut[w].begin), false, words);
                }
            }
            ASSERT_EQ(behind, text.size());
            ASSERT_EQ(ids_of(words), expected) << document.dump() << "\n" << ::testing::PrintToString(text);
        }
    }
    EXPECT_GT(models_that_cut, 100u);
    EXPECT_GT(words_cut, 10'000u);
    EXPECT_GT(long_words, 100u);
}

TEST(Bpe, OneCharacterAffixesAreNoCharacters) {
    const Json document =
        parse_json(R"({"vocab": {"a": 0, "#": 1, "#a": 2, "a#a": 3, "aa": 4}, "merges": [], "continuing_subword_prefix": "#"})", "test");
    const JsonSection section(document, "test");
    const Bpe bpe(section);
    std::vector<Symbol> symbols;
    bpe.encode("aa", false, symbols);
    EXPECT_EQ(ids_of(symbols), (std::vector<std::int32_t>{0, 2}));
}

// The layouts of SentencePiece's vocabularies, with added tokens of every kind.
Json random_tokenizer(Random& random) {
    Json document{
        {"version", "1.0"}, {"added_tokens", Json::array()}, {"normalizer", nullptr}, {"pre_tokenizer", nullptr}, {"model", random_model(random)}};
    const Json replace{{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\xe2\x96\x81"}};
    const Json prepend{{"type", "Prepend"}, {"prepend", "\xe2\x96\x81"}};
    switch (below(random, 4)) {
        case 0: document["normalizer"] = {{"type", "Sequence"}, {"normalizers", {prepend, replace}}}; break;
        case 1: document["normalizer"] = replace; break;
        case 2:
            document["pre_tokenizer"] = {{"type", "Metaspace"},
                                         {"replacement", "\xe2\x96\x81"},
                                         {"prepend_scheme", chance(random, 2) ? "first" : "always"},
                                         {"split", chance(random, 2)}};
            break;
        case 3:
            document["normalizer"] = replace;
            document["pre_tokenizer"] = {{"type", "Split"}, {"pattern", {{"String", " "}}}, {"behavior", "MergedWithPrevious"}, {"invert", false}};
            break;
    }
    std::size_t next = document["model"]["vocab"].size();
    for (const char* content : {"<s>", "ab", "\n\n", "<a b>"}) {
        if (chance(random, 2) || document["model"]["vocab"].contains(content)) continue;
        document["added_tokens"].push_back({{"id", next++},
                                            {"content", content},
                                            {"single_word", chance(random, 4)},
                                            {"lstrip", chance(random, 3)},
                                            {"rstrip", chance(random, 3)},
                                            {"normalized", chance(random, 2)},
                                            {"special", chance(random, 2)}});
    }
    return document;
}

TEST(Bpe, TheShortWayGivesWhatTheLongWayGives) {
    Random random(11);
    const TemporaryDirectory directory;
    for (int round = 0; round < 150; ++round) {
        const Json document = random_tokenizer(random);
        directory.put("tokenizer.json", document.dump());
        const Tokenizer tokenizer = Tokenizer::from_directory(directory.path());
        for (int i = 0; i < 12; ++i) {
            std::string text = random_text(random, 40);
            for (std::size_t at = text.find("\xe2\x96\x81"); at != std::string::npos; at = text.find("\xe2\x96\x81", at + 1))
                if (!chance(random, 4)) text.replace(at, 3, " ");
            if (chance(random, 2)) text.insert(0, chance(random, 2) ? "<s>" : " <a b>");
            const auto expected = tokenizer.encode_with_offsets(text, false).ids;
            ASSERT_EQ(tokenizer.encode(text, false), expected) << document.dump() << "\n" << ::testing::PrintToString(text);
            ASSERT_EQ(tokenizer.encode(text + "\n" + text, false), tokenizer.encode_with_offsets(text + "\n" + text, false).ids);  // words met before
        }
    }
}

}  // namespace
}  // namespace temper::tok
