// The graph that is saved with a collection: whatever loads is walked from every row, and gives rows that there are.
#include "retrieval/hnsw.h"

#include "kernels/similarity.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr std::int64_t count = 60, dimensions = 8, width = 64;

struct Rows {
    std::vector<std::int8_t> codes = std::vector<std::int8_t>(count * width);
    std::vector<float> scales = std::vector<float>(count, 0.01f);
    Rows() {
        for (std::int64_t i = 0; i < count; ++i)
            for (std::int64_t j = 0; j < dimensions; ++j)
                codes[static_cast<std::size_t>(i * width + j)] = static_cast<std::int8_t>((i * 37 + j * i * 11) % 255 - 127);
    }
    temper::Hnsw::Rows view() const { return {codes.data(), scales.data(), count, width}; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const Rows rows;
    return temper::fuzz_one([&] {
        const temper::Hnsw graph = temper::Hnsw::load(rows.view(), std::string(reinterpret_cast<const char*>(data), size), "graph");
        for (std::int64_t row = 0; row < count; row += 7)
            for (const std::int64_t near : graph.near(rows.codes.data() + row * width, 0.01f, 16))
                if (near < 0 || near >= count) __builtin_trap();
    });
}
