#include "io/rows/row_source.h"

#include <cstring>
#include <fstream>

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

const std::filesystem::path goldens = std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/data";

std::vector<Json> rows_of(const std::filesystem::path& path, const JsonLimits& limits = {}) {
    const auto source = open_rows(path, limits);
    std::vector<Json> rows;
    for (Json row; source->next(row);) rows.push_back(row);
    return rows;
}

Error error_of(const std::filesystem::path& path) {
    try {
        rows_of(path);
    } catch (const Error& error) {
        return error;
    }
    return {ExitCode::done, "no error"};
}

void expect_bad(const std::filesystem::path& path, const std::string& part) {
    const Error error = error_of(path);
    EXPECT_EQ(error.code(), ExitCode::bad_data) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
}

std::string gzip(const std::string& text) {
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_out = static_cast<uInt>(packed.size());
    deflate(&stream, Z_FINISH);
    packed.resize(stream.total_out);
    deflateEnd(&stream);
    return packed;
}

std::string zstd(const std::string& text) {
    std::string packed(ZSTD_compressBound(text.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 3));
    return packed;
}

class RowFiles : public ::testing::Test {
  protected:
    std::filesystem::path write(const std::string& name, const std::string& bytes) const {
        std::ofstream(work_.path() / name, std::ios::binary) << bytes;
        return work_.path() / name;
    }
    // Long enough for many buffers of every reader.
    static std::string many_rows() {
        std::string text;
        for (int i = 0; i < 20000; ++i) text += fmt::format("{{\"text\":\"row {} of {}\"}}\n", i, (i * 7919) % 10007);
        return text;
    }
    TemporaryDirectory work_;
};

TEST_F(RowFiles, PackedFilesHoldTheSameRows) {
    const std::string text = many_rows();
    const std::vector<Json> plain = rows_of(write("plain.jsonl", text));
    ASSERT_EQ(plain.size(), 20000u);
    EXPECT_EQ(rows_of(write("rows.jsonl.gz", gzip(text))), plain);
    EXPECT_EQ(rows_of(write("rows.jsonl.zst", zstd(text))), plain);
    const std::size_t half = text.find('\n', text.size() / 2) + 1;
    EXPECT_EQ(rows_of(write("two.jsonl.gz", gzip(text.substr(0, half)) + gzip(text.substr(half)))), plain);
    EXPECT_EQ(rows_of(write("two.jsonl.zst", zstd(text.substr(0, half)) + zstd(text.substr(half)))), plain);
    EXPECT_EQ(row_format(work_.path() / "rows.jsonl.gz"), "JSONL, gzip");
}

TEST_F(RowFiles, DamagedPackedFilesNameThePlace) {
    const std::string text = many_rows();
    for (const auto& [name, packed] : {std::pair(std::string("cut.jsonl.gz"), gzip(text)), std::pair(std::string("cut.jsonl.zst"), zstd(text))}) {
        for (const std::size_t size : {std::size_t{0}, std::size_t{5}, packed.size() / 2, packed.size() - 1}) {
            expect_bad(write(name, packed.substr(0, size)), name + ": byte " + std::to_string(size) + " of the ");
        }
        std::string broken = packed;
        for (std::size_t i = packed.size() / 2; i < packed.size() / 2 + 64; ++i) broken[i] = static_cast<char>(~broken[i]);
        expect_bad(write(name, broken), name + ":");      // by the archive's check, or earlier by the text that comes out
        expect_bad(write(name, text), name + ": byte ");  // not packed at all
    }
}

TEST_F(RowFiles, JsonLists) {
    const std::string list = " [\n {\"text\": \"a ] \\\" } b\", \"n\": [1, {\"m\": 2}]}\n,\n\n{\"text\": \"c\"} ]\n";
    const auto source = open_rows(write("rows.json", list));
    Json row;
    ASSERT_TRUE(source->next(row));
    EXPECT_EQ(row["text"], "a ] \" } b");
    EXPECT_EQ(source->line(), 2);
    ASSERT_TRUE(source->next(row));
    EXPECT_EQ(source->line(), 5);
    EXPECT_FALSE(source->next(row));
    EXPECT_FALSE(source->next(row));
    EXPECT_TRUE(rows_of(write("none.json", "[ ]")).empty());
    EXPECT_EQ(rows_of(write("packed.json.gz", gzip(list))).size(), 2u);
    EXPECT_EQ(rows_of(write("lines.json", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n")).size(), 2u);
    EXPECT_EQ(rows_of(write("bom.json", "\xEF\xBB\xBF[{\"text\": \"a\"}]")).size(), 1u);
}

TEST_F(RowFiles, DamagedJsonListsNameTheLine) {
    expect_bad(write("a.json", "[{\"a\": 1},\n{\"a\": 2}"), "a.json:2: expected \",\" or \"]\" behind a row, found the end of the file");
    expect_bad(write("b.json", "[{\"a\": 1},\n{\"a\": \"2}"), "b.json:2: the object that begins here is not closed");
    expect_bad(write("c.json", "[\n{\"a\": 1,}]"), "c.json:2:");
    expect_bad(write("d.json", "[{\"a\": 1}] x"), "expected nothing behind the list");
    expect_bad(write("h.json", "[{\"a\": 1}]]"), "expected nothing behind the list, found \"]\"");
    expect_bad(write("i.json", "[]]"), "expected nothing behind the list, found \"]\"");
    expect_bad(write("e.json", "[{\"a\": 1},\n 3]"), "e.json:2: expected an object of the list, found \"3\"");
    expect_bad(write("f.json", "[{\"a\": 1},]"), "expected an object of the list");
    expect_bad(write("g.json", "[{\"a\": 1} {\"a\": 1}]"), "expected \",\"");
}

TEST_F(RowFiles, CommaAndTabSeparated) {
    const std::vector<Json> rows = rows_of(write("rows.csv", "prompt,completion\r\n\"a, \"\"b\"\"\nc\",d\r\n\r\n,\"\"\n"));
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0], (Json{{"prompt", "a, \"b\"\nc"}, {"completion", "d"}}));
    EXPECT_EQ(rows[1], (Json{{"prompt", ""}, {"completion", ""}}));
    EXPECT_EQ(rows_of(write("rows.tsv", "text\tn\na,b\t1")), std::vector<Json>({Json{{"text", "a,b"}, {"n", "1"}}}));
    expect_bad(write("few.csv", "a,b\n1,2\n3\n"), "few.csv:3: 1 fields, expected 2");
    expect_bad(write("open.csv", "a,b\n1,\"2\n3\n"), "open.csv:2: a quote");
    expect_bad(write("same.csv", "a,a\n"), "a second \"a\"");
    expect_bad(write("empty.csv", ""), "the file is empty");
    expect_bad(write("utf8.csv", "a\n\xff\n"), "utf8.csv:2: invalid UTF-8");
    expect_bad(write("behind.csv", "a\n\"x\"y\n"), "behind the closing quote");
}

TEST_F(RowFiles, ArrowHoldsTheRowsOfTheJsonl) {
    const std::vector<Json> plain = rows_of(goldens / "arrow_rows.jsonl");
    ASSERT_EQ(plain.size(), 5u);
    const auto same = [&](const std::filesystem::path& path) {
        const std::vector<Json> rows = rows_of(path);
        ASSERT_EQ(rows.size(), plain.size());
        for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(nlohmann::json(rows[i]), nlohmann::json(plain[i]));  // the order of keys aside
    };
    same(goldens / "arrow/stream.arrow");
    same(goldens / "arrow/file.arrow");
    same(goldens / "save_to_disk");
    EXPECT_EQ(row_format(goldens / "save_to_disk"), "Arrow");
}

TEST_F(RowFiles, ArrowTypes) {
    const std::vector<Json> rows = rows_of(goldens / "arrow/types.arrow");
    ASSERT_EQ(rows.size(), 3u);
    const Json expected = Json::parse(
        R"([{"i8":-1,"u64":18446744073709551615,"f32":0.5,"yes":true,"fixed":[1,2],"large":["a"],"pairs":[{"key":"k","value":1}],"json":{"a":[1,null]},
             "list":["b","a"]},
            {"u64":0,"f32":-2.0,"yes":false,"fixed":[3,4],"large":[],"pairs":[],"json":"x","list":["b"]},{"i8":3,"u64":7,"list":[]}])");
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(rows[i], expected[i]);
}

TEST_F(RowFiles, DamagedArrowIsBadData) {
    expect_bad(goldens / "arrow/compressed.arrow", "compressed Arrow buffers are not read");
    const std::string whole = read_file(goldens / "arrow/stream.arrow");
    for (std::size_t size = 0; size < whole.size(); size += 13) {
        const Error error = error_of(write("cut.arrow", whole.substr(0, size)));
        EXPECT_EQ(error.code(), ExitCode::bad_data) << size << ": " << error.what();
    }
    expect_bad(write("text.arrow", "{\"text\": \"no Arrow at all\"}\n"), "text.arrow: byte 0");
}

TEST_F(RowFiles, ArrowRowsWithoutValuesAreRefused) { expect_bad(goldens / "arrow/nulls.arrow", "3 rows, but no column holds values"); }

TEST_F(RowFiles, ArrowValuesHaveTheDepthOfJson) {
    const auto with_depth = [](int depth) { return JsonLimits{std::size_t(1) << 20, depth}; };
    const std::filesystem::path file = goldens / "arrow/deep_dictionary.arrow";
    EXPECT_EQ(rows_of(file, with_depth(3)), (std::vector<Json>{Json{{"d", {{"a", {1}}}}}, Json::object()}));
    try {
        rows_of(file, with_depth(2));
        ADD_FAILURE() << "read";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::bad_data);
        EXPECT_NE(std::string(error.what()).find("deep_dictionary.arrow:1: nested deeper than 2 levels"), std::string::npos) << error.what();
    }
}

// A schema message of FlatBuffers tables with fields of 4 bytes each, written front to back.
struct SchemaMessage {
    std::string bytes;

    std::size_t number(std::uint32_t value) {
        bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
        return bytes.size() - sizeof value;
    }
    void refer(std::size_t from, std::size_t to) {
        const auto distance = static_cast<std::uint32_t>(to - from);
        std::memcpy(bytes.data() + from, &distance, sizeof distance);
    }
    // Fields of the slots below `slots` stand at 4, 8, ... behind the place returned; those not in `present` are absent.
    std::size_t table(std::uint16_t slots, const std::vector<std::uint16_t>& present) {
        std::vector<std::uint16_t> entries(2u + slots + slots % 2u, 0);
        entries[0] = static_cast<std::uint16_t>(2 * entries.size());
        for (const std::uint16_t slot : present) entries[2u + slot] = static_cast<std::uint16_t>(4 + 4 * slot);
        bytes.append(reinterpret_cast<const char*>(entries.data()), 2 * entries.size());
        const std::size_t at = number(static_cast<std::uint32_t>(2 * entries.size()));
        for (std::uint16_t slot = 0; slot < slots; ++slot) number(0);
        return at;
    }
    static std::size_t field(std::size_t table, std::size_t slot) { return table + 4 + 4 * slot; }
    // So many references to one table that is written next.
    void same(std::uint32_t count, std::size_t table_ahead) {
        number(count);
        const std::size_t first = bytes.size(), target = first + 4 * std::size_t(count) + table_ahead;
        for (std::uint32_t i = 0; i < count; ++i) refer(number(0), target);
    }
};

// `columns` times the same column of Arrow's type null, with that name and so many notes.
std::string null_columns(std::uint32_t columns, const std::string& name, std::uint32_t notes) {
    SchemaMessage m;
    const std::size_t root = m.number(0), message = m.table(3, {1, 2});
    m.refer(root, message);
    m.bytes[SchemaMessage::field(message, 1)] = 1;
    const std::size_t schema = m.table(2, {1});
    m.refer(SchemaMessage::field(message, 2), schema);
    m.refer(SchemaMessage::field(schema, 1), m.bytes.size());
    m.same(columns, 20);  // behind the 10 entries of its vtable
    const std::size_t column = m.table(7, {0, 2, 6});
    m.bytes[SchemaMessage::field(column, 2)] = 1;
    m.refer(SchemaMessage::field(column, 0), m.bytes.size());
    m.number(static_cast<std::uint32_t>(name.size()));
    m.bytes += name;
    m.refer(SchemaMessage::field(column, 6), m.bytes.size());
    m.same(notes, 8);
    m.table(2, {});
    std::string file;
    for (const std::uint32_t word : {0xFFFFFFFFu, static_cast<std::uint32_t>(m.bytes.size())})
        file.append(reinterpret_cast<const char*>(&word), sizeof word);
    return file + m.bytes + std::string("\xff\xff\xff\xff\0\0\0\0", 8);
}

TEST_F(RowFiles, ArrowSchemasHaveASizeThatIsRead) {
    EXPECT_TRUE(rows_of(write("fits.arrow", null_columns(3, std::string(4096, 'a'), 100))).empty());
    expect_bad(write("name.arrow", null_columns(1, std::string(4100, 'a'), 0)), "a column's name has more than 4 KiB");
    expect_bad(write("names.arrow", null_columns(300, std::string(4096, 'a'), 0)), "the columns' names have more than 1 MiB");
    expect_bad(write("notes.arrow", null_columns(200, "a", 1000)), "more than 100000 entries of metadata");
}

TEST_F(RowFiles, DirectoriesAndNamesThatAreNone) {
    EXPECT_EQ(error_of(work_.path() / "absent.jsonl").code(), ExitCode::missing_input);
    const Error parquet = error_of(write("rows.parquet", "PAR1"));
    EXPECT_EQ(parquet.code(), ExitCode::usage);
    EXPECT_NE(std::string(parquet.what()).find("to_json('rows.jsonl'"), std::string::npos);
    std::filesystem::create_directory(work_.path() / "folder");
    EXPECT_NE(std::string(error_of(work_.path() / "folder").what()).find("without state.json"), std::string::npos);
    write("folder/state.json", R"({"_data_files": [{"filename": "../rows.parquet"}]})");
    expect_bad(work_.path() / "folder", "a name in this directory");
    write("folder/state.json", R"({"_data_files": [{"filename": "gone.arrow"}]})");
    EXPECT_EQ(error_of(work_.path() / "folder").code(), ExitCode::missing_input);
    write("folder/dataset_dict.json", R"({"splits": ["train"]})");
    EXPECT_NE(std::string(error_of(work_.path() / "folder").what()).find("several splits"), std::string::npos);
}

TEST_F(RowFiles, HashOfADirectoryIsThatOfItsFiles) {
    const std::string first = rows_sha256(goldens / "save_to_disk");
    std::filesystem::copy(goldens / "save_to_disk", work_.path() / "copy");
    EXPECT_EQ(rows_sha256(work_.path() / "copy"), first);
    write("copy/data-00000-of-00002.arrow", "x");
    EXPECT_NE(rows_sha256(work_.path() / "copy"), first);
}

}  // namespace
}  // namespace temper
