// Every quantised type decoded bit for bit as the `gguf` package decodes it: any bits in the blocks, and scales that are zero,
// subnormal, largest, infinite and not a number.
#include "io/gguf_quants.h"

#include <cstring>

#include <gtest/gtest.h>

#include "io/durable.h"
#include "io/gguf.h"
#include "io/jsonl.h"

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
    const Json hashes = parse_json(read_file(goldens / "quants.json"), "quants.json");
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

}  // namespace
}  // namespace temper
