// Tokenizers against the reference's ids and texts (tests/goldens/tokenizers, made by make_tokenizer_goldens.py).
#include "io/tokenizer.h"

#include <gtest/gtest.h>

#include <set>

#include "io/durable.h"
#include "io/jsonl.h"
#include "kernels/error.h"

namespace temper {
namespace {

std::filesystem::path goldens() { return std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/tokenizers"; }

Json read_document(const std::filesystem::path& path) { return parse_json(read_file(path), path.string()); }

class TokenizerGolden : public testing::TestWithParam<std::string> {
  protected:
    TokenizerGolden()
        : tokenizer(Tokenizer::from_directory(goldens() / GetParam())),
          texts(read_document(goldens() / "texts.json")),
          expected(read_document(goldens() / GetParam() / "expected.json")) {}
    Tokenizer tokenizer;
    Json texts, expected;
};

TEST_P(TokenizerGolden, IdsAreThoseOfTheReference) {
    ASSERT_EQ(texts.size(), expected["ids"].size());
    for (std::size_t i = 0; i < texts.size(); ++i)
        EXPECT_EQ(tokenizer.encode(texts[i].get<std::string>(), true), expected["ids"][i].get<std::vector<std::int32_t>>()) << texts[i].dump();
}

TEST_P(TokenizerGolden, DecodedTextsAreThoseOfTheReference) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const auto ids = expected["ids"][i].get<std::vector<std::int32_t>>();
        const Json& wanted = expected["decoded"][i];
        EXPECT_EQ(tokenizer.decode(ids, true), wanted.is_null() ? texts[i].get<std::string>() : wanted.get<std::string>()) << texts[i].dump();
    }
    for (const Json& pair : expected["decodes"]) {
        const auto ids = pair[0].get<std::vector<std::int32_t>>();
        EXPECT_EQ(tokenizer.decode(ids, false), pair[1].get<std::string>()) << pair.dump();
    }
}

TEST_P(TokenizerGolden, OffsetsAreThoseOfTheReference) {
    for (const Json& row : expected["offsets"]) {
        const auto text = row["text"].get<std::string>();
        const auto encoding = tokenizer.encode_with_offsets(text, true);
        EXPECT_EQ(encoding.ids, tokenizer.encode(text, true));
        Json found = Json::array();
        for (const auto& [begin, end] : encoding.offsets) found.push_back({begin, end});
        EXPECT_EQ(found, row["bytes"]) << text;
    }
}

TEST_P(TokenizerGolden, WritesItselfAsItIs) {
    EXPECT_EQ(tokenizer.to_tokenizer_json(), read_file(goldens() / GetParam() / "tokenizer.json"));
    EXPECT_EQ(tokenizer.vocabulary_size(), expected["size"].get<std::int64_t>());
    EXPECT_EQ(tokenizer.fingerprint().size(), 64u);
}

INSTANTIATE_TEST_SUITE_P(All, TokenizerGolden,
                         testing::Values("gpt2", "smollm2", "llama3", "qwen2", "llama2", "metaspace", "odd_parts"),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace temper
