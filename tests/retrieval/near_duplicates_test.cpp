#include "retrieval/near_duplicates.h"

#include <random>

#include <gtest/gtest.h>

namespace temper {
namespace {

std::string random_words(std::mt19937& random, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "w" + std::to_string(random() % 5000) + " ";
    return text;
}

std::vector<Duplicate> find(const std::vector<std::string>& texts, DuplicateSettings settings = {}) {
    return find_duplicates(std::vector<std::string_view>(texts.begin(), texts.end()), settings);
}

TEST(NearDuplicates, EqualTextsGoAndTheFirstStays) {
    const auto found = find({"a b", "c d", "a b", "c d", "a b"}, {false, 0.8, 5});
    ASSERT_EQ(found.size(), 3u);
    EXPECT_EQ(found[0].document, 2u);
    EXPECT_EQ(found[0].of, 0u);
    EXPECT_EQ(found[2].of, 0u);
    EXPECT_EQ(found[0].similarity, 1.0);
    EXPECT_TRUE(find({}).empty());
}

TEST(NearDuplicates, CaseAndPunctuationAreNoDifference) {
    const auto found = find({"The quick brown fox, jumps over it.", "the QUICK brown fox jumps over it", "something else entirely this time"});
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].document, 1u);
    EXPECT_EQ(found[0].similarity, 1.0);
}

// Against every pair compared: what is found is exactly what the definition says, at several thresholds.
TEST(NearDuplicates, AgreesWithComparingEveryPair) {
    std::mt19937 random(3);
    std::vector<std::string> texts;
    for (int i = 0; i < 60; ++i) {
        const std::string base = random_words(random, 200);
        texts.push_back(base);
        for (int copy = 0; copy < 4; ++copy) {
            std::string changed = base;
            for (std::size_t edit = 0; edit < random() % 12; ++edit)
                changed.insert(changed.find(' ', random() % (changed.size() - 8)), " changed" + std::to_string(random()));
            texts.push_back(changed);
        }
    }
    std::shuffle(texts.begin(), texts.end(), random);
    for (const double threshold : {0.6, 0.8, 0.95}) {
        std::vector<std::vector<std::uint64_t>> shingles;
        for (const std::string& text : texts) shingles.push_back(shingles_of(text, 5));
        std::vector<std::size_t> kept, gone;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            bool duplicate = false;
            for (const std::size_t j : kept) duplicate = duplicate || jaccard(shingles[i], shingles[j]) >= threshold;
            (duplicate ? gone : kept).push_back(i);
        }
        std::vector<std::size_t> found;
        for (const Duplicate& duplicate : find(texts, {true, threshold, 5})) {
            found.push_back(duplicate.document);
            EXPECT_GE(duplicate.similarity, threshold);
            EXPECT_LT(duplicate.of, duplicate.document);
        }
        EXPECT_EQ(found, gone) << threshold;
        EXPECT_GT(gone.size(), 20u);
    }
}

TEST(NearDuplicates, ShortTextsAndScriptsWithoutSpaces) {
    EXPECT_TRUE(find({"yes", "no", "", "。", "!?"}).empty());
    EXPECT_TRUE(shingles_of("", 5).empty());
    EXPECT_EQ(shingles_of("日本語の文字", 5).size(), 2u);
    EXPECT_EQ(shingles_of("one two", 5).size(), 1u);
    EXPECT_EQ(find({"", "  ,", "a"}).size(), 0u);
}

}  // namespace
}  // namespace temper
