// The tile registers of AMX in software, as the Intel SDM describes them (volume 2: LDTILECFG, TILELOADD, TDPBF16PS, TDPBSSD, TILESTORED), strict
// about what would fault: a tile that is not configured, shapes that do not fit one another.
#pragma once
#include <array>
#include <cfenv>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "kernels/cpu/gemm_amx_body.h"

// Local to every file: some are compiled for AVX-512.
namespace temper::test {
namespace {

struct EmulatedTile {
    int rows = 0, bytes = 0;
    std::array<std::array<unsigned char, 64>, 16> data{};

    float number(int row, int column) const {
        float value;
        std::memcpy(&value, &data[static_cast<std::size_t>(row)][static_cast<std::size_t>(column) * 4], 4);
        return value;
    }
    int byte(int row, int index) const { return static_cast<std::int8_t>(data[static_cast<std::size_t>(row)][static_cast<std::size_t>(index)]); }
    void set(int row, int column, float value) { std::memcpy(&data[static_cast<std::size_t>(row)][static_cast<std::size_t>(column) * 4], &value, 4); }
    // bfloat16 number `index` of a row, denormals as zero.
    float half(int row, int index) const {
        bf16 bits;
        std::memcpy(&bits, &data[static_cast<std::size_t>(row)][static_cast<std::size_t>(index) * 2], 2);
        const float value = from_bf16(bits);
        return std::abs(value) < 0x1p-126f ? std::copysign(0.0f, value) : value;
    }
};

inline float flushed(float value) { return std::abs(value) < 0x1p-126f ? std::copysign(0.0f, value) : value; }

struct EmulatedTiles {
    static inline thread_local std::array<EmulatedTile, 8> tiles;
    static inline thread_local bool configured = false;
    static inline thread_local int configurations = 0;

    static void require(bool condition, const char* what) {
        if (!condition) throw std::logic_error(what);
    }
    static void configure(const cpu::TileConfig& config) {
        require(config.palette == 1 && config.start_row == 0, "LDTILECFG: palette or start row");
        for (const std::uint8_t reserved : config.reserved) require(reserved == 0, "LDTILECFG: reserved bytes");
        for (std::size_t t = 0; t < 16; ++t) {
            require(config.rows[t] <= 16 && config.row_bytes[t] <= 64, "LDTILECFG: too large");
            require((config.rows[t] == 0) == (config.row_bytes[t] == 0), "LDTILECFG: rows without bytes");
            if (t >= 8) {
                require(config.rows[t] == 0, "LDTILECFG: no such tile");
                continue;
            }
            tiles[t] = {};
            tiles[t].rows = config.rows[t];
            tiles[t].bytes = config.row_bytes[t];
        }
        configured = true;
        ++configurations;
    }
    static void release() { configured = false; }
    static EmulatedTile& used(std::size_t t) {
        require(configured && tiles[t].rows > 0, "a tile is used that is not configured");
        return tiles[t];
    }
    template <int T> static void zero() { used(T).data = {}; }
    template <int T> static void load(const void* memory, std::int64_t stride) {
        EmulatedTile& tile = used(T);
        tile.data = {};
        for (int r = 0; r < tile.rows; ++r)
            std::memcpy(tile.data[static_cast<std::size_t>(r)].data(), static_cast<const char*>(memory) + r * stride,
                        static_cast<std::size_t>(tile.bytes));
    }
    template <int T> static void stream(const void* memory, std::int64_t stride) { load<T>(memory, stride); }
    template <int T> static void store(void* memory, std::int64_t stride) {
        const EmulatedTile& tile = used(T);
        for (int r = 0; r < tile.rows; ++r)
            std::memcpy(static_cast<char*>(memory) + r * stride, tile.data[static_cast<std::size_t>(r)].data(), static_cast<std::size_t>(tile.bytes));
    }
    // Even and odd depths are summed apart with fused multiply-adds over the tile's depth, then added to one another and to C.
    template <int C, int A, int B> static void multiply() {
        EmulatedTile& c = used(C);
        const EmulatedTile &a = used(A), &b = used(B);
        require(a.rows == c.rows && b.bytes == c.bytes && b.rows * 4 == a.bytes, "TDPBF16PS: shapes do not fit");
        float right[2][16][16];  // even and odd depths
        for (int k = 0; k < b.rows; ++k)
            for (int n = 0; n < c.bytes / 4; ++n)
                for (int odd = 0; odd < 2; ++odd) right[odd][k][n] = b.half(k, 2 * n + odd);
        for (int m = 0; m < c.rows; ++m) {
            float sums[2][16] = {};
            for (int k = 0; k < a.bytes / 4; ++k)
                for (int odd = 0; odd < 2; ++odd) {
                    const float left = a.half(m, 2 * k + odd);
                    for (int n = 0; n < c.bytes / 4; ++n) sums[odd][n] = flushed(std::fma(left, right[odd][k][n], sums[odd][n]));
                }
            for (int n = 0; n < c.bytes / 4; ++n) c.set(m, n, flushed(c.number(m, n) + flushed(sums[0][n] + sums[1][n])));
        }
    }
    template <int C, int A, int B> static void multiply_bytes() {
        EmulatedTile& c = used(C);
        const EmulatedTile &a = used(A), &b = used(B);
        require(a.rows == c.rows && b.bytes == c.bytes && b.rows * 4 == a.bytes, "TDPBSSD: shapes do not fit");
        for (int m = 0; m < c.rows; ++m)
            for (int n = 0; n < c.bytes / 4; ++n) {
                std::int32_t sum;
                std::memcpy(&sum, &c.data[static_cast<std::size_t>(m)][static_cast<std::size_t>(n) * 4], 4);
                for (int k = 0; k < a.bytes; ++k) sum += a.byte(m, k) * b.byte(k / 4, 4 * n + k % 4);
                std::memcpy(&c.data[static_cast<std::size_t>(m)][static_cast<std::size_t>(n) * 4], &sum, 4);
            }
    }
};

// What gemm_amx.cpp does with vectors when sums leave the tiles.
struct PlainRows {
    static std::int64_t count(const cpu::GemmBlock& g, std::int64_t panel) {
        const std::int64_t left = g.columns - panel * cpu::kPanelColumns;
        return left < cpu::kPanelColumns ? left : cpu::kPanelColumns;
    }
    static void load(const cpu::GemmBlock& g, std::int64_t row, std::int64_t panel, float* sums) {
        const float* const from = static_cast<const float*>(g.out) + row * g.out_stride + panel * cpu::kPanelColumns;
        for (std::int64_t i = 0; i < cpu::kPanelColumns; ++i) sums[i] = i < count(g, panel) ? from[i] : 0.0f;
    }
    template <int Width> static void store(const cpu::GemmBlock& g, std::int64_t row, std::int64_t panel, const float* sums) {
        for (int w = 0; w < Width; ++w) store_panel(g, row, panel + w, sums + w * cpu::kPanelColumns);
    }
    static void store_panel(const cpu::GemmBlock& g, std::int64_t row, std::int64_t panel, const float* sums) {
        for (std::int64_t i = 0; i < count(g, panel); ++i) {
            const std::int64_t column = panel * cpu::kPanelColumns + i;
            float sum = sums[i];
            if (g.scale != nullptr) sum *= g.scale[column];
            if (g.bias != nullptr) sum += g.bias[column];
            if (g.residual != nullptr) sum += from_bf16(g.residual[row * g.residual_stride + column]);
            if (g.out_f32) static_cast<float*>(g.out)[row * g.out_stride + column] = sum;
            else static_cast<bf16*>(g.out)[row * g.out_stride + column] = to_bf16(sum);
        }
    }
};

[[maybe_unused]] inline void gemm_amx_emulated(const cpu::GemmBlock& block) { cpu::gemm_amx_on<EmulatedTiles, PlainRows>(block); }

}  // namespace
}  // namespace temper::test

#ifdef TEMPER_AMX_EMULATED
namespace temper::cpu {
namespace {
using TileRegisters = test::EmulatedTiles;
}
}  // namespace temper::cpu
#endif
