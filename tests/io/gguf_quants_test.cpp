// Every quantised type decoded, and what is written stored, bit for bit as the `gguf` package does it: any bits in the blocks, and scales that are zero,
// subnormal, largest, infinite and not a number.
#include "io/tensors/gguf_quants.h"

#include <cmath>
#include <cstring>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "io/jsonl.h"
#include "io/tensors/gguf.h"
#include "io/tensors/gguf_writer.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

const std::filesystem::path goldens = std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens/gguf";

const GgufType& type_named(const std::string& name) {
    for (std::uint32_t id = 0; id < 64; ++id)
        if (const GgufType* type = find_gguf_type(id); type != nullptr && name == type->name) return *type;
    throw_error(ExitCode::internal, "no type {}", name);
}

std::uint64_t splitmix64(std::uint64_t seed, std::uint64_t index) {
    std::uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

// As make_gguf_quants_goldens.py makes them.
std::string blocks_of(const GgufType& type, std::size_t count) {
    static const std::map<std::string, std::vector<std::size_t>> scales_at = {
        {"Q8_0", {0}},      {"Q4_0", {0}},   {"Q4_1", {0, 2}}, {"Q5_0", {0}},    {"Q5_1", {0, 2}}, {"IQ4_NL", {0}},
        {"Q2_K", {80, 82}}, {"Q3_K", {108}}, {"Q4_K", {0, 2}}, {"Q5_K", {0, 2}}, {"Q6_K", {208}},  {"IQ4_XS", {0}}};
    constexpr std::uint16_t special[] = {0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x8400, 0x7BFF, 0xFBFF,
                                         0x7C00, 0xFC00, 0x7E00, 0xFE01, 0x7C01, 0xFDFF, 0x3C00, 0xBC00};
    const auto size = static_cast<std::size_t>(type.bytes);
    std::string bytes;
    for (std::uint64_t i = 0; bytes.size() < count * size; ++i) {
        const std::uint64_t word = splitmix64(type.id, i);
        bytes.append(reinterpret_cast<const char*>(&word), 8);
    }
    bytes.resize(count * size);
    for (std::size_t i = 1; i < count; i += 2) {
        std::size_t k = 0;
        for (const std::size_t at : scales_at.at(type.name))
            std::memcpy(bytes.data() + i * size + at, &special[(i / 2 + k++ * (i / 32 + 1)) % std::size(special)], 2);
    }
    return bytes;
}

TEST(GgufQuants, SmallFileHasTheNumbersOfTheReference) {
    const GgufFile file(goldens / "quants.gguf");
    const auto expected = open_safetensors(goldens / "quants.safetensors");
    ASSERT_EQ(expected->names(), file.names());
    for (const std::string& name : file.names()) {
        const std::vector<std::int64_t> shape = expected->find(name)->shape;
        ASSERT_EQ(file.find(name)->shape, shape) << name;
        const auto size = static_cast<std::size_t>(shape[0] * shape[1]);
        std::vector<std::uint32_t> found(size), wanted(size);
        file.read(name, View(found.data(), DType::f32, {shape[0], shape[1]}));
        expected->read(name, View(wanted.data(), DType::f32, {shape[0], shape[1]}));
        for (std::size_t i = 0; i < size; ++i)
            ASSERT_EQ(found[i], wanted[i]) << name << " number " << i << std::hex << ' ' << found[i] << ' ' << wanted[i];
    }
}

TEST(GgufQuants, ManyBlocksHaveTheHashOfTheReference) {
    const Json hashes = parse_json(read_file(goldens / "quants.json"), "quants.json")["decoded"];
    ASSERT_EQ(hashes.size(), 12u);
    for (const auto& [name, golden] : hashes.items()) {
        const GgufType& type = type_named(name);
        const std::size_t count = golden["blocks"].get<std::size_t>();
        const std::string blocks = blocks_of(type, count);
        std::vector<float> numbers(count * static_cast<std::size_t>(type.elements));
        type.encoding->to_f32(reinterpret_cast<const std::uint8_t*>(blocks.data()), static_cast<std::int64_t>(count), numbers.data());
        EXPECT_EQ(sha256_hex({reinterpret_cast<const char*>(numbers.data()), numbers.size() * 4}), golden["sha256"]) << name;
    }
}

// As make_gguf_quants_goldens.py makes them.
std::vector<float> numbers_to_store(std::size_t count) {
    std::vector<float> numbers;
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto mantissa = static_cast<std::int64_t>(splitmix64(77, i) >> 40) - (std::int64_t(1) << 23);
        numbers.push_back(std::ldexp(static_cast<float>(mantissa), static_cast<int>(splitmix64(78, i / 32) % 48) - 60));
        if (i < 32) numbers.back() = 0.0f;
        else if (i < 64) numbers.back() = i == 48 ? -0.0f : i == 63 ? 127.0f : (static_cast<float>(i) - 48.0f) * 0.5f;
    }
    return numbers;
}

TEST(GgufWriter, StoresTheBitsOfTheReference) {
    const Json golden = parse_json(read_file(goldens / "quants.json"), "quants.json")["stored"];
    const std::vector<float> numbers = numbers_to_store(golden["numbers"].get<std::size_t>());
    for (const auto& [name, hash] : golden["sha256"].items())
        EXPECT_EQ(sha256_hex(encode_gguf(parse_gguf_stored(name), numbers.data(), static_cast<std::int64_t>(numbers.size()), "test")), hash) << name;
}

TEST(GgufWriter, EveryBinary16ComesBack) {
    for (std::uint32_t half = 0; half < 0x10000u; ++half) {
        const float value = from_f16(static_cast<std::uint16_t>(half));
        if (std::isnan(value)) continue;
        ASSERT_EQ(to_f16(value), half);
        // Halfway to the next one goes to the even one, just above it to the next.
        if ((half & 0x7fffu) >= 0x7bffu) continue;
        const float middle = 0.5f * (value + from_f16(static_cast<std::uint16_t>(half + 1)));
        ASSERT_EQ(to_f16(middle), half + (half & 1u)) << half;
        ASSERT_EQ(to_f16(std::nextafter(middle, 2.0f * middle)), half + 1) << half;
    }
    EXPECT_EQ(to_f16(65519.99f), 0x7bff);
    EXPECT_EQ(to_f16(65520.0f), 0x7c00);
}

TEST(GgufWriter, RefusesNumbersThatItCannotHold) {
    std::vector<float> numbers(32, 1.0f);
    numbers[7] = 70000.0f;
    EXPECT_ERROR(encode_gguf(GgufStored::F16, numbers.data(), 32, "w"), ExitCode::bad_data, "w: element 7 is 70000, which F16 cannot hold");
    EXPECT_NO_THROW(encode_gguf(GgufStored::BF16, numbers.data(), 32, "w"));
    numbers[7] = NAN;
    for (const GgufStored type : {GgufStored::F32, GgufStored::F16, GgufStored::BF16, GgufStored::Q8_0})
        EXPECT_ERROR(encode_gguf(type, numbers.data(), 32, "w"), ExitCode::non_finite, "w: element 7 is nan");
    EXPECT_ERROR(parse_gguf_stored("Q4_K"), ExitCode::usage, "type 'Q4_K': expected F32, F16, BF16 or Q8_0");
    EXPECT_EQ(stored_for(GgufStored::Q8_0, 48), GgufStored::F16);
    EXPECT_EQ(stored_for(GgufStored::Q8_0, 64), GgufStored::Q8_0);
}

TEST(GgufWriter, WhatItWritesIsReadBack) {
    const TemporaryDirectory directory;
    const std::vector<float> numbers = numbers_to_store(192);
    const auto fill = [&](float* out) { std::copy(numbers.begin(), numbers.end(), out); };
    const auto path = directory.put("out.gguf", "");
    write_durable(
        path,
        gguf_bytes({{"general.architecture", std::string("llama")},
                    {"a.flag", true},
                    {"a.count", std::uint32_t(4000000000u)},
                    {"a.number", 0.1f},
                    {"a.texts", std::vector<std::string>{"x", "", "\xc3\xa4"}},
                    {"a.integers", std::vector<std::int32_t>{-1, 7}},
                    {"a.numbers", std::vector<float>{0.5f, -2.0f}}},
                   {{"matrix", {3, 64}, GgufStored::Q8_0, fill}, {"odd", {192}, GgufStored::F32, fill}, {"half", {2, 96}, GgufStored::F16, fill}}));
    const GgufFile file(path);
    EXPECT_EQ(file.text("general.architecture"), "llama");
    EXPECT_EQ(file.boolean("a.flag"), true);
    EXPECT_EQ(file.integer("a.count"), 4000000000);
    EXPECT_EQ(file.number("a.number"), static_cast<double>(0.1f));
    EXPECT_EQ(file.texts("a.texts"), (std::vector<std::string>{"x", "", "\xc3\xa4"}));
    EXPECT_EQ(file.integers("a.integers"), (std::vector<std::int32_t>{-1, 7}));
    EXPECT_EQ(file.numbers("a.numbers"), (std::vector<float>{0.5f, -2.0f}));
    std::vector<float> found(192);
    file.read("odd", View(found.data(), DType::f32, {192}));
    EXPECT_EQ(found, numbers);
    EXPECT_EQ(file.find("matrix")->shape, (std::vector<std::int64_t>{3, 64}));
    EXPECT_EQ(file.find("matrix")->dtype, "Q8_0");
    file.read("half", View(found.data(), DType::f32, {2, 96}));
    for (std::size_t i = 0; i < found.size(); ++i) ASSERT_EQ(found[i], from_f16(to_f16(numbers[i])));
}

}  // namespace
}  // namespace temper
