// .safetensors: what the reference library writes is read, what it refuses is refused, what we write equals what it writes.
#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "io/tensors/safetensors_header.h"
#include "io/tensors/tensor_decode.h"
#include "io/tensors/tensor_source.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

const fs::path goldens = fs::path(TEMPER_SOURCE_DIR) / "tests/goldens/safetensors";

std::string file_of(const std::string& header, std::size_t data_bytes, std::uint64_t stated_length) {
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &stated_length, 8);
    return bytes + header + std::string(data_bytes, '\1');
}
std::string file_of(const std::string& header, std::size_t data_bytes) { return file_of(header, data_bytes, header.size()); }

// One tensor "a" with these fields.
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

std::vector<float> read_f32(const TensorSource& source, const std::string& name, std::initializer_list<std::int64_t> shape) {
    std::int64_t count = 1;
    for (const std::int64_t size : shape) count *= size;
    std::vector<float> values(static_cast<std::size_t>(count));
    source.read(name, View(values.data(), DType::f32, shape));
    return values;
}

struct Attack {
    const char* name;
    std::string bytes, part;
};

// The reference's own unit attacks, and the cases published against it and against re-implementations.
std::vector<Attack> attacks() {
    const std::string deep = std::string(R"({"a":)") + std::string(100000, '[') + std::string(100000, ']') + "}";
    return {
        {"empty file", "", "too short for a safetensors header"},
        {"seven bytes", std::string(7, '\0'), "too short for a safetensors header"},
        {"header of 0 bytes", file_of("", 0), "does not begin with {"},
        {"header too large", file_of("{}", 0, 100'000'001), "header of 100000001 bytes, expected at most 100000000"},
        {"header of 2^63 bytes", file_of("{}", 0, std::uint64_t(1) << 63), "header of 9223372036854775808 bytes"},
        {"header of 2^64-1 bytes", file_of("{}", 0, ~std::uint64_t(0)), "header of 18446744073709551615 bytes"},
        {"header longer than the file", file_of("{}", 0, 60), "header of 60 bytes in a file of 10: the file is truncated"},
        {"header not UTF-8", file_of("{\"\xff\":1}", 0), "header:1:3: byte 0xff is not valid UTF-8"},
        {"header not JSON", file_of("{", 0), "header:1:2: "},
        {"header is a list", file_of("[]", 0), "does not begin with {"},
        {"leading space", file_of(" {}", 0), "does not begin with {"},
        {"text behind the JSON", file_of("{}x", 0), "header:1:3"},
        {"NUL padding", file_of(std::string("{}\0\0", 4), 0), "header:1:3: NUL byte"},
        {"depth bomb", file_of(deep, 0), "nested deeper than 8 levels"},
        {"duplicate tensor",
         file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2),
         "duplicate key \"a\""},
        {"duplicate field", file_of(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1), "duplicate key \"dtype\""},
        {"metadata of numbers", file_of(R"({"__metadata__":{"n":1}})", 0), "__metadata__: \"n\" is number, expected a string"},
        {"metadata is a list", file_of(R"({"__metadata__":[]})", 0), "__metadata__ is array"},
        {"tensor is a number", file_of(R"({"a":1})", 0), "tensor \"a\": number, expected an object"},
        {"no dtype", file_of(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1), "tensor \"a\": field \"dtype\" is missing"},
        {"no shape", file_of(R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1), "tensor \"a\": field \"shape\" is missing"},
        {"no offsets", file_of(R"({"a":{"dtype":"U8","shape":[1]}})", 1), "tensor \"a\": field \"data_offsets\" is missing"},
        {"field not known", file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"stride":[1]}})", 1), "unknown field \"stride\""},
        {"dtype not known", file_of(one("F12", "[1]", "[0,1]"), 1), "tensor \"a\": unknown dtype \"F12\""},
        {"dtype is a number", file_of(R"({"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}})", 1), "dtype is 8, expected a string"},
        {"dtype in lower case", file_of(one("f32", "[1]", "[0,4]"), 4), "unknown dtype \"f32\""},
        {"shape is a number", file_of(one("U8", "1", "[0,1]"), 1), "shape is number, expected a list"},
        {"shape of text", file_of(one("U8", "[\"1\"]", "[0,1]"), 1), "shape holds \"1\""},
        {"negative shape", file_of(one("U8", "[-1]", "[0,1]"), 1), "shape holds -1"},
        {"fractional shape", file_of(one("U8", "[1.0]", "[0,1]"), 1), "shape holds 1.0"},
        {"shape beyond 64 bits", file_of(one("U8", "[18446744073709551616]", "[0,1]"), 1), "shape holds 1.8446744073709552e+19"},
        {"shape beyond double", file_of(one("U8", "[1e400]", "[0,1]"), 1), "number overflow"},
        {"shape product overflows to 4", file_of(one("U8", "[4194305,4194305,211106198978564]", "[0,4]"), 4),
         "shape (4194305, 4194305, 211106198978564) overflows"},
        {"shape times dtype overflows", file_of(one("F32", "[4611686018427387904]", "[0,16]"), 16), "overflows"},
        {"no elements", file_of(one("F32", "[2,0]", "[0,0]"), 0), "shape (2, 0) has no elements"},
        {"two without elements at one offset",
         file_of(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0),
         "has no elements"},
        {"half bytes", file_of(one("F4", "[3]", "[0,1]"), 1), "does not fill whole bytes"},
        {"one offset", file_of(one("U8", "[1]", "[0]"), 1), "data_offsets has 1 numbers, expected 2"},
        {"three offsets", file_of(one("U8", "[1]", "[0,1,1]"), 1), "data_offsets has 3 numbers, expected 2"},
        {"negative offset", file_of(one("U8", "[1]", "[-1,0]"), 1), "data_offsets holds -1"},
        {"fractional offset", file_of(one("U8", "[1]", "[0,1.0]"), 1), "data_offsets holds 1.0"},
        {"offset beyond 63 bits", file_of(one("U8", "[1]", "[9223372036854775808,9223372036854775809]"), 1),
         "data_offsets holds 9223372036854775808"},
        {"backward offsets", file_of(one("U8", "[1]", "[1,0]"), 1), "data_offsets [1, 0) do not hold the 1 bytes"},
        {"offsets too narrow", file_of(one("F32", "[2]", "[0,4]"), 4), "data_offsets [0, 4) do not hold the 8 bytes of shape (2) in F32"},
        {"offsets too wide", file_of(one("F32", "[1]", "[0,8]"), 8), "data_offsets [0, 8) do not hold the 4 bytes"},
        {"hole at the start", file_of(one("F32", "[1]", "[4,8]"), 8), "data_offsets [4, 8) leave a hole behind the tensor before, which ends at 0"},
        {"hole between", file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}})", 3),
         "tensor \"b\": data_offsets [2, 3) leave a hole"},
        {"overlap", file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3),
         "tensor \"b\": data_offsets [1, 3) overlap the tensor before, which ends at 2"},
        {"the same bytes twice",
         file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 2),
         "overlap the tensor before"},
        {"data too short", file_of(one("F32", "[2]", "[0,8]"), 7), "reach beyond the file, which has 7 bytes of data: the file is truncated"},
        {"data too long", file_of(one("F32", "[2]", "[0,8]"), 9), "9 bytes of data, but its tensors end at 8"},
        {"data without tensors", file_of("{}", 1), "1 bytes of data, but its tensors end at 0"},
    };
}

TEST(Safetensors, RefusesEveryAttack) {
    const TemporaryDirectory directory;
    for (const Attack& attack : attacks()) {
        SCOPED_TRACE(attack.name);
        const fs::path path = directory.put("attack.safetensors", attack.bytes);
        EXPECT_ERROR(open_safetensors(path), ExitCode::bad_data, path.string());
        EXPECT_ERROR(open_safetensors(path), ExitCode::bad_data, attack.part);
    }
}

TEST(Safetensors, AcceptsWhatTheReferenceAccepts) {
    const TemporaryDirectory directory;
    const auto open = [&](const std::string& header, std::size_t data) {
        return open_safetensors(directory.put("ok.safetensors", file_of(header, data)));
    };
    EXPECT_TRUE(open("{}", 0)->names().empty());
    EXPECT_TRUE(open("{}      ", 0)->names().empty());
    EXPECT_TRUE(open(R"({"__metadata__":{"format":"pt"}})", 0)->names().empty());
    EXPECT_EQ(open(one("F32", "[]", "[0,4]"), 4)->find("a")->shape, std::vector<std::int64_t>{});
    EXPECT_EQ(open(one("F8_E4M3", "[3]", "[0,3]"), 3)->find("a")->dtype, "F8_E4M3");
    EXPECT_EQ(open(one("F4", "[2,3]", "[0,3]"), 3)->find("a")->shape, (std::vector<std::int64_t>{2, 3}));
    // Later data may stand earlier in the header.
    const auto source = open(R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2);
    EXPECT_EQ(source->names(), (std::vector<std::string>{"a", "b"}));
}

TEST(Safetensors, EveryTruncationOfARealFileIsRefused) {
    const TemporaryDirectory directory;
    const std::string whole = read_file(goldens / "adapter.safetensors");
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const auto error = testing::caught([&] { open_safetensors(directory.put("cut.safetensors", whole.substr(0, length))); });
        EXPECT_EQ(error.code, ExitCode::bad_data) << length;
    }
    EXPECT_NO_THROW(open_safetensors(directory.put("whole.safetensors", whole)));
}

TEST(Safetensors, FlippedHeaderBitsNeverCrash) {
    const std::string whole = read_file(goldens / "adapter.safetensors");
    std::uint64_t length = 0;
    std::memcpy(&length, whole.data(), 8);
    for (std::size_t bit = 0; bit < (8 + length) * 8; ++bit) {
        std::string flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        try {
            const std::uint64_t stated = parse_safetensors_length(std::string_view(flipped).substr(0, 8), flipped.size(), "flipped");
            const auto header = parse_safetensors_header(std::string_view(flipped).substr(8, stated), flipped.size(), "flipped");
            for (const auto& entry : header.entries) EXPECT_LT(entry.begin, flipped.size());
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ExitCode::bad_data) << error.what();
        }
    }
}

TEST(Safetensors, ReadsEveryKindItDecodes) {
    const auto source = open_safetensors(goldens / "kinds.safetensors");
    const auto same = [](const std::vector<float>& a, const std::vector<float>& b) {
        return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * 4) == 0;
    };
    EXPECT_TRUE(same(read_f32(*source, "half", {2, 5}), read_f32(*source, "half as float", {2, 5})));
    EXPECT_TRUE(same(read_f32(*source, "brain", {10}), read_f32(*source, "brain as float", {10})));
    EXPECT_EQ(source->find("ids")->dtype, "I64");
    EXPECT_EQ(source->find("absent"), nullptr);
    std::vector<float> values(16);
    for (const char* name : {"ids", "bytes", "double", "flag"}) {
        const auto count = source->find(name)->shape[0];
        EXPECT_ERROR(source->read(name, View(values.data(), DType::f32, {count})), ExitCode::bad_data, "expected F32, F16 or BF16");
    }
    EXPECT_ERROR(source->read("absent", View(values.data(), DType::f32, {1})), ExitCode::missing_input, "kinds.safetensors: no tensor absent");
    EXPECT_ERROR(source->read("half", View(values.data(), DType::f32, {5, 2})), ExitCode::bad_data,
                 "kinds.safetensors: tensor half has shape (2, 5), expected (5, 2)");
}

TEST(Safetensors, ReadsIntoRowsWithAStrideAndRoundsOnce) {
    const auto source = open_safetensors(goldens / "adapter.safetensors");
    const std::vector<float> values = read_f32(*source, "model.b.lora_B.weight", {6, 3});
    std::vector<float> padded(6 * 16, 7.0f);
    View rows(padded.data(), DType::f32, {6, 3});
    rows.stride[0] = 16;
    source->read("model.b.lora_B.weight", rows);
    std::vector<bf16> rounded(6 * 16, 7);
    View brain(rounded.data(), DType::bf16, {6, 3});
    brain.stride[0] = 16;
    source->read("model.b.lora_B.weight", brain);
    for (std::size_t i = 0; i < 6; ++i)
        for (std::size_t j = 0; j < 16; ++j) {
            EXPECT_EQ(padded[i * 16 + j], j < 3 ? values[i * 3 + j] : 7.0f);
            EXPECT_EQ(rounded[i * 16 + j], j < 3 ? to_bf16(values[i * 3 + j]) : 7);
        }
}

TEST(Safetensors, WritesTheBytesThatTheReferenceWrites) {
    const TemporaryDirectory directory;
    const auto source = open_safetensors(goldens / "adapter.safetensors");
    std::vector<std::vector<char>> memory;
    std::vector<NamedTensor> tensors;
    for (const std::string& name : source->names()) {
        const TensorInfo& info = *source->find(name);
        View view;
        view.dtype = info.dtype == "F32" ? DType::f32 : DType::bf16;
        view.rank = static_cast<int>(info.shape.size());
        std::int64_t step = 1;
        for (std::size_t i = info.shape.size(); i-- > 0; step *= info.shape[i]) view.shape[i] = info.shape[i], view.stride[i] = step;
        if (view.rank == 2) view.stride[0] += 3;  // padded rows leave no trace in the file
        memory.emplace_back(static_cast<std::size_t>(8 * (step + 64)), '\x55');
        view.data = memory.back().data();
        source->read(name, view);
        tensors.insert(tensors.begin(), {name, view});
    }
    write_safetensors(directory / "again.safetensors", tensors);
    EXPECT_EQ(read_file(directory / "again.safetensors"), read_file(goldens / "adapter.safetensors"));
}

TEST(Safetensors, HalfDecodesAsItsDefinition) {
    std::vector<std::uint16_t> halves(65536);
    for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
    std::vector<float> decoded(halves.size());
    encoding_f16.to_f32(reinterpret_cast<const std::uint8_t*>(halves.data()), 65536, decoded.data());
    for (std::size_t i = 0; i < halves.size(); ++i) {
        const int exponent = static_cast<int>(i >> 10 & 31), fraction = static_cast<int>(i & 1023);
        const float sign = i & 0x8000 ? -1.0f : 1.0f;
        if (exponent == 31 && fraction != 0) {
            EXPECT_TRUE(std::isnan(decoded[i]));
            continue;
        }
        const float expected = exponent == 31  ? std::numeric_limits<float>::infinity()
                               : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                               : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
        EXPECT_EQ(decoded[i], sign * expected) << i;
        EXPECT_EQ(std::signbit(decoded[i]), std::signbit(sign)) << i;
    }
}

class Shards : public ::testing::Test {
  protected:
    void put_index(const std::string& weight_map) { directory.put("model.safetensors.index.json", "{\"weight_map\":{" + weight_map + "}}"); }
    void put_shard(const std::string& file, const std::string& tensor) {
        directory.put(file, file_of(R"({")" + tensor + R"(":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4));
    }
    TemporaryDirectory directory;
};

TEST_F(Shards, AreReadAsOne) {
    put_index(R"("a":"model-1-of-2.safetensors","b":"model-2-of-2.safetensors")");
    put_shard("model-1-of-2.safetensors", "a");
    put_shard("model-2-of-2.safetensors", "b");
    const auto source = open_safetensors(directory.path());
    EXPECT_EQ(source->names(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(read_f32(*source, "b", {1}), read_f32(*source, "a", {1}));
    std::vector<float> value(1);
    EXPECT_ERROR(source->read("c", View(value.data(), DType::f32, {1})), ExitCode::missing_input, "index.json: no tensor c");
}

TEST_F(Shards, MissingOnesAreNamedAtOnce) {
    put_index(R"("a":"one.safetensors","b":"two.safetensors","c":"three.safetensors","d":"two.safetensors")");
    put_shard("one.safetensors", "a");
    EXPECT_ERROR(open_safetensors(directory.path()), ExitCode::missing_input, "2 of 3 shards are missing: three.safetensors, two.safetensors");
}

TEST_F(Shards, ATensorElsewhereThanTheIndexSays) {
    put_index(R"("a":"one.safetensors","b":"one.safetensors")");
    put_shard("one.safetensors", "a");
    EXPECT_ERROR(open_safetensors(directory.path()), ExitCode::bad_data, "one.safetensors: tensor b is missing");
}

TEST_F(Shards, NamesLeadNowhereElse) {
    put_shard("one.safetensors", "a");
    for (const char* name :
         {"../one.safetensors", "/etc/passwd", "x/one.safetensors", "..", ".hidden", "", "a\\\\b", "one.safetensors\\u0000", "%2e%2e", "a b"}) {
        put_index(fmt::format("\"a\":\"{}\"", name));
        EXPECT_ERROR(open_safetensors(directory.path()), ExitCode::bad_data, "weight_map: tensor \"a\" lies in");
    }
    put_index("\"a\":1");
    EXPECT_ERROR(open_safetensors(directory.path()), ExitCode::bad_data, "lies in 1, expected the plain name of a file");
}

TEST_F(Shards, BrokenIndex) {
    for (const char* text : {"[]", "{}", "{\"weight_map\":[]}"}) {
        directory.put("model.safetensors.index.json", text);
        EXPECT_ERROR(open_safetensors(directory.path()), ExitCode::bad_data, "expected an object with an object \"weight_map\"");
    }
    directory.put("model.safetensors.index.json", "{\"weight_map\":");
    EXPECT_ERROR(open_safetensors(directory.path()), ExitCode::bad_data, "index.json:1:15: ");
    fs::remove(directory / "model.safetensors.index.json");
    EXPECT_ERROR(open_safetensors(directory.path()), ExitCode::missing_input, "neither model.safetensors nor");
    EXPECT_ERROR(open_safetensors(directory / "absent.safetensors"), ExitCode::missing_input, "absent.safetensors: no such file");
}

TEST(Safetensors, AFileThatShrinksWhileReadIsAnError) {
    const TemporaryDirectory directory;
    const fs::path path = directory.put("shrinks.safetensors", file_of(one("F32", "[4096]", "[0,16384]"), 16384));
    const auto source = open_safetensors(path);
    fs::resize_file(path, 5000);
    std::vector<float> values(4096);
    EXPECT_ERROR(source->read("a", View(values.data(), DType::f32, {4096})), ExitCode::io_error, "ends at byte 5000 while it is read");
}

}  // namespace
}  // namespace temper
