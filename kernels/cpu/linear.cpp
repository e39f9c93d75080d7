#include <algorithm>
#include <cstring>

#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/linear_variants.h"
#include "kernels/cpu/parallel.h"

namespace temper::cpu {
// The inner s without its padding, to the caller's.
void copy_s(View s, const bf16* from, const PackedLinear& weight, Range rows) {
    if (s.empty()) return;
    for (std::int64_t row = rows.begin; row < rows.end; ++row)
        for (std::size_t i = 0; i < weight.adapters.size(); ++i)
            std::memcpy(s.row<bf16>(row) + weight.rank_begin[i], from + row * weight.s_stride + weight.slot_begin[i],
                        static_cast<std::size_t>(weight.adapters[i].rank) * sizeof(bf16));
}

void copy_padded(bf16* to, std::int64_t depth, View from, std::int64_t first, std::int64_t columns, Range rows) {
    for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        std::memcpy(to + row * depth, from.row<bf16>(row) + first, static_cast<std::size_t>(columns) * sizeof(bf16));
        std::memset(to + row * depth + columns, 0, static_cast<std::size_t>(depth - columns) * sizeof(bf16));
    }
}

namespace {

// The epilogue of some rows of y.
Epilogue rows_of(Epilogue epilogue, Range rows) {
    for (View* view : {&epilogue.positions, &epilogue.activated, &epilogue.residual, &epilogue.normed})
        if (!view->empty()) *view = view->rows(rows.begin, rows.size());
    return epilogue;
}

constexpr std::int64_t kFewPanels = 8;

// The whole product of a quantised weight: with many rows a strip of panels is expanded by all threads and then multiplied by all; with few,
// expanding is what takes time, and a thread multiplies what it has just expanded.
struct ExpandedProduct {
    const PackedLinear& weight;
    const Partition& partition;

    static std::int64_t count(const Stream& stream, const PackedLinear& w, const Partition& partition) {
        if (!w.is_quantized()) return 0;
        return (partition.blocks == 1 ? stream.threads() * kFewPanels : strip_of(w)) * w.weight.stride();
    }
    void run(const Stream& stream, const GemmBlock& product, bf16* memory) const {
        if (partition.blocks == 1) return few_rows(stream, product, memory);
        const std::int64_t panels = panels_of(weight.out), width = strip_of(weight), stride = weight.weight.stride();
        for (std::int64_t first = 0; first < panels; first += width) {
            const Range strip{first, std::min(first + width, panels)};
            parallel_for(stream, strip.size(),
                         [&](std::int64_t panel) { expand_panel(stream.isa(), memory + panel * stride, weight, first + panel); });
            const GemmBlock part = columns_of(product, strip, memory);
            parallel_for(stream, partition.blocks * partition.groups, [&](std::int64_t item) {
                const std::int64_t block = item / partition.groups, group = item % partition.groups;
                gemm(stream.isa(), part_of(part, partition.rows_of(block), partition.panels_of(group, strip.size())));
            });
        }
    }

  private:
    void few_rows(const Stream& stream, const GemmBlock& product, bf16* memory) const {
        const std::int64_t panels = panels_of(weight.out), stride = weight.weight.stride();
        parallel_for(stream, (panels + kFewPanels - 1) / kFewPanels, [&](std::int64_t item, int thread) {
            bf16* const own = memory + thread * kFewPanels * stride;
            const Range few{item * kFewPanels, std::min(panels, (item + 1) * kFewPanels)};
            for (std::int64_t panel = few.begin; panel < few.end; ++panel)
                expand_panel(stream.isa(), own + (panel - few.begin) * stride, weight, panel);
            gemm(stream.isa(), part_of(columns_of(product, few, own), {0, partition.rows}, {0, few.size()}));
        });
    }
};

}  // namespace

void linear(Stream& stream, View y, View x, const PackedLinear& weight, View s, const Epilogue& epilogue, const Dropout& dropout,
            std::int64_t adapted) {
    const std::int64_t n = x.size(0);
    // DoRA scales whole columns, and masks belong to rows: what they need is not what the rows behind need.
    if (adapted > 0 && adapted < n && (weight.dora || dropout.active())) {
        const Range first{0, adapted}, rest{adapted, n};
        linear(stream, y.rows(0, adapted), x.rows(0, adapted), weight, s, rows_of(epilogue, first), dropout, adapted);
        return linear(stream, y.rows(adapted, n - adapted), x.rows(adapted, n - adapted), weight, View(), rows_of(epilogue, rest), {}, 0);
    }
    if (weight.panels_f32 != nullptr) linear_panels_f32(stream, y, x, weight, epilogue);
    else if (weight.dtype == DType::f32) linear_f32(stream, y, x, weight, s, epilogue, dropout, adapted);
    else if (dropout.active()) linear_masked_bf16(stream, y, x, weight, s, epilogue, dropout);
    else linear_bf16(stream, y, x, weight, s, epilogue, adapted);
}

void linear_bf16(Stream& stream, View y, View x, const PackedLinear& weight, View s, const Epilogue& epilogue, std::int64_t adapted_rows) {
    const std::int64_t n = x.size(0), depth = weight.weight.depth;
    const bool padded = depth != weight.in, adapted = adapted_rows > 0;
    const Partition partition(stream, n, depth);
    const std::int64_t x_count = padded ? n * depth : 0, s_count = adapted ? n * weight.s_stride : 0;
    const std::int64_t expanded_count = ExpandedProduct::count(stream, weight, partition);
    ScratchCuts cuts(stream, ScratchCuts::bytes<bf16>(x_count) + ScratchCuts::bytes<bf16>(s_count) + ScratchCuts::bytes<bf16>(expanded_count));
    bf16* const x_padded = cuts.take<bf16>(x_count);
    bf16* const inner_s = cuts.take<bf16>(s_count);
    bf16* const expanded = cuts.take<bf16>(expanded_count);

    GemmBlock product;  // y = x W^T + s B^T + bias + residual
    product.columns = weight.out;
    product.depth = depth;
    product.a = padded ? x_padded : x.as<bf16>();
    product.a_stride = padded ? depth : x.row_stride();
    product.panels = weight.weight.data;
    product.panel_stride = weight.weight.stride();
    product.out = y.data;
    product.out_stride = y.row_stride();
    product.out_f32 = y.dtype == DType::f32;
    product.scale = adapted ? weight.column_scale : nullptr;
    product.bias = weight.bias;
    if (epilogue.kind == Epilogue::Kind::residual) {
        product.residual = epilogue.residual.as<bf16>();
        product.residual_stride = epilogue.residual.row_stride();
    }
    GemmBlock down = product;  // s = scale * x A^T, all slots side by side
    if (adapted) {
        product.s = inner_s;
        product.s_stride = weight.s_stride;
        product.borders = weight.b_forward.data();
        down.columns = weight.s_columns;
        down.panels = weight.a_forward.data;
        down.panel_stride = weight.a_forward.stride();
        down.out = inner_s;
        down.out_f32 = false;
        down.out_stride = weight.s_stride;
        down.scale = weight.s_scale;
        down.bias = nullptr;
        down.residual = nullptr;
    }

    const Isa isa = stream.isa();
    const std::int64_t panels = panels_of(weight.out), s_panels = panels_of(weight.s_columns);
    const auto down_rows = [&](Range rows) {
        if (padded) copy_padded(x_padded, depth, x, 0, weight.in, rows);
        if (!adapted) return;
        const Range taken{rows.begin, std::min(rows.end, adapted_rows)};
        if (taken.size() > 0) gemm(isa, part_of(down, taken, {0, s_panels}));
        for (std::int64_t row = rows.begin; row < rows.end; ++row) {
            const std::int64_t columns = row < adapted_rows ? weight.s_columns : 0;  // the rest of s is zero: no adapter
            std::memset(inner_s + row * weight.s_stride + columns, 0, static_cast<std::size_t>(weight.s_stride - columns) * sizeof(bf16));
        }
        if (taken.size() > 0) copy_s(s, inner_s, weight, taken);
    };
    if (partition.groups == 1 && !weight.is_quantized()) {
        parallel_for(stream, partition.blocks, [&](std::int64_t block) {
            const Range rows = partition.rows_of(block);
            down_rows(rows);
            gemm(isa, part_of(product, rows, {0, panels}));
            finish_rows(isa, y, epilogue, rows);
        });
        return;
    }
    parallel_for(stream, partition.blocks, [&](std::int64_t block) { down_rows(partition.rows_of(block)); });
    if (weight.is_quantized()) ExpandedProduct{weight, partition}.run(stream, product, expanded);
    else
        parallel_for(stream, partition.blocks * partition.groups, [&](std::int64_t item) {
            const std::int64_t block = item / partition.groups, group = item % partition.groups;
            gemm(isa, part_of(product, partition.rows_of(block), partition.panels_of(group, panels)));
        });
    parallel_for(stream, partition.blocks, [&](std::int64_t block) { finish_rows(isa, y, epilogue, partition.rows_of(block)); });
}

}  // namespace temper::cpu
