#include <gtest/gtest.h>

#include "io/jsonl.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

struct Bad {
    std::string text, column, part;
};

TEST(Json, RefusesWithColumn) {
    const std::vector<Bad> table = {
        {"", "1", "unexpected end of input"},
        {"{", "2", "unexpected end of input"},
        {"{\"a\":1", "7", "unexpected end of input"},
        {"[1,]", "4", "unexpected ']'"},
        {"{\"a\":1,}", "8", "expected string literal"},
        {"{a:1}", "2", "invalid literal"},
        {"{'a':1}", "2", "invalid literal"},
        {"{\"a\" 1}", "6", "expected ':'"},
        {"{\"a\":tru}", "9", "invalid literal"},
        {"{\"a\":NaN}", "6", "invalid literal"},
        {"{\"a\":Infinity}", "6", "invalid literal"},
        {"{\"a\":-}", "7", "invalid number"},
        {"{\"a\":01}", "7", "unexpected number literal"},
        {"{\"a\":1.}", "8", "invalid number"},
        {"{\"a\":.5}", "6", "invalid literal"},
        {"{\"a\":+5}", "6", "invalid literal"},
        {"{\"a\":1e}", "8", "invalid number"},
        {"{\"a\":0x10}", "7", "invalid literal"},
        {"{\"a\":1e400}", "10", "number overflow parsing '1e400'"},
        {"{\"a\":-1e400}", "11", "number overflow parsing '-1e400'"},
        {"{} {}", "4", "unexpected '{'"},
        {"{}x", "3", "invalid literal"},
        {"// c\n{}", "1", "invalid literal"},
        {"{\"a\":\"x", "8", "missing closing quote"},
        {"{\"a\":\"\t\"}", "7", "control character"},
        {"{\"a\":\"\x1f\"}", "7", "control character"},
        {"{\"a\":\"\\x\"}", "8", "forbidden character after backslash"},
        {"{\"a\":\"\\u12g4\"}", "11", "must be followed by 4 hex digits"},
        {"{\"a\":\"\\ud800\"}", "13", "surrogate"},
        {"{\"a\":\"\\ud800x\"}", "13", "surrogate"},
        {"{\"a\":\"\\ud800\\u0041\"}", "18", "surrogate"},
        {"{\"a\":\"\\udc00\"}", "12", "surrogate"},
        {std::string("{\"a\":1}\0{}", 10), "8", "NUL byte"},
        {std::string("{\"a\0\":1}", 8), "4", "NUL byte"},
        {"{\"a\":\"\xff\"}", "7", "byte 0xff is not valid UTF-8"},
        {"{\"a\":\"\xc0\x80\"}", "7", "byte 0xc0 is not valid UTF-8"},
        {"{\"a\":\"\xed\xa0\x80\"}", "7", "byte 0xed is not valid UTF-8"},
        {"{\"a\":\"\xf4\x90\x80\x80\"}", "7", "byte 0xf4 is not valid UTF-8"},
        {"{\"a\":\"\xe2\x82\"}", "7", "byte 0xe2 is not valid UTF-8"},
        {"\xef\xbb\xbf\xef\xbb\xbf{}", "4", "invalid literal"},
        {"{\"a\":1,\"a\":2}", "8", "duplicate key \"a\""},
        {"{\"a\":1,\"b\":{\"x\":1,\"x\":1}}", "19", "duplicate key \"x\""},
        {"{\"a\":1,\"\\u0061\":2}", "8", "duplicate key \"a\""},
        {"{\"q\\\"\":1,\"q\\\"\":2}", "10", "duplicate key \"q\"\""},
        {"\xe2\x80\xa8{}", "1", "invalid literal"},
    };
    for (const Bad& bad : table) {
        SCOPED_TRACE(bad.text);
        const auto error = testing::caught([&] { parse_json(bad.text, "rows.jsonl:17"); });
        EXPECT_EQ(error.code, ExitCode::bad_data);
        EXPECT_EQ(error.message.rfind("rows.jsonl:17:" + bad.column + ": ", 0), 0u) << error.message;
        EXPECT_NE(error.message.find(bad.part), std::string::npos) << error.message;
    }
}

TEST(Json, AcceptsWhatJsonAllows) {
    EXPECT_EQ(parse_json(" {\"a\" : [1, -2, 3.5e-4, true, false, null, \"\\u00e9\\ud83d\\ude00\\u0000\"] }\r\n", "x").dump(),
              "{\"a\":[1,-2,0.00035,true,false,null,\"\xc3\xa9\xf0\x9f\x98\x80\\u0000\"]}");
    EXPECT_EQ(parse_json("\"\xe2\x80\xa8\"", "x").get<std::string>(), "\xe2\x80\xa8");  // U+2028 is text
    EXPECT_EQ(parse_json("18446744073709551615", "x").get<std::uint64_t>(), 18446744073709551615u);
    EXPECT_EQ(parse_json("{\"b\":1,\"a\":2}", "x").begin().key(), "b");  // the order of the file
    EXPECT_EQ(parse_json("\xef\xbb\xbf{}", "x"), Json::object());
}

TEST(Json, NamesLineAndColumnOfDocuments) {
    EXPECT_ERROR(parse_json("{\n  \"a\": 1,\n  \"a\": 2\n}", "config.json"), ExitCode::bad_data, "config.json:3:3: duplicate key \"a\"");
    EXPECT_ERROR(parse_json("{\"a\": x}", "config.json"), ExitCode::bad_data, "config.json:1:7: ");
}

TEST(Json, CapsDepthAndSize) {
    const auto nested = [](int depth) {
        return std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']');
    };
    EXPECT_NO_THROW(parse_json(nested(63), "x"));
    EXPECT_NO_THROW(parse_json(nested(64), "x"));
    EXPECT_ERROR(parse_json(nested(65), "x"), ExitCode::bad_data, "x:1:65: nested deeper than 64 levels");
    EXPECT_ERROR(parse_json(nested(1000000), "x"), ExitCode::bad_data, "x:1:65: nested");
    EXPECT_NO_THROW(parse_json("[1]", "x", {3, 64}));
    EXPECT_ERROR(parse_json("[11]", "x", {3, 64}), ExitCode::bad_data, "4 bytes, expected at most 3");
}

TEST(Json, FindsDuplicatesAmongManyKeysInTimeThatGrowsWithThem) {
    std::string text = "{";
    for (int i = 0; i < 200000; ++i) text += fmt::format("\"k{}\":{},", i, i);
    EXPECT_EQ(parse_json(text + "\"last\":0}", "x").size(), 200001u);
    EXPECT_ERROR(parse_json(text + "\"k77\":0}", "x"), ExitCode::bad_data, "duplicate key \"k77\"");
}

// Table 3-7 spelled once more, by decoding and encoding again.
bool is_valid_by_round_trip(const std::string& text) {
    std::size_t i = 0;
    while (i < text.size()) {
        const auto at = [&](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0u; };
        const unsigned first = at(i);
        const std::size_t length = first < 0x80 ? 1 : first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
        if (first >= 0x80 && (first < 0xC0 || first >= 0xF8)) return false;
        std::uint32_t point = length == 1 ? first : first & (0xFFu >> (length + 1));
        for (std::size_t k = 1; k < length; ++k) {
            if ((at(i + k) & 0xC0) != 0x80) return false;
            point = point << 6 | (at(i + k) & 0x3F);
        }
        const std::size_t shortest = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        if (shortest != length || (point >= 0xD800 && point < 0xE000) || point > 0x10FFFF) return false;
        i += length;
    }
    return true;
}

TEST(Utf8, AgreesWithRoundTripOnEveryShortSequence) {
    std::string text;
    std::int64_t differing = 0;
    const auto check = [&] { differing += (find_invalid_utf8(text) == std::string::npos) != is_valid_by_round_trip(text); };
    for (int a = 0; a < 256; ++a)
        for (int b = 0; b < 256; ++b) {
            text = {static_cast<char>(a), static_cast<char>(b)};
            check();
            if (a < 0xC0 && b < 0xC0) continue;  // covered by the two-byte case
            for (int c = 0; c < 256; ++c) {
                text = {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c)};
                check();
            }
        }
    for (int a = 0xEF; a < 0x100; ++a)
        for (int b = 0x7F; b < 0xC1; ++b)
            for (int c = 0x7F; c < 0xC1; ++c)
                for (int d = 0x7F; d < 0xC1; ++d) {
                    text = {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c), static_cast<char>(d)};
                    check();
                }
    EXPECT_EQ(differing, 0);
}

TEST(Utf8, NamesTheFirstBadByte) {
    EXPECT_EQ(find_invalid_utf8("0123456789\xff"), 10u);
    EXPECT_EQ(find_invalid_utf8("01234567\xc3\xa9 012345678\x80"), 20u);
    EXPECT_EQ(find_invalid_utf8("0123456789abcdef\xe2\x82"), 16u);
    EXPECT_EQ(find_invalid_utf8("0123456789abcdef\xe2\x82\xac"), std::string::npos);
}

TEST(Jsonl, ReadsRowsWithBomCrlfAndBlankLines) {
    const TemporaryDirectory directory;
    const auto path = directory.put("rows.jsonl", "\xef\xbb\xbf{\"a\":1}\r\n\r\n  \t\n{\"a\":2}\n\n{\"a\":3}");
    JsonlReader reader(path);
    Json row;
    std::vector<std::pair<std::int64_t, int>> seen;
    while (reader.next(row)) seen.emplace_back(reader.line(), row["a"].get<int>());
    EXPECT_EQ(seen, (std::vector<std::pair<std::int64_t, int>>{{1, 1}, {4, 2}, {6, 3}}));
    EXPECT_FALSE(reader.next(row));
}

TEST(Jsonl, NamesLineAndColumn) {
    const TemporaryDirectory directory;
    const auto read_all = [](const std::filesystem::path& path, JsonLimits limits = {}) {
        JsonlReader reader(path, limits);
        Json row;
        while (reader.next(row)) {}
    };
    EXPECT_ERROR(read_all(directory.put("a.jsonl", "{}\n{\"a\":\"\xff\"}\n")), ExitCode::bad_data, "a.jsonl:2:7: byte 0xff");
    EXPECT_ERROR(read_all(directory.put("b.jsonl", "{}\n\n [1]\n")), ExitCode::bad_data, "b.jsonl:3:2: array, expected an object");
    EXPECT_ERROR(read_all(directory.put("c.jsonl", "{}\n{\"a\":\n1}\n")), ExitCode::bad_data, "c.jsonl:2:6: ");
    EXPECT_ERROR(read_all(directory.put("d.jsonl", "{}\n" + std::string("{\"a\0\":1}", 8))), ExitCode::bad_data, "d.jsonl:2:4: NUL");
    EXPECT_ERROR(read_all(directory.put("e.jsonl", "{}\n\xef\xbb\xbf{}x")), ExitCode::bad_data, "e.jsonl:2:6: ");
    EXPECT_ERROR(read_all(directory / "absent.jsonl"), ExitCode::missing_input, "absent.jsonl: no such file");
    EXPECT_ERROR(read_all(directory.path()), ExitCode::missing_input, "is a directory");
}

TEST(Jsonl, CapsALineWithoutHoldingIt) {
    const TemporaryDirectory directory;
    const auto line_of = [](std::size_t bytes) { return "{\"a\":\"" + std::string(bytes - 8, 'x') + "\"}"; };
    const JsonLimits limits{1000, 64};
    Json row;
    for (const std::size_t bytes : {999u, 1000u}) {
        JsonlReader reader(directory.put("ok.jsonl", line_of(bytes) + "\r\n{}\n"), limits);
        EXPECT_TRUE(reader.next(row));
        EXPECT_TRUE(reader.next(row));
    }
    JsonlReader one_more(directory.put("more.jsonl", "{}\n" + line_of(1001) + "\n"), limits);
    EXPECT_TRUE(one_more.next(row));
    EXPECT_ERROR(one_more.next(row), ExitCode::bad_data, "more.jsonl:2:1: 1001 bytes, expected at most 1000");
    // A file of 4 GiB without a newline, sparse: refused after the limit, long before its end.
    const auto huge = directory.put("huge.jsonl", "");
    std::filesystem::resize_file(huge, std::uintmax_t(4) << 30);
    JsonlReader reader(huge, limits);
    EXPECT_ERROR(reader.next(row), ExitCode::bad_data, "huge.jsonl:1:1: the line has more than 1000 bytes");
}

}  // namespace
}  // namespace temper
