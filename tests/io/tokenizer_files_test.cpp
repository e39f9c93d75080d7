// The files around a tokenizer: what is taken from tokenizer_config.json, and what a damaged tokenizer.json is told.
#include <algorithm>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "io/jsonl.h"
#include "io/tokenizer/tokenizer.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

std::filesystem::path golden(const std::string& name) { return std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/tokenizers" / name; }

Json golden_document(const std::string& name) {
    const auto path = golden(name) / "tokenizer.json";
    return parse_json(read_file(path), path.string());
}

Tokenizer load(const Json& document, const std::string& config = "{}") {
    const TemporaryDirectory directory;
    directory.put("tokenizer.json", document.dump());
    directory.put("tokenizer_config.json", config);
    return Tokenizer::from_directory(directory.path());
}

TEST(TokenizerFiles, SpecialTokensAsTextOrObject) {
    const Tokenizer smollm2 = Tokenizer::from_directory(golden("smollm2"));
    EXPECT_EQ(smollm2.bos_token(), "<|im_start|>");
    EXPECT_EQ(smollm2.eos_token(), "<|im_end|>");
    EXPECT_EQ(smollm2.eos_id(), smollm2.id_of("<|im_end|>"));
    EXPECT_TRUE(smollm2.is_special(*smollm2.eos_id()));
    EXPECT_FALSE(smollm2.is_special(*smollm2.id_of("e")));
    EXPECT_EQ(smollm2.token_of(*smollm2.id_of("e")), "e");
    EXPECT_EQ(smollm2.id_of("no such token"), std::nullopt);
    EXPECT_EQ(smollm2.token_of(-1), "");
    EXPECT_EQ(smollm2.token_of(1 << 30), "");

    const Tokenizer qwen2 = Tokenizer::from_directory(golden("qwen2"));
    EXPECT_EQ(qwen2.bos_id(), std::nullopt);
    EXPECT_EQ(qwen2.bos_token(), "");
    EXPECT_EQ(qwen2.chat_template(), std::nullopt);
}

TEST(TokenizerFiles, SpecialTokensMapStandsInForTheConfiguration) {
    const TemporaryDirectory directory;
    directory.put("tokenizer.json", golden_document("llama2").dump());
    directory.put("special_tokens_map.json",
                  R"({"bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>", "additional_special_tokens": []})");
    const Tokenizer tokenizer = Tokenizer::from_directory(directory.path());
    EXPECT_EQ(tokenizer.bos_id(), 1);
    EXPECT_EQ(tokenizer.eos_id(), 2);
    EXPECT_EQ(parse_json(tokenizer.to_tokenizer_config_json(), "written")["eos_token"], "</s>");
}

TEST(TokenizerFiles, ChatTemplateFromWhereItStands) {
    const Json document = golden_document("gpt2");
    EXPECT_EQ(load(document, R"({"chat_template": "one"})").chat_template(), "one");
    EXPECT_EQ(load(document, R"({"chat_template": [{"name": "rag", "template": "a"}, {"name": "default", "template": "b"}]})").chat_template(), "b");
    EXPECT_EQ(load(document, R"({"chat_template": [{"name": "rag", "template": "a"}]})").chat_template(), std::nullopt);
    const TemporaryDirectory directory;
    directory.put("tokenizer.json", document.dump());
    directory.put("tokenizer_config.json", R"({"chat_template": "one"})");
    directory.put("chat_template.jinja", "two\r\nlines\r");
    const Tokenizer tokenizer = Tokenizer::from_directory(directory.path());
    EXPECT_EQ(tokenizer.chat_template(), "two\nlines\n");
    EXPECT_EQ(parse_json(tokenizer.to_tokenizer_config_json(), "written")["chat_template"], "two\nlines\n");
}

TEST(TokenizerFiles, ATemplateForToolsBesideTheOther) {
    const Json document = golden_document("gpt2");
    const char* const both = R"({"chat_template": [{"name": "default", "template": "a"}, {"name": "tool_use", "template": "b"}]})";
    const Tokenizer listed = load(document, both);
    EXPECT_EQ(listed.chat_template(), "a");
    EXPECT_EQ(listed.tool_template(), "b");
    const Tokenizer again = load(document, listed.to_tokenizer_config_json());
    EXPECT_EQ(again.chat_template(), "a");
    EXPECT_EQ(again.tool_template(), "b");

    const TemporaryDirectory directory;
    directory.put("tokenizer.json", document.dump());
    directory.put("tokenizer_config.json", both);
    directory.put("chat_template.jinja", "file");
    EXPECT_EQ(Tokenizer::from_directory(directory.path()).tool_template(), std::nullopt);  // files take the place of the list
    std::filesystem::create_directory(directory / "additional_chat_templates");
    directory.put("additional_chat_templates/tool_use.jinja", "tools");
    EXPECT_EQ(Tokenizer::from_directory(directory.path()).tool_template(), "tools");

    Tokenizer other = load(document, R"({"chat_template": "old"})");
    EXPECT_FALSE(other.take_templates_of("/nowhere"));
    EXPECT_EQ(other.chat_template(), "old");
    EXPECT_TRUE(other.take_templates_of(directory.path()));
    EXPECT_EQ(other.chat_template(), "file");
    EXPECT_EQ(other.tool_template(), "tools");
}

// tokenizers 0.23: of white space that the token before has taken, no token is made once more.
TEST(TokenizerFiles, WhiteSpaceTokensTakeWhiteSpaceOnce) {
    Json document = golden_document("gpt2");
    document["added_tokens"].push_back(
        {{"id", 484}, {"content", "\n"}, {"single_word", false}, {"lstrip", true}, {"rstrip", true}, {"normalized", false}, {"special", false}});
    const Tokenizer tokenizer = load(document);
    const std::vector<std::int32_t> ids = tokenizer.encode("a\n\nb", false);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), 484), 1);
}

TEST(TokenizerFiles, FingerprintFollowsWhatDecidesIds) {
    const Json document = golden_document("gpt2");
    const std::string plain = load(document).fingerprint();
    EXPECT_EQ(plain, load(document, R"({"chat_template": "one"})").fingerprint());
    EXPECT_NE(plain, load(document, R"({"eos_token": "<new>"})").fingerprint());
    Json changed = document;
    std::swap(changed["model"]["merges"][0], changed["model"]["merges"][5]);
    EXPECT_NE(plain, load(changed).fingerprint());
}

TEST(TokenizerFiles, BothSpellingsOfMerges) {
    Json document = golden_document("gpt2");
    const Tokenizer pairs = load(document);
    for (Json& merge : document["model"]["merges"]) merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
    document["model"]["merges"].insert(document["model"]["merges"].begin(), "#version: 0.2");
    const Tokenizer lines = load(document);
    for (const char* text : {"the model then trained there", "printf(\"%d\\n\", value);"})
        EXPECT_EQ(pairs.encode(text, false), lines.encode(text, false));
}

struct Damage {
    const char *pointer, *value, *message;
};

TEST(TokenizerFiles, WhatIsNotUnderstoodIsRefusedByName) {
    const Damage cases[] = {
        {"/model/type", R"("Magic")", "model.type: \"Magic\" is not a model"},
        {"/model/type", R"("WordPiece")", "model.unk_token"},
        {"/model/type", R"("Unigram")", "model.vocab: expected an array"},
        {"/model/dropout", "0.1", "model.dropout"},
        {"/model/surprise", "1", "model.surprise: not a field"},
        {"/surprise", "1", "tokenizer.json.surprise: not a field"},
        {"/version", R"("2.0")", "version"},
        {"/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "AA=="})", "normalizer.precompiled_charsmap: 1 bytes"},
        {"/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "CAAAAAAAAAA="})", "an array of 8 bytes in a charsmap of 8"},
        {"/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "A*=="})", "character 1 is not one of base64"},
        {"/normalizer", R"({"type": "BertNormalizer"})", "normalizer.lowercase"},
        {"/normalizer", R"({"type": "Sequence", "normalizers": [{"type": "Magic"}]})", "normalizer.normalizers[0].type: \"Magic\""},
        {"/normalizer", R"({"type": "Replace", "pattern": {"Regex": "("}, "content": ""})", "normalizer.pattern: regular expression \"(\""},
        {"/pre_tokenizer", R"({"type": "Magic"})", "pre_tokenizer.type: \"Magic\""},
        {"/pre_tokenizer", R"({"type": "CharDelimiterSplit", "delimiter": "ab"})", "pre_tokenizer.delimiter: expected one character"},
        {"/pre_tokenizer", R"({"type": "FixedLength", "length": 0})", "pre_tokenizer.length: expected 1 to"},
        {"/pre_tokenizer", R"({"type": "Split", "pattern": {"Regex": "\\p{Emoji}"}, "behavior": "Isolated", "invert": false})",
         "\\p{Emoji} is not supported"},
        {"/pre_tokenizer", R"({"type": "Split", "pattern": {"String": " "}, "behavior": "Torn", "invert": false})", "behavior: \"Torn\""},
        {"/pre_tokenizer", R"([])", "pre_tokenizer: expected an object, found array"},
        {"/decoder", R"({"type": "Magic"})", "decoder.type: \"Magic\""},
        {"/decoder", R"({"type": "CTC", "cleanup": true, "word_delimiter_token": "|"})", "decoder.pad_token"},
        {"/decoder", R"({"type": "BPEDecoder", "suffix": ""})", "decoder.suffix: empty"},
        {"/post_processor", R"({"type": "Magic"})", "post_processor.type: \"Magic\""},
        {"/post_processor", R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}], "special_tokens": {}})",
         "special_tokens.x"},
        {"/post_processor", R"({"type": "BertProcessing", "sep": ["x", 99999], "cls": ["y", 0]})", "post_processor.sep: expected 0 to"},
    };
    for (const Damage& damage : cases) {
        Json document = golden_document("gpt2");
        document[Json::json_pointer(damage.pointer)] = parse_json(damage.value, "case");
        EXPECT_ERROR(load(document), ExitCode::bad_data, damage.message);
    }
}

TEST(TokenizerFiles, DamagedVocabulariesAreRefused) {
    const Damage cases[] = {
        {"/model/merges/0", R"(["e", "no such token"])", "model.merges[0]: \"no such token\" is not in the vocabulary"},
        {"/model/merges/1", R"(["zz", "e"])", "model.merges[1]"},
        {"/model/merges/1", R"(["!", "~"])", "model.merges[1]: \"!~\" is not in the vocabulary"},
        {"/model/merges/2", R"("a b c")", "model.merges[2]: expected two parts"},
        {"/model/merges/2", R"(["a"])", "model.merges[2]"},
        {"/model/merges/2", "7", "model.merges[2]"},
        {"/model/merges", "{}", "model.merges: expected an array"},
        {"/model/vocab/e", "-1", "model.vocab.e: expected 0 to"},
        {"/model/vocab/e", "1e3", "model.vocab.e: expected a whole number"},
        {"/model/vocab/e", "2000000", "the ids are not dense"},
        {"/model/vocab/e", "18446744073709551615", "model.vocab.e: expected 0 to"},
        {"/model/vocab/e", "5", "id 5 is that of"},
        {"/model/vocab", "[]", "model.vocab: expected an object"},
        {"/model/unk_token", R"("nowhere")", "model.unk_token"},
        {"/added_tokens/0/id", "77", "added_tokens[0].id: 77 for \"<|endoftext|>\", expected 0"},
        {"/added_tokens/0/content", "5", "added_tokens[0].content: expected a string"},
        {"/added_tokens/0/lstrip", R"("yes")", "added_tokens[0].lstrip: expected true or false"},
    };
    for (const Damage& damage : cases) {
        Json document = golden_document("gpt2");
        document[Json::json_pointer(damage.pointer)] = parse_json(damage.value, "case");
        EXPECT_ERROR(load(document), ExitCode::bad_data, damage.message);
    }
    Json document = golden_document("gpt2");
    document["model"]["vocab"].erase("!");
    document["model"]["merges"] = Json::array();
    EXPECT_ERROR(load(document), ExitCode::bad_data, "no token for the byte 0x21");
    EXPECT_ERROR(Tokenizer::from_directory("/nonexistent"), ExitCode::missing_input, "tokenizer.json");
}

// Cut at any byte or with any byte changed, the file is read or refused, never more.
TEST(TokenizerFiles, NoDamageCrashes) {
    const std::string text = read_file(golden("metaspace") / "tokenizer.json");
    const TemporaryDirectory directory;
    std::uint64_t state = 1;
    for (int i = 0; i < 400; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        std::string damaged = text;
        const std::size_t at = (state >> 33) % text.size();
        if (i % 4 == 0) damaged.resize(at);
        else damaged[at] = "{}[]\",:0\xff\x00 a"[(state >> 20) % 12];
        directory.put("tokenizer.json", damaged);
        try {
            const Tokenizer tokenizer = Tokenizer::from_directory(directory.path());
            const auto ids = tokenizer.encode("Hello <tool> w\xc3\xb6rld 123 word", true);
            tokenizer.decode(ids, false);
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::bad_data) << error.what();
        }
    }
}

TEST(Tokenizer, TextThatIsNotUtf8IsRefused) {
    const Tokenizer tokenizer = Tokenizer::from_directory(golden("gpt2"));
    EXPECT_ERROR(tokenizer.encode("ab\xff", true), ExitCode::bad_data, "not valid UTF-8 at byte 2");
    EXPECT_ERROR(tokenizer.encode("\xed\xa0\x80", true), ExitCode::bad_data, "at byte 0");
}

TEST(Tokenizer, PartsOfACharacterDecodeToReplacementsAndCoverItWhole) {
    const Tokenizer tokenizer = Tokenizer::from_directory(golden("gpt2"));
    const std::string text = "a\xf0\x9f\xaa\xbf";
    const auto encoding = tokenizer.encode_with_offsets(text, false);
    ASSERT_EQ(encoding.ids.size(), 5u);
    for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(encoding.offsets[i], std::pair(std::size_t(1), std::size_t(5)));
    std::vector<std::int32_t> ids(encoding.ids.begin(), encoding.ids.end() - 1);
    EXPECT_EQ(tokenizer.decode(ids, false), "a\xef\xbf\xbd");
    ids.erase(ids.begin() + 1);
    EXPECT_EQ(tokenizer.decode(ids, false), "a\xef\xbf\xbd\xef\xbf\xbd");
    ids = {-1, 1 << 29};  // ids of nothing
    EXPECT_EQ(tokenizer.decode(ids, false), "");
}

// BERT's vocabulary alone makes the tokenizer that its tokenizer.json describes.
TEST(TokenizerFiles, VocabTxtStandsInForTokenizerJson) {
    const Json document = golden_document("bert");
    std::map<std::int32_t, std::string> tokens;
    for (const auto& [token, id] : document["model"]["vocab"].items()) tokens[id.get<std::int32_t>()] = token;
    std::string lines;
    for (const auto& [id, token] : tokens) lines += token + "\n";
    const TemporaryDirectory directory;
    directory.put("vocab.txt", lines);
    const Tokenizer tokenizer = Tokenizer::from_directory(directory.path()), original = Tokenizer::from_directory(golden("bert"));
    for (const char* text : {"The quick brown Fox, isn't it?", "na\xc3\xafve \xe6\x9d\xb1\xe4\xba\xac [MASK] x", ""}) {
        EXPECT_EQ(tokenizer.encode(text, true), original.encode(text, true)) << text;
        const auto ids = original.encode(text, true);
        EXPECT_EQ(tokenizer.decode(ids, true), original.decode(ids, true)) << text;
    }
    directory.put("tokenizer_config.json", R"({"do_lower_case": false, "cls_token": "[SEP]"})");
    const Tokenizer cased = Tokenizer::from_directory(directory.path());
    EXPECT_EQ(cased.encode("", true), (std::vector<std::int32_t>{*cased.id_of("[SEP]"), *cased.id_of("[SEP]")}));
    EXPECT_NE(cased.encode("The", false), original.encode("The", false));
    directory.put("vocab.txt", lines + "[CLS]\n");
    EXPECT_ERROR(Tokenizer::from_directory(directory.path()), ExitCode::bad_data, "is \"[CLS]\", as token 2 is");
    directory.put("vocab.txt", "a\nb\n");
    EXPECT_ERROR(Tokenizer::from_directory(directory.path()), ExitCode::bad_data, "no token \"[");
}

}  // namespace
}  // namespace temper
