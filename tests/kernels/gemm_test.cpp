// The bfloat16 product of every instruction set, and of AMX on emulated tiles, against double precision: tails, borders, chunks of depth.
#include "kernels/cpu/gemm.h"

#include <array>
#include <functional>

#include "kernels/cpu/pack.h"
#include "tests/kernels/amx_emulated.h"
#include "tests/kernels/linear_support.h"

namespace temper {
namespace {

using cpu::Border;
using cpu::GemmBlock;
using cpu::kPanelColumns;
using cpu::Panels;
using cpu::panels_of;
using test::expect_near;
using test::Matrix;

struct Kernel {
    std::string name;
    Isa needs;
    std::function<void(const GemmBlock&)> run;
};

std::vector<Kernel> kernels() {
    return {{"scalar", Isa::scalar, cpu::gemm_scalar}, {"avx2", Isa::avx2, cpu::gemm_avx2},
            {"avx512", Isa::avx512, cpu::gemm_avx512}, {"avx512_bf16", Isa::avx512_bf16, cpu::gemm_avx512_bf16},
            {"amx", Isa::amx, cpu::gemm_amx},          {"amx_emulated", Isa::scalar, test::gemm_amx_emulated}};
}

// a (rows, depth) times w (columns, depth)^T + s (rows, 64) times the border of each panel, with everything that a product can carry.
struct Problem {
    std::int64_t rows, columns, depth;
    Matrix a, w, s, residual;
    std::vector<bf16> panel_memory, border_memory;
    Panels panels;
    std::vector<Border> borders;
    std::vector<float> scale, bias;

    Problem(std::int64_t rows_, std::int64_t columns_, std::int64_t depth_)
        : rows(rows_),
          columns(columns_),
          depth(depth_),
          a(DType::bf16, rows_, depth_, 2),
          w(DType::bf16, columns_, depth_),
          s(DType::bf16, rows_, 64, 2),
          residual(DType::bf16, rows_, columns_, 1),
          panel_memory(static_cast<std::size_t>(Panels::elements(columns_, depth_))),
          border_memory(static_cast<std::size_t>(panels_of(columns_) * kPanelColumns * 64)),
          panels{panel_memory.data(), columns_, depth_} {
        a.randomize(1);
        w.randomize(2);
        s.randomize(3);
        residual.randomize(4);
        Stream stream(1);
        std::vector<const bf16*> rows_of_w;
        for (std::int64_t c = 0; c < columns; ++c) rows_of_w.push_back(w.view().row<bf16>(c));
        cpu::pack_rows_as_columns(stream, panels, rows_of_w.data(), depth);
        std::mt19937 random(5);
        std::normal_distribution<float> normal;
        for (bf16& value : border_memory) value = to_bf16(normal(random));
        for (std::int64_t c = 0; c < columns; ++c) {
            scale.push_back(normal(random));
            bias.push_back(normal(random));
        }
        // Borders of two panels alike, then other columns of s, then none.
        for (std::int64_t p = 0; p < panels_of(columns); ++p) {
            const std::int64_t begin = p % 5 < 2 ? 0 : 16, border_depth = p % 5 < 3 ? 32 : p % 5 == 3 ? 0 : 32;
            borders.push_back({border_memory.data() + p * kPanelColumns * 64, begin, border_depth});
        }
    }
    GemmBlock block(Matrix& out, bool with_border) {
        GemmBlock g;
        g.rows = rows;
        g.columns = columns;
        g.panel_end = panels_of(columns);
        g.depth = depth;
        g.a = a.view().as<bf16>();
        g.a_stride = a.view().row_stride();
        g.panels = panels.data;
        g.panel_stride = panels.stride();
        if (with_border) {
            g.s = s.view().as<bf16>();
            g.s_stride = s.view().row_stride();
            g.borders = borders.data();
        }
        g.out = out.view().data;
        g.out_stride = out.view().row_stride();
        g.out_f32 = out.dtype() == DType::f32;
        return g;
    }
    void expect(const Matrix& out, const GemmBlock& g, const std::string& where) {
        const double rounding = out.dtype() == DType::f32 ? 1e-6 : test::kBf16Step / 2;
        for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t c = 0; c < columns; ++c) {
                double sum = 0.0, size = 0.0;
                const auto add = [&](double x, double y) {
                    sum += x * y;
                    size += std::abs(x * y);
                };
                for (std::int64_t k = 0; k < depth; ++k) add(a.at(r, k), w.at(c, k));
                if (g.borders != nullptr) {
                    const Border& border = borders[static_cast<std::size_t>(c / kPanelColumns)];
                    const Panels panel{const_cast<bf16*>(border.data), kPanelColumns, 64};
                    for (std::int64_t k = 0; k < border.depth; ++k) add(s.at(r, border.begin + k), from_bf16(panel.at(k, c % kPanelColumns)));
                }
                const std::size_t column = static_cast<std::size_t>(c);
                double scaled = 1.0;
                if (g.scale != nullptr) scaled = scale[column];
                sum *= scaled;
                if (g.bias != nullptr) sum += bias[column];
                if (g.residual != nullptr) sum += residual.at(r, c);
                expect_near(out.at(r, c), sum, std::abs(sum) * rounding + size * std::abs(scaled) * 1e-6 + 1e-6, where);
            }
        }
        EXPECT_TRUE(out.spare_untouched()) << where;
    }
};

class GemmTest : public ::testing::TestWithParam<Kernel> {
  protected:
    void SetUp() override {
        if (GetParam().needs > best_isa()) GTEST_SKIP() << "this processor has no " << name_of(GetParam().needs);
    }
};

TEST_P(GemmTest, AgreesWithDoublePrecision) {
    for (const std::int64_t rows : {1, 2, 5, 11, 12, 13, 16, 17, 31, 32, 33, 45, 70}) {
        for (const std::int64_t columns : {1, 15, 16, 17, 32, 48, 83, 96}) {
            Problem problem(rows, columns, rows % 2 == 0 ? 32 : 96);
            const std::string where = std::to_string(rows) + " x " + std::to_string(columns);
            Matrix out(DType::f32, rows, columns, 3), rounded(DType::bf16, rows, columns, 1);
            const GemmBlock plain = problem.block(out, false);
            GetParam().run(plain);
            problem.expect(out, plain, where);
            GemmBlock full = problem.block(rounded, true);
            full.scale = problem.scale.data();
            full.bias = problem.bias.data();
            full.residual = problem.residual.view().as<bf16>();
            full.residual_stride = problem.residual.view().row_stride();
            GetParam().run(full);
            problem.expect(rounded, full, where + ", with all");
        }
    }
}

TEST_P(GemmTest, ChunksOfDepthAndPartsOfRowsAndPanelsKeepTheBits) {
    Problem problem(53, 83, 160);
    Matrix whole(DType::f32, 53, 83), chunks(DType::f32, 53, 83, 5), parts(DType::f32, 53, 83);
    GetParam().run(problem.block(whole, true));
    GemmBlock chunk = problem.block(chunks, false);
    chunk.depth = 64;
    GetParam().run(chunk);
    chunk = problem.block(chunks, true);
    chunk.depth = 96;
    chunk.a += 64;
    chunk.panels += 64 * kPanelColumns;
    chunk.accumulate = true;
    GetParam().run(chunk);
    EXPECT_TRUE(chunks.spare_untouched());
    for (std::int64_t first = 0; first < 53;) {
        const std::int64_t count = std::min<std::int64_t>(1 + first % 19, 53 - first);
        for (std::int64_t panel = 0; panel < panels_of(83); ++panel) {
            GemmBlock part = problem.block(parts, true);
            part.rows = count;
            part.a += first * part.a_stride;
            part.s += first * part.s_stride;
            part.out = parts.view().row<float>(first);
            part.panel_begin = panel;
            part.panel_end = panel + 1;
            GetParam().run(part);
        }
        first += count;
    }
    for (std::int64_t r = 0; r < 53; ++r) {
        ASSERT_EQ(chunks.row_bytes(r), whole.row_bytes(r));
        ASSERT_EQ(parts.row_bytes(r), whole.row_bytes(r));
    }
}

// Depths and widths beyond what a kernel takes at a time: the same bits as row by row, and as double precision within rounding.
TEST_P(GemmTest, DeepAndWideProductsKeepTheBits) {
    for (const auto& [rows, columns, depth] : {std::array<std::int64_t, 3>{70, 83, 1504}, {41, 1100, 672}, {300, 40, 1312}}) {
        Problem problem(rows, columns, depth);
        Matrix whole(DType::bf16, rows, columns, 1), parts(DType::bf16, rows, columns);
        const auto block = [&](Matrix& out) {
            GemmBlock g = problem.block(out, true);
            g.bias = problem.bias.data();
            g.residual = problem.residual.view().as<bf16>();
            g.residual_stride = problem.residual.view().row_stride();
            return g;
        };
        GetParam().run(block(whole));
        problem.expect(whole, block(whole), std::to_string(rows) + " x " + std::to_string(columns) + " x " + std::to_string(depth));
        for (std::int64_t row = 0; row < rows; ++row) {
            GemmBlock g = block(parts);
            g.rows = 1;
            g.a += row * g.a_stride;
            g.s += row * g.s_stride;
            g.residual += row * g.residual_stride;
            g.out = parts.view().row<bf16>(row);
            GetParam().run(g);
            ASSERT_EQ(parts.row_bytes(row), whole.row_bytes(row)) << row;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Kernels, GemmTest, ::testing::ValuesIn(kernels()), [](const auto& test) { return test.param.name; });

TEST(AmxEmulation, FaultsWhereTheProcessorWould) {
    using Tiles = test::EmulatedTiles;
    cpu::TileConfig config;
    config.rows[0] = 17;
    config.row_bytes[0] = 64;
    EXPECT_THROW(Tiles::configure(config), std::logic_error);
    Tiles::configure(cpu::config_of(5));
    EXPECT_THROW(Tiles::zero<1>(), std::logic_error);
    Tiles::zero<0>();
    Tiles::release();
    EXPECT_THROW(Tiles::zero<0>(), std::logic_error);
}

}  // namespace
}  // namespace temper
