// The pieces of an answer: nothing that may change is given out, and together they are the whole.
#include "serve/text_stream.h"

#include <random>

#include <gtest/gtest.h>

#include "model/model_files.h"

namespace temper {
namespace {

class TextStreamTest : public testing::Test {
  protected:
    std::vector<std::int32_t> ids_of(const std::string& text) const { return tokenizer_.encode(text, false); }

    // All pieces that a stream gives of this text, token by token.
    std::vector<std::string> pieces(const std::string& text, const std::vector<std::string>& stops, bool& stopped) const {
        TextStream stream(tokenizer_, stops);
        const std::vector<std::int32_t> ids = ids_of(text);
        std::vector<std::string> result;
        for (std::size_t count = 1; count <= ids.size() && !stream.stopped(); ++count)
            result.push_back(stream.add({ids.data(), count}, count == ids.size()));
        stopped = stream.stopped();
        std::string together;
        for (const std::string& piece : result) together += piece;
        EXPECT_EQ(together, stream.text());
        return result;
    }
    std::string whole(const std::string& text, const std::vector<std::string>& stops, bool& stopped) const {
        std::string together;
        for (const std::string& piece : pieces(text, stops, stopped)) together += piece;
        return together;
    }

    Tokenizer tokenizer_ = Tokenizer::from_directory(std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/tiny_chat");
    bool stopped_ = false;
};

TEST_F(TextStreamTest, PiecesAreTheWholeText) {
    const std::string text = "Caf\xc3\xa9 \xe2\x82\xac 5 \xf0\x9f\x90\x8d \xe4\xbd\xa0\xe5\xa5\xbd.";
    const std::vector<std::int32_t> ids = ids_of(text);
    ASSERT_EQ(tokenizer_.decode(ids, true), text);
    const std::vector<std::string> parts = pieces(text, {}, stopped_);
    EXPECT_FALSE(stopped_);
    for (const std::string& part : parts) EXPECT_EQ(find_invalid_utf8(part), std::string_view::npos);
    std::string together;
    for (const std::string& part : parts) together += part;
    EXPECT_EQ(together, text);
    EXPECT_GT(parts.size(), 10u);
}

// Of any tokens: those of a run, special ones, halves of characters, bytes that are no text.
TEST(TextStream, PiecesAreTheWholeTextForEveryTokenizer) {
    std::size_t seen = 0;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/tokenizers")) {
        if (!std::filesystem::exists(entry.path() / "tokenizer.json")) continue;
        const Tokenizer tokenizer = Tokenizer::from_directory(entry.path());
        std::vector<std::int32_t> bytes;  // where the vocabulary has tokens of single bytes, half of the draws are theirs
        for (const int byte : {0x20, 0x41, 0xa9, 0xc3, 0xe2, 0x82, 0xac, 0xff})
            if (const auto id = tokenizer.id_of(fmt::format("<0x{:02X}>", byte))) bytes.push_back(*id);
        std::mt19937 random(7);
        for (int sample = 0; sample < 300; ++sample) {
            std::vector<std::int32_t> ids(1 + random() % 60);
            for (std::int32_t& id : ids) {
                if (!bytes.empty() && random() % 2 == 0) id = bytes[random() % bytes.size()];
                else id = static_cast<std::int32_t>(random() % static_cast<std::uint32_t>(tokenizer.vocabulary_size()));
            }
            TextStream stream(tokenizer, {});
            std::string together;
            for (std::size_t count = 1; count <= ids.size(); ++count) together += stream.add({ids.data(), count}, count == ids.size());
            ASSERT_EQ(together, tokenizer.decode({ids.data(), ids.size()}, true)) << entry.path() << " sample " << sample;
            ASSERT_EQ(together, stream.text());
        }
        ++seen;
    }
    EXPECT_GT(seen, 10u);
}

TEST(TextStream, ARunOfBytesIsHeldBackUntilItEnds) {
    const Tokenizer tokenizer = Tokenizer::from_directory(std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/tokenizers/llama2");
    std::vector<std::int32_t> ids;
    for (const char* token : {"<0xC3>", "<0xA9>", "<0xFF>"}) ids.push_back(tokenizer.id_of(token).value());
    TextStream stream(tokenizer, {});
    for (std::size_t count = 1; count <= ids.size(); ++count) EXPECT_EQ(stream.add({ids.data(), count}, false), "");
    EXPECT_EQ(stream.add({ids.data(), ids.size()}, true), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST_F(TextStreamTest, HalfACharacterIsHeldBackUntilTheEnd) {
    const std::vector<std::int32_t> ids = ids_of("\xf0\x9f\x90\x8d");
    ASSERT_GT(ids.size(), 2u);
    TextStream stream(tokenizer_, {});
    EXPECT_EQ(stream.add({ids.data(), 2}, false), "");
    EXPECT_EQ(stream.add({ids.data(), 2}, true), tokenizer_.decode({ids.data(), 2}, true));
}

TEST_F(TextStreamTest, AStopTextEndsTheAnswerBeforeIt) {
    EXPECT_EQ(whole("one, two, three", {"two"}, stopped_), "one, ");
    EXPECT_TRUE(stopped_);
    EXPECT_EQ(whole("one, two, three", {"three", "e, t"}, stopped_), "on");
    EXPECT_TRUE(stopped_);
    EXPECT_EQ(whole("one, two, three", {"one"}, stopped_), "");
    EXPECT_TRUE(stopped_);
    EXPECT_EQ(whole("one, two, three", {"three!"}, stopped_), "one, two, three");
    EXPECT_FALSE(stopped_);
    EXPECT_EQ(whole("aaaaab", {"aab"}, stopped_), "aaa");
    EXPECT_TRUE(stopped_);
}

TEST_F(TextStreamTest, ABegunStopTextIsNotGivenOut) {
    const std::vector<std::int32_t> ids = ids_of("ab#");
    TextStream stream(tokenizer_, {"##END"});
    const std::string piece = stream.add({ids.data(), ids.size()}, false);
    EXPECT_EQ(piece, "ab");
    const std::vector<std::int32_t> more = ids_of("ab#c");
    EXPECT_EQ(stream.add({more.data(), more.size()}, false), "#c");
}

}  // namespace
}  // namespace temper
