// The float32 linear layer of a weight in panels (PreparedLinear::Options::panels): forward, without adapters.
#include <algorithm>
#include <vector>

#include "kernels/cpu/encoder_rows.h"
#include "kernels/cpu/gemm_f32.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/parallel.h"

namespace temper::cpu {

void pack_panels_f32(Stream& stream, float* to, Span<const View> weights, std::int64_t in) {
    std::vector<const float*> columns;
    for (const View& part : weights)
        for (std::int64_t row = 0; row < part.size(0); ++row) columns.push_back(part.row<float>(row));
    const auto out = static_cast<std::int64_t>(columns.size());
    parallel_for(stream, panels_of(out), [&](std::int64_t panel) {
        const float* const* const first = columns.data() + panel * kPanelColumns;
        const std::int64_t count = std::min(kPanelColumns, out - panel * kPanelColumns);
        float* lane = to + panel * in * kPanelColumns;
        for (std::int64_t k = 0; k < in; ++k, lane += kPanelColumns) {
            for (std::int64_t c = 0; c < count; ++c) lane[c] = first[c][k];
            std::fill(lane + count, lane + kPanelColumns, 0.0f);
        }
    });
}

void linear_panels_f32(Stream& stream, View y, View x, const PackedLinear& w, const Epilogue& epilogue) {
    const Isa isa = stream.isa();
    const Partition partition(stream, x.size(0), 2 * w.in);  // a float is two bfloat16 long
    GemmF32 product;
    product.columns = w.out;
    product.depth = w.in;
    product.a_stride = x.row_stride();
    product.panels = w.panels_f32;
    product.bias = w.bias;
    product.out_stride = y.row_stride();
    const bool maps = epilogue.kind == Epilogue::Kind::pointwise, adds = epilogue.kind == Epilogue::Kind::residual;
    const auto function = encoder_rows<float>(isa).pointwise[static_cast<std::size_t>(epilogue.function)];
    if (adds) product.residual_stride = epilogue.residual.row_stride();
    const auto multiply = [&](Range rows, Range panels) {
        GemmF32 part = product;
        part.rows = rows.size();
        part.a = x.row<float>(rows.begin);
        part.out = y.row<float>(rows.begin);
        if (adds) part.residual = epilogue.residual.row<float>(rows.begin);
        for (std::int64_t panel = panels.begin; panel < panels.end; panel = part.panel_end) {
            part.panel_begin = panel;
            part.panel_end = maps ? std::min(panels.end, panel + kMappedPanels) : panels.end;
            gemm_f32(isa, part);
            const std::int64_t first = panel * kPanelColumns, count = std::min(w.out, part.panel_end * kPanelColumns) - first;
            for (std::int64_t row = rows.begin; maps && row < rows.end; ++row) function(y.row<float>(row) + first, count);
        }
    };
    const auto finish = [&](Range rows) {
        if (!maps) finish_rows(isa, y, epilogue, rows);
    };
    const std::int64_t panels = panels_of(w.out);
    if (partition.groups == 1)
        return parallel_for(stream, partition.blocks, [&](std::int64_t block) {
            multiply(partition.rows_of(block), {0, panels});
            finish(partition.rows_of(block));
        });
    parallel_for(stream, partition.blocks * partition.groups, [&](std::int64_t item) {
        multiply(partition.rows_of(item / partition.groups), partition.panels_of(item % partition.groups, panels));
    });
    parallel_for(stream, partition.blocks, [&](std::int64_t block) { finish(partition.rows_of(block)); });
}

}  // namespace temper::cpu
