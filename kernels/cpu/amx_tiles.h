// Blocks of up to 2 x 2 AMX tiles: the product that linear layers, attention and adapter gradients are made of. Written over a tile
// interface, so that the tests run the same code on emulated tiles where the processor has none:
//   Tiles: configure(TileConfig), release(), zero<T>(), load<T>(memory, stride), stream<T>(memory, stride) (a load that is not to stay
//          in the first-level cache), store<T>(memory, stride), multiply<C, A, B>(): C += A * B; strides in bytes;
//          multiply_bytes<C, A, B>(): the same of signed bytes, four depths a lane, and sums of 32 bits (gemm_int8_amx_body.h)
// Law: TDPBF16PS treats the rows of a tile alike, so a tile of fewer rows gives the same bits; it sums the even and the odd depths of a
// step of 32 apart, then adds both to C, so steps must begin at the same depths always.
#pragma once
#include <cstdint>

namespace temper::cpu {

// The memory image that LDTILECFG reads (Intel SDM volume 2A).
struct alignas(64) TileConfig {
    std::uint8_t palette = 1, start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

constexpr std::int64_t kTile = 16;               // rows of a tile, and its floats a row
constexpr std::int64_t kTileBytes = 64;          // bytes of a tile's row: 32 depths
constexpr int kSums = 4, kLeft = 0, kRight = 2;  // tmm0-1 rows of a, tmm2-3 panels, tmm4-7 sums: 4 + 2 * row tile + panel

// Tiles for up to 32 rows: upper and lower row tiles, their sums, and whole panels.
static inline TileConfig config_of(std::int64_t rows) {
    TileConfig config;
    const std::uint8_t upper = static_cast<std::uint8_t>(rows < kTile ? rows : kTile), lower = static_cast<std::uint8_t>(rows - upper);
    const std::uint8_t counts[8] = {upper, lower, kTile, kTile, upper, upper, lower, lower};
    for (int t = 0; t < 8; ++t) {
        config.rows[t] = counts[t];
        config.row_bytes[t] = counts[t] == 0 ? std::uint16_t{0} : static_cast<std::uint16_t>(kTileBytes);  // neither may be zero alone
    }
    return config;
}

// The right-hand side of `Width` tiles side by side: lines of 16 pairs of depths, `line_bytes` apart; the next 32 depths `step_bytes` on.
template <int Width> struct TilePanels {
    const void* first[Width];
    std::int64_t line_bytes, step_bytes;
};

template <class Tiles, int RowTiles, int Width> struct TileBlock {
    static_assert(RowTiles >= 1 && RowTiles <= 2 && Width >= 1 && Width <= 2);

    static void zero() {
        Tiles::template zero<kSums>();
        if constexpr (Width == 2) Tiles::template zero<kSums + 1>();
        if constexpr (RowTiles == 2) Tiles::template zero<kSums + 2>();
        if constexpr (RowTiles == 2 && Width == 2) Tiles::template zero<kSums + 3>();
    }
    // Sums from and to rows of floats, `stride` bytes apart.
    static void load(const float* sums, std::int64_t stride) {
        Tiles::template stream<kSums>(sums, stride);
        if constexpr (Width == 2) Tiles::template stream<kSums + 1>(sums + kTile, stride);
        const float* const lower = below(sums, stride);
        if constexpr (RowTiles == 2) Tiles::template stream<kSums + 2>(lower, stride);
        if constexpr (RowTiles == 2 && Width == 2) Tiles::template stream<kSums + 3>(lower + kTile, stride);
    }
    static void store(float* sums, std::int64_t stride) {
        Tiles::template store<kSums>(sums, stride);
        if constexpr (Width == 2) Tiles::template store<kSums + 1>(sums + kTile, stride);
        float* const lower = const_cast<float*>(below(sums, stride));
        if constexpr (RowTiles == 2) Tiles::template store<kSums + 2>(lower, stride);
        if constexpr (RowTiles == 2 && Width == 2) Tiles::template store<kSums + 3>(lower + kTile, stride);
    }
    // sums += a * panels over `steps` steps of 32 depths; rows of a are `a_bytes` apart and stream past the first-level cache, where the
    // panels stay. between() is called once a step: vector work that runs beside the tile unit.
    template <class Between>
    static void multiply(const void* a, std::int64_t a_bytes, const TilePanels<Width>& panels, std::int64_t steps, const Between& between) {
        const char* upper = static_cast<const char*>(a);
        const char* right = static_cast<const char*>(panels.first[0]);
        const char* right2 = static_cast<const char*>(panels.first[Width - 1]);
        for (std::int64_t step = 0; step < steps; ++step) {
            Tiles::template load<kRight>(right, panels.line_bytes);
            Tiles::template stream<kLeft>(upper, a_bytes);
            Tiles::template multiply<kSums, kLeft, kRight>();
            if constexpr (Width == 2) {
                Tiles::template load<kRight + 1>(right2, panels.line_bytes);
                Tiles::template multiply<kSums + 1, kLeft, kRight + 1>();
            }
            if constexpr (RowTiles == 2) {
                Tiles::template stream<kLeft + 1>(upper + kTile * a_bytes, a_bytes);
                Tiles::template multiply<kSums + 2, kLeft + 1, kRight>();
                if constexpr (Width == 2) Tiles::template multiply<kSums + 3, kLeft + 1, kRight + 1>();
            }
            upper += kTileBytes;
            right += panels.step_bytes;
            right2 += panels.step_bytes;
            between();
        }
    }

  private:
    static const float* below(const float* sums, std::int64_t stride) {
        return reinterpret_cast<const float*>(reinterpret_cast<const char*>(sums) + kTile * stride);
    }
};

}  // namespace temper::cpu
