// GGUF: decoded bit for bit as the `gguf` package decodes it; every lie of a header is refused and named.
#include "io/tensors/gguf.h"

#include <cstring>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "io/tensors/gguf_header.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

const fs::path goldens = fs::path(TEMPER_SOURCE_DIR) / "tests/goldens/gguf";

View view_of(std::vector<float>& memory, const std::vector<std::int64_t>& shape, DType dtype) {
    View view;
    view.dtype = dtype;
    view.rank = static_cast<int>(shape.size());
    std::int64_t step = 1;
    for (std::size_t i = shape.size(); i-- > 0; step *= shape[i]) view.shape[i] = shape[i], view.stride[i] = step;
    memory.assign(static_cast<std::size_t>(step), 0.0f);
    view.data = memory.data();
    return view;
}

void expect_same_numbers(const std::string& name) {
    const GgufFile file(goldens / (name + ".gguf"));
    const auto expected = open_safetensors(goldens / (name + ".safetensors"));
    for (const std::string& tensor : expected->names()) {
        SCOPED_TRACE(tensor);
        ASSERT_NE(file.find(tensor), nullptr);
        EXPECT_EQ(file.find(tensor)->shape, expected->find(tensor)->shape);
        std::vector<float> found, wanted, rounded;
        const auto& shape = expected->find(tensor)->shape;
        expected->read(tensor, view_of(wanted, shape, DType::f32));
        file.read(tensor, view_of(found, shape, DType::f32));
        EXPECT_EQ(std::memcmp(found.data(), wanted.data(), wanted.size() * 4), 0);
        const View brain = view_of(rounded, shape, DType::bf16);
        file.read(tensor, brain);
        for (std::size_t i = 0; i < wanted.size(); ++i) ASSERT_EQ(brain.as<bf16>()[i], to_bf16(wanted[i])) << i;
    }
}

TEST(Gguf, DecodesAsTheReference) { expect_same_numbers("kinds"); }
TEST(Gguf, ObeysItsAlignment) { expect_same_numbers("aligned"); }

TEST(Gguf, ReadsIntoRowsWithAStride) {
    const GgufFile file(goldens / "kinds.gguf");
    std::vector<float> plain, padded(6 * 112, 7.0f);
    file.read("q4_1", view_of(plain, {6, 96}, DType::f32));
    View rows(padded.data(), DType::f32, {6, 96});
    rows.stride[0] = 112;
    file.read("q4_1", rows);
    for (std::size_t i = 0; i < 6; ++i)
        for (std::size_t j = 0; j < 112; ++j) ASSERT_EQ(padded[i * 112 + j], j < 96 ? plain[i * 96 + j] : 7.0f);
}

TEST(Gguf, ReadsMetadata) {
    const GgufFile file(goldens / "kinds.gguf");
    EXPECT_EQ(file.text("general.architecture"), "llama");
    EXPECT_EQ(file.text("general.name"), "kinds of \xc3\xa4");
    EXPECT_EQ(file.text("absent"), std::nullopt);
    EXPECT_EQ(file.integer("test.u8"), 200);
    EXPECT_EQ(file.integer("test.i8"), -100);
    EXPECT_EQ(file.integer("test.u16"), 60000);
    EXPECT_EQ(file.integer("test.i16"), -30000);
    EXPECT_EQ(file.integer("test.u32"), 4000000000);
    EXPECT_EQ(file.integer("test.i32"), -2000000000);
    EXPECT_EQ(file.integer("test.u64.small"), 9223372036854775807);
    EXPECT_EQ(file.integer("test.i64"), -(std::int64_t(1) << 62));
    EXPECT_EQ(file.number("test.f32"), static_cast<double>(0.1f));
    EXPECT_EQ(file.number("test.f64"), 0.1);
    EXPECT_EQ(file.number("test.i8"), -100.0);
    EXPECT_EQ(file.boolean("test.bool"), true);
    EXPECT_EQ(file.texts("test.texts"), (std::vector<std::string>{"a", "",
                                                                  "\xc3\xa4\xe2\x80\xa8"
                                                                  "b"}));
    EXPECT_EQ(file.integers("test.integers"), (std::vector<std::int32_t>{1, -2, 3}));
    EXPECT_EQ(file.numbers("test.floats"), (std::vector<float>{0.5f, -1.25f}));
    EXPECT_EQ(file.numbers("test.integers"), (std::vector<float>{1, -2, 3}));
    EXPECT_TRUE(file.texts("absent").empty());
    EXPECT_ERROR(file.integer("test.f32"), ExitCode::bad_data, "kinds.gguf: test.f32 is a float, expected an integer");
    EXPECT_ERROR(file.integer("test.u64"), ExitCode::bad_data, "test.u64 is an integer beyond int64, expected an integer");
    EXPECT_ERROR(file.text("test.u8"), ExitCode::bad_data, "test.u8 is an integer, expected a text");
    EXPECT_ERROR(file.number("test.bool"), ExitCode::bad_data, "test.bool is a truth value, expected a number");
    EXPECT_ERROR(file.texts("test.integers"), ExitCode::bad_data, "test.integers is a list of integers, expected a list of texts");
    EXPECT_ERROR(file.numbers("test.texts"), ExitCode::bad_data, "expected a list of numbers");
}

TEST(Gguf, RefusesWhatItCannotRead) {
    const GgufFile file(goldens / "kinds.gguf");
    std::vector<float> memory;
    EXPECT_ERROR(file.read("absent", view_of(memory, {6, 96}, DType::f32)), ExitCode::missing_input, "kinds.gguf: no tensor absent");
    EXPECT_ERROR(file.read("q8_0", view_of(memory, {96, 6}, DType::f32)), ExitCode::bad_data, "tensor q8_0 has shape (6, 96), expected (96, 6)");
    EXPECT_ERROR(GgufFile("/absent.gguf"), ExitCode::missing_input, "/absent.gguf: no such file");
}

// A small valid file, part by part, so that each part can be replaced by a lie.
struct Handmade {
    std::string magic = "GGUF";
    std::uint32_t version = 3;
    std::uint64_t tensors = 1, pairs = 1;
    std::string metadata, infos, data = std::string(64, '\1');

    template <class T> static std::string raw(T value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }
    static std::string text(const std::string& value) { return raw<std::uint64_t>(value.size()) + value; }
    template <class T> static std::string pair(const std::string& key, std::uint32_t type, T value) { return text(key) + raw(type) + raw(value); }
    static std::string info(const std::string& name, std::vector<std::uint64_t> shape, std::uint32_t type, std::uint64_t offset) {
        std::string bytes = text(name) + raw(static_cast<std::uint32_t>(shape.size()));
        for (const std::uint64_t size : shape) bytes += raw(size);
        return bytes + raw(type) + raw(offset);
    }
    static std::string array(const std::string& key, std::uint32_t type, std::uint64_t count, const std::string& items) {
        return text(key) + raw<std::uint32_t>(9) + raw(type) + raw(count) + items;
    }

    Handmade() : metadata(pair<std::uint32_t>("n", 4, 1)), infos(info("a", {8}, 0, 0)) {}
    std::string bytes(std::uint64_t alignment = 32) const {
        std::string all = magic + raw(version) + raw(tensors) + raw(pairs) + metadata + infos;
        all.resize((all.size() + alignment - 1) / alignment * alignment, '\0');
        return all + data;
    }
    Handmade with(const std::function<void(Handmade&)>& change) const {
        Handmade other = *this;
        change(other);
        return other;
    }
};

struct Lie {
    const char* name;
    std::string bytes, part;
};

std::vector<Lie> lies() {
    const Handmade good;
    using H = Handmade;
    const std::uint64_t huge = ~std::uint64_t(0);
    const auto metadata = [&](const std::string& pair) { return good.with([&](H& h) { h.metadata = pair; }).bytes(); };
    const auto infos = [&](std::uint64_t count, const std::string& list, std::size_t data = 64) {
        return good.with([&](H& h) { h.tensors = count, h.infos = list, h.data.resize(data); }).bytes();
    };
    const auto aligned = [&](std::uint32_t alignment) { return metadata(H::pair<std::uint32_t>("general.alignment", 4, alignment)); };
    return {
        {"empty file", "", "byte 0: the magic takes 4 bytes, but 0 are left"},
        {"bad magic", good.with([](H& h) { h.magic = "GGML"; }).bytes(), "byte 0: 47474d4c, expected the magic"},
        {"version 0", good.with([](H& h) { h.version = 0; }).bytes(), "byte 4: version 0, expected 2 or 3"},
        {"version 1", good.with([](H& h) { h.version = 1; }).bytes(), "byte 4: version 1, expected 2 or 3"},
        {"version 4", good.with([](H& h) { h.version = 4; }).bytes(), "byte 4: version 4, expected 2 or 3"},
        {"big-endian", good.with([](H& h) { h.version = 0x03000000; }).bytes(), "big-endian files are not supported"},
        {"-1 tensors", good.with([&](H& h) { h.tensors = huge; }).bytes(), "byte 8: 18446744073709551615 tensors, expected at most 1000000"},
        {"-1 pairs", good.with([&](H& h) { h.pairs = huge; }).bytes(), "byte 16: 18446744073709551615 metadata pairs, expected at most 65536"},
        {"more pairs than there are", good.with([](H& h) { h.pairs = 60000; }).bytes(), "byte "},
        {"more tensors than there are", good.with([](H& h) { h.tensors = 900000; }).bytes(), "byte "},
        {"key longer than the file", metadata(H::raw<std::uint64_t>(200) + "n"), "a metadata key takes 200 bytes"},
        {"key of 2^64-1 bytes", metadata(H::raw(huge) + "n"), "a metadata key of 18446744073709551615 bytes, expected at most 255"},
        {"empty key", metadata(H::pair<std::uint32_t>("", 4, 1)), "a metadata key is empty"},
        {"key not text", metadata(H::pair<std::uint32_t>("\xff", 4, 1)), "a metadata key is not text: ff"},
        {"duplicate key", good.with([](H& h) { h.pairs = 2, h.metadata += h.metadata; }).bytes(), "byte 41: duplicate key n"},
        {"type of value not known", metadata(H::pair<std::uint32_t>("n", 13, 1)), "n: unknown type of value 13"},
        {"truth value 2", metadata(H::pair<std::uint8_t>("n", 7, 2)), "n: 2, expected 0 or 1"},
        {"text longer than the file", metadata(H::text("n") + H::raw<std::uint32_t>(8) + H::raw<std::uint64_t>(1000)), "a text takes 1000 bytes"},
        {"text of 2^63 bytes", metadata(H::text("n") + H::raw<std::uint32_t>(8) + H::raw(huge / 2 + 1)), "a text of 9223372036854775808 bytes"},
        {"array of arrays", metadata(H::array("n", 9, 1, H::raw<std::uint32_t>(4) + H::raw<std::uint64_t>(0))), "n: an array of arrays"},
        {"array of a type not known", metadata(H::array("n", 99, 1, "x")), "n: unknown type of value 99"},
        {"array of 2^64-1", metadata(H::array("n", 4, huge, "")), "18446744073709551615 elements of an array, expected at most 16777216"},
        {"array longer than the file", metadata(H::array("n", 4, 1000000, "")), "an array takes 4000000 bytes"},
        {"texts longer than the file", metadata(H::array("n", 8, 1000000, "")), "an array takes 8000000 bytes"},
        {"text in an array longer than the file", metadata(H::array("n", 8, 1, H::raw<std::uint64_t>(500))), "a text takes 500 bytes"},
        {"integer of an array beyond int64", metadata(H::array("n", 10, 1, H::raw(huge))), "does not fit into int64"},
        {"alignment 0", aligned(0), "general.alignment is 0, expected a power of two"},
        {"alignment 1", aligned(1), "general.alignment is 1, expected"},
        {"alignment 48", aligned(48), "general.alignment is 48, expected"},
        {"alignment 2^31", aligned(1u << 31), "general.alignment is 2147483648, expected"},
        {"alignment is text", metadata(H::text("general.alignment") + H::raw<std::uint32_t>(8) + H::text("32")),
         "general.alignment: type 8, expected an unsigned 32-bit integer"},
        {"alignment of 64 bits", metadata(H::pair<std::uint64_t>("general.alignment", 10, 32)), "general.alignment: type 10, expected"},
        {"tensor without name", infos(1, H::info("", {8}, 0, 0)), "a tensor's name is empty"},
        {"name too long", infos(1, H::info(std::string(256, 'a'), {8}, 0, 0), 512), "a tensor's name of 256 bytes, expected at most 255"},
        {"name not text", infos(1, H::info("a\xc3", {8}, 0, 0)), "a tensor's name is not text: 61c3"},
        {"name with NUL", infos(1, H::info(std::string("a\0", 2), {8}, 0, 0)), "a tensor's name is not text: 6100"},
        {"duplicate tensor", infos(2, H::info("a", {8}, 0, 0) + H::info("a", {8}, 0, 32)), "duplicate tensor a"},
        {"no dimension", infos(1, H::info("a", {}, 0, 0)), "tensor a has 0 dimensions, expected 1 to 4"},
        {"five dimensions", infos(1, H::info("a", {1, 1, 1, 1, 8}, 0, 0)), "tensor a has 5 dimensions, expected 1 to 4"},
        {"2^32-1 dimensions", infos(1, H::text("a") + H::raw(~std::uint32_t(0))), "tensor a has 4294967295 dimensions"},
        {"dimension 0", infos(1, H::info("a", {8, 0}, 0, 0)), "tensor a: dimension 1 is 0, expected"},
        {"dimension -1", infos(1, H::info("a", {huge}, 0, 0)), "tensor a: dimension 0 is -1, expected"},
        {"product overflows to 0", infos(1, H::info("a", {std::uint64_t(1) << 32, std::uint64_t(1) << 32}, 0, 0)), "is larger than the file"},
        {"product overflows to 32", infos(1, H::info("a", {4194305, 4194305, 211106198978564}, 0, 0)), "is larger than the file"},
        {"bytes overflow", infos(1, H::info("a", {std::uint64_t(1) << 62}, 0, 0)), "is larger than the file"},
        {"padding overflows", infos(1, H::info("a", {(std::uint64_t(1) << 61) - 1, 2}, 0, 0)), "is larger than the file"},
        {"type not known", infos(1, H::info("a", {8}, 4, 0)), "tensor a has the unknown type 4"},
        {"type 2^32-1", infos(1, H::info("a", {8}, ~std::uint32_t(0), 0)), "tensor a has the unknown type 4294967295"},
        {"rows that are not blocks", infos(1, H::info("a", {16, 2}, 2, 0)),
         "tensor a: rows of 16 numbers are not whole blocks of 32, which Q4_0 has"},
        {"offset not aligned", infos(1, H::info("a", {8}, 0, 4)), "tensor a at offset 4: not a multiple of the alignment, 32"},
        {"offset beyond the file", infos(1, H::info("a", {8}, 0, 4096)), "tensor a at offset 4096: its 32 bytes reach beyond the file"},
        {"offset 2^64-32", infos(1, H::info("a", {8}, 0, huge - 31)), "tensor a at offset 18446744073709551584: its 32 bytes reach beyond the file"},
        {"data too short", infos(1, H::info("a", {8}, 0, 0), 31), "tensor a at offset 0: its 32 bytes reach beyond the file"},
        {"overlap", infos(2, H::info("a", {16}, 0, 0) + H::info("b", {8}, 0, 32)),
         "tensor b at offset 32: overlaps the tensor before, which ends at 64"},
        {"the same bytes twice", infos(2, H::info("a", {8}, 0, 0) + H::info("b", {8}, 0, 0)), "overlaps the tensor before"},
    };
}

TEST(Gguf, RefusesEveryLie) {
    const TemporaryDirectory directory;
    EXPECT_NO_THROW(GgufFile(directory.put("good.gguf", Handmade().bytes())));
    for (const Lie& lie : lies()) {
        SCOPED_TRACE(lie.name);
        const fs::path path = directory.put("lie.gguf", lie.bytes);
        EXPECT_ERROR(GgufFile(path), ExitCode::bad_data, path.string() + ": ");
        EXPECT_ERROR(GgufFile(path), ExitCode::bad_data, lie.part);
    }
}

TEST(Gguf, NamesATypeThatItDoesNotDecode) {
    const TemporaryDirectory directory;
    const fs::path path =
        directory.put("iq.gguf", Handmade().with([](Handmade& h) { h.infos = Handmade::info("a", {256}, 16, 0), h.data.resize(66); }).bytes());
    std::vector<float> memory;
    EXPECT_ERROR(GgufFile(path).read("a", view_of(memory, {256}, DType::f32)), ExitCode::bad_data,
                 "tensor a is stored as IQ2_XXS, expected one of F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, "
                 "IQ4_XS, BF16");
}

TEST(Gguf, AcceptsVersion2AndHolesBetweenTensors) {
    const TemporaryDirectory directory;
    const GgufFile file(directory.put("two.gguf", Handmade()
                                                      .with([](Handmade& h) {
                                                          h.version = 2, h.tensors = 2;
                                                          h.infos = Handmade::info("b", {8}, 0, 64) + Handmade::info("a", {2, 4}, 0, 0);
                                                          h.data.resize(96);
                                                      })
                                                      .bytes()));
    EXPECT_EQ(file.names(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(file.find("a")->shape, (std::vector<std::int64_t>{4, 2}));
}

TEST(Gguf, AcceptsEmptyArrays) {
    const TemporaryDirectory directory;
    const auto open = [&](std::uint32_t type) {
        return std::make_unique<GgufFile>(
            directory.put("empty.gguf", Handmade().with([&](Handmade& h) { h.metadata = Handmade::array("n", type, 0, ""); }).bytes()));
    };
    EXPECT_TRUE(open(5)->integers("n").empty());
    EXPECT_TRUE(open(8)->texts("n").empty());
    EXPECT_ERROR(open(8)->integers("n"), ExitCode::bad_data, "n is a list of texts, expected a list of integers");
}

TEST(Gguf, EveryTruncationIsRefused) {
    const std::string whole = read_file(goldens / "kinds.gguf");
    const GgufTensor last = parse_gguf_header(whole, whole.size(), "whole").tensors.back();
    for (std::size_t length = 0; length < last.begin + last.bytes; length += length < 4096 ? 1 : 37) {
        const auto error = testing::caught([&] { parse_gguf_header(std::string_view(whole).substr(0, length), length, "cut"); });
        EXPECT_EQ(error.code, ExitCode::bad_data) << length;
    }
}

TEST(Gguf, HeadThatIsTooShortAsksForMoreAndNeverInvents) {
    const std::string whole = read_file(goldens / "kinds.gguf");
    const GgufHeader header = parse_gguf_header(whole, whole.size(), "whole");
    for (std::size_t length = 0; length < header.data_begin - 32; ++length)
        EXPECT_THROW(parse_gguf_header(std::string_view(whole).substr(0, length), whole.size(), "head"), GgufHeadTooShort) << length;
    EXPECT_EQ(parse_gguf_header(std::string_view(whole).substr(0, header.data_begin), whole.size(), "head").tensors.size(), header.tensors.size());
}

TEST(Gguf, FlippedHeaderBitsNeverCrash) {
    const std::string whole = read_file(goldens / "kinds.gguf");
    const std::uint64_t header_bytes = parse_gguf_header(whole, whole.size(), "whole").data_begin;
    for (std::size_t bit = 0; bit < header_bytes * 8; ++bit) {
        std::string flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        try {
            for (const GgufTensor& tensor : parse_gguf_header(flipped, flipped.size(), "flipped").tensors)
                EXPECT_LE(tensor.begin + tensor.bytes, flipped.size());
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::bad_data) << error.what();
        }
    }
}

}  // namespace
}  // namespace temper
