#include "retrieval/chunking.h"

#include <random>

#include <gtest/gtest.h>

#include "io/unicode.h"
#include "kernels/error.h"
#include "retrieval/boundaries.h"
#include "tests/retrieval/word_embedder.h"

namespace temper {
namespace {

using Places = std::vector<Embedder::TokenPlace>;

Places words(const std::string& text) { return testing::WordEmbedder().tokens(text); }

// As byte-level tokenizers do: up to three bytes of anything are one token, also within a character, and a blank belongs to what follows.
Places bytes(const std::string& text) {
    Places places;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = std::min<std::size_t>(1 + (static_cast<unsigned char>(text[at]) + at) % 3, text.size() - at);
        places.push_back({static_cast<std::int64_t>(at), static_cast<std::int64_t>(at + size)});
        at += size;
    }
    return places;
}

// The same with whole characters as places: tokens of one character begin and end together.
Places characters(const std::string& text) {
    Places places;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t size = tok::character_size(text[at]);
        for (std::size_t i = 0; i < size; ++i) places.push_back({static_cast<std::int64_t>(at), static_cast<std::int64_t>(at + size)});
        at += size;
    }
    return places;
}

std::string random_text(std::mt19937& random) {
    const std::vector<std::string> parts = {"word",
                                            "a",
                                            "Sentence",
                                            "ends.",
                                            "Really?",
                                            "\n",
                                            "\n\n",
                                            "# Heading\n",
                                            "日本語の文。",
                                            "é",
                                            "ﷺ",
                                            "  ",
                                            "```\n",
                                            "    indented();\n",
                                            "supercalifragilisticexpialidocious_and_more_letters_without_any_space",
                                            "e.g.",
                                            "}\n",
                                            "\t"};
    std::string text;
    const std::size_t count = random() % 400;
    for (std::size_t i = 0; i < count; ++i) text += parts[random() % parts.size()] + (random() % 4 == 0 ? "" : " ");
    return text;
}

void check_ranges(const std::string& text, TextForm form, const ChunkSettings& settings, const CountTokens& count) {
    const std::vector<ChunkRange> ranges = chunk_ranges(text, form, settings, count);
    if (text.find_first_not_of(" \t\n") == std::string::npos) {
        EXPECT_TRUE(ranges.empty());
        return;
    }
    ASSERT_FALSE(ranges.empty());
    const Places all = count(text);
    const auto tokens_in = [&](std::size_t begin, std::size_t end) {
        return std::count_if(all.begin(), all.end(), [&](const Embedder::TokenPlace& token) {
            return static_cast<std::size_t>(token.begin) >= begin && static_cast<std::size_t>(token.begin) < end;
        });
    };
    std::size_t covered = 0;
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        const ChunkRange& range = ranges[i];
        EXPECT_EQ(range.fresh, covered);
        EXPECT_LE(range.begin, covered);
        ASSERT_GT(range.end, covered);
        const std::string chunk = text.substr(range.begin, range.end - range.begin);
        EXPECT_LE(count(chunk).size(), static_cast<std::size_t>(settings.chunk_tokens));
        EXPECT_EQ(find_invalid_utf8(chunk), std::string::npos);
        EXPECT_LE(tokens_in(range.begin, range.fresh), settings.overlap_tokens);
        EXPECT_GE(range.begin, i > 0 ? ranges[i - 1].begin : 0);
        covered = range.end;
    }
    EXPECT_EQ(covered, text.size());
}

TEST(Chunking, CoversEveryByteWithinTheLimit) {
    std::mt19937 random(7);
    for (int round = 0; round < 600; ++round) {
        const std::string text = random_text(random);
        const auto limit = static_cast<std::int64_t>(16 + random() % 60);
        const ChunkSettings settings{limit, static_cast<std::int64_t>(random() % static_cast<std::size_t>(limit / 2 + 1))};
        for (const TextForm form : {TextForm::text, TextForm::markdown, TextForm::code}) {
            SCOPED_TRACE(fmt::format("round {} form {}", round, form_name(form)));
            check_ranges(text, form, settings, words);
            check_ranges(text, form, settings, bytes);
            check_ranges(text, form, settings, characters);
            if (HasFailure()) return;
        }
    }
}

TEST(Chunking, OverlapsAsAskedWhereNothingElseDecides) {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "word" + std::to_string(i) + " ";
    const std::vector<ChunkRange> ranges = chunk_ranges(text, TextForm::text, {256, 50}, words);
    ASSERT_EQ(ranges.size(), 5u);  // 256 words, then 206 new ones each
    for (std::size_t i = 0; i + 1 < ranges.size(); ++i) {
        EXPECT_EQ(words(text.substr(ranges[i].begin, ranges[i].end - ranges[i].begin)).size(), 256u);
        EXPECT_EQ(words(text.substr(ranges[i + 1].begin, ranges[i].end - ranges[i + 1].begin)).size(), 50u);
    }
}

TEST(Chunking, EndsAndBeginsAtSentences) {
    std::string text;
    for (int i = 0; i < 200; ++i) text += "The sentence of number " + std::to_string(i) + " has exactly nine words. ";
    const std::vector<ChunkRange> ranges = chunk_ranges(text, TextForm::text, {100, 20}, words);
    for (const ChunkRange& range : ranges) {
        EXPECT_EQ(text.substr(range.begin, 4), "The ");
        EXPECT_EQ(text.substr(range.end - 2, 1), ".");
    }
    // 99 words of eleven sentences, the last two of them twice.
    EXPECT_EQ(words(text.substr(ranges[1].begin, ranges[0].end - ranges[1].begin)).size(), 18u);
}

TEST(Chunking, AHeadingBeginsAChunkWithoutOverlap) {
    std::string text = "# Guide\n\n## First\n\n";
    for (int i = 0; i < 40; ++i) text += "one ";
    text += "\n\n## Second\n\n";
    for (int i = 0; i < 50; ++i) text += "two ";
    Document document;
    document.id = "guide.md";
    document.form = TextForm::markdown;
    document.text = text;
    document.metadata = {{"author", "Ada"}};
    const std::vector<Chunk> chunks = chunk_document(document, {64, 16}, words);
    ASSERT_EQ(chunks.size(), 2u);
    EXPECT_EQ(chunks[0].id, "guide.md#0");
    EXPECT_EQ(chunks[1].ordinal, 1);
    EXPECT_EQ(chunks[0].metadata["heading"], "Guide");
    EXPECT_EQ(chunks[1].metadata["heading"], "Guide > Second");
    EXPECT_EQ(chunks[1].metadata["author"], "Ada");
    EXPECT_TRUE(chunks[1].text.starts_with("## Second"));
}

TEST(Chunking, CodeIsCutBetweenFunctions) {
    std::string text;
    for (int i = 0; i < 10; ++i) text += fmt::format("int f{}() {{\n    int a = {};\n\n    return a + 1;\n}}\n\n", i, i);
    Document document;
    document.form = TextForm::code;
    document.text = text;
    for (const Chunk& chunk : chunk_document(document, {30, 10}, words)) {
        EXPECT_TRUE(chunk.text.starts_with("int f")) << chunk.text;
        EXPECT_TRUE(chunk.text.ends_with("}")) << chunk.text;
    }
}

TEST(Chunking, TheFirstLineOfCodeKeepsItsIndentation) {
    Document document;
    document.form = TextForm::code;
    document.text = "class A:\n";
    for (int i = 0; i < 40; ++i) document.text += fmt::format("    x{} = {}\n", i, i);
    const std::vector<Chunk> chunks = chunk_document(document, {30, 0}, words);
    ASSERT_GT(chunks.size(), 1u);
    EXPECT_TRUE(chunks[1].text.starts_with("    x")) << chunks[1].text;
}

TEST(Chunking, OneTokenOfManyTimesTheLimitIsAnErrorOnlyWhereACharacterIs) {
    const CountTokens many = [](const std::string& text) { return Places(text.size() * 20); };
    EXPECT_THROW(chunk_ranges("abc", TextForm::text, {16, 4}, many), Error);
}

std::vector<Cut> cuts_at_words(const std::string& text, TextForm form = TextForm::text) {
    std::vector<Cut> cuts;
    for (const Boundary& boundary : find_boundaries(text, form)) cuts.push_back(boundary.cut);
    return cuts;
}

TEST(Boundaries, SentencesParagraphsAndWhatLooksLikeThem) {
    EXPECT_EQ(cuts_at_words("One. Two"), std::vector{Cut::sentence});
    EXPECT_EQ(cuts_at_words("One! \"Two\""), std::vector{Cut::sentence});
    EXPECT_EQ(cuts_at_words("He said \"One.\" Two"), (std::vector{Cut::word, Cut::word, Cut::sentence}));
    EXPECT_EQ(cuts_at_words("Dr. Who"), std::vector{Cut::word});
    EXPECT_EQ(cuts_at_words("J. Smith"), std::vector{Cut::word});
    EXPECT_EQ(cuts_at_words("etc. and"), std::vector{Cut::word});
    EXPECT_EQ(cuts_at_words("one\ntwo"), std::vector{Cut::word});
    EXPECT_EQ(cuts_at_words("one\n\ntwo"), std::vector{Cut::paragraph});
    EXPECT_EQ(cuts_at_words("文。字"), std::vector{Cut::sentence});
    EXPECT_EQ(cuts_at_words("one\n\n# Two", TextForm::markdown), (std::vector{Cut::section, Cut::word}));
    EXPECT_EQ(cuts_at_words("```\na\n\n# b\n```", TextForm::markdown), (std::vector{Cut::sentence, Cut::paragraph, Cut::word, Cut::sentence}));
}

TEST(Boundaries, HeadingsAndTheirPaths) {
    const std::string text = "# A\n\nx\n\n## B ##\n\nTitle\n=====\n\ny\n\n#no heading\n\n```\n# code\n```\n\n### C\n";
    const std::vector<Heading> headings = find_headings(text);
    ASSERT_EQ(headings.size(), 4u);
    EXPECT_EQ(headings[1].text, "B");
    EXPECT_EQ(headings[2].level, 1);
    EXPECT_EQ(heading_path(headings, text.find('x')), "A");
    EXPECT_EQ(heading_path(headings, text.find("## B")), "A > B");
    EXPECT_EQ(heading_path(headings, text.size()), "Title > C");
}

}  // namespace
}  // namespace temper
