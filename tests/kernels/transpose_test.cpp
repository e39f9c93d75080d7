// Panels of the transposed matrix against the matrix: odd sizes, parts of columns and of depth, every instruction set.
#include "kernels/cpu/transpose.h"

#include "tests/kernels/common.h"

namespace temper {
namespace {

using cpu::kPanelColumns;
using cpu::Panels;
using cpu::panels_of;
using cpu::Range;
using cpu::round_up;

struct Packed {
    std::vector<bf16> memory;
    Panels panels;
    Packed(std::int64_t rows, std::int64_t columns) : memory(static_cast<std::size_t>(Panels::elements(rows, columns))) {
        panels = {memory.data(), rows, round_up(columns, cpu::kDepthStep)};
        for (std::int64_t r = 0; r < rows; ++r)
            for (std::int64_t c = 0; c < columns; ++c) panels.at(c, r) = static_cast<bf16>(1 + (r * 211 + c * 7) % 65535);
    }
};

TEST(Transpose, EveryNumberOfTheMatrixComesToItsPlace) {
    for (const Isa isa : test::isas()) {
        for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {16, 16}, {31, 50}, {96, 33}, {100, 160}, {48, 7}}) {
            const Packed from(rows, columns);
            const std::int64_t depth = round_up(rows, cpu::kDepthStep);
            Packed to(columns, rows);
            std::fill(to.memory.begin(), to.memory.end(), bf16{0xffff});
            cpu::transpose_panels(isa, to.panels.data, to.panels.stride(), from.panels, {0, panels_of(columns)}, {0, depth / kPanelColumns});
            for (std::int64_t c = 0; c < round_up(columns, kPanelColumns); ++c)
                for (std::int64_t r = 0; r < depth; ++r)
                    ASSERT_EQ(to.panels.at(r, c), r < rows && c < columns ? from.panels.at(c, r) : bf16{0})
                        << name_of(isa) << ": " << rows << " x " << columns << ", row " << r << ", column " << c;
        }
    }
}

TEST(Transpose, APartIsThatPartOfTheWhole) {
    const Packed from(150, 130);
    for (const Isa isa : test::isas()) {
        const std::int64_t stride = 4 * cpu::kTransposeBlock;
        std::vector<bf16> part(static_cast<std::size_t>(3 * stride), 0xffff);
        const Range columns{5, 8}, depths{6, 10};
        cpu::transpose_panels(isa, part.data(), stride, from.panels, columns, depths);
        const Panels panels{part.data(), 48, 64};
        for (std::int64_t c = 0; c < 48; ++c)
            for (std::int64_t r = 0; r < 64; ++r) {
                const std::int64_t row = 96 + r, column = 80 + c;
                ASSERT_EQ(panels.at(r, c), row < 150 && column < 130 ? from.panels.at(column, row) : bf16{0}) << name_of(isa);
            }
    }
}

}  // namespace
}  // namespace temper
