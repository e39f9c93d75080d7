#include <algorithm>
#include <cstring>

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/dequantize.h"
#include "kernels/cpu/prepared.h"
#include "kernels/cpu/row_loop.h"

namespace temper::cpu {

void embedding(Stream& stream, View out, View ids, View table) {
    const auto bytes = static_cast<std::size_t>(table.size(1) * size_of(table.dtype));
    const auto row = [](const View& view, std::int64_t i) { return static_cast<char*>(view.data) + i * view.stride[0] * size_of(view.dtype); };
    const std::int32_t* id = ids.as<std::int32_t>();
    for_rows(stream, out.size(0), out.size(1), [&](std::int64_t i) { std::memcpy(row(out, i), row(table, id[i]), bytes); });
}

void embedding(Stream& stream, View out, View ids, const PackedLinear& table) {
    if (table.is_quantized()) {
        const std::int32_t* const named = ids.as<std::int32_t>();
        return for_rows(stream, out.size(0), out.size(1), [&](std::int64_t i) {
            if (table.dtype == DType::f32) expand_row(out.row<float>(i), table, named[i]);
            else expand_row(stream.isa(), out.row<bf16>(i), table, named[i], 0, table.in);
        });
    }
    if (table.dtype == DType::f32) return embedding(stream, out, ids, View(table.weight_f32, DType::f32, {table.out, table.in}));
    const std::int32_t* id = ids.as<std::int32_t>();
    for_rows(stream, out.size(0), out.size(1), [&](std::int64_t i) {
        bf16* const row = out.row<bf16>(i);
        const bf16* const column = &table.weight.at(0, id[i]);  // two depths side by side, the next two a panel's row further
        for (std::int64_t k = 0; k + 1 < table.in; k += 2) std::memcpy(row + k, column + k * kPanelColumns, 2 * sizeof(bf16));
        if (table.in % 2 != 0) row[table.in - 1] = column[(table.in - 1) * kPanelColumns];
    });
}

// Threads share the columns, so that a table row that several tokens name is summed by one of them, in the order of the tokens.
void embedding_backward(Stream& stream, View d_table, View ids, View d_out, float scale, bool accumulate) {
    constexpr std::int64_t run = 64;
    const std::int64_t width = d_table.size(1), n = ids.size(0);
    const std::int32_t* const id = ids.as<std::int32_t>();
    if (!accumulate) for_rows(stream, d_table.size(0), width, [&](std::int64_t row) { std::fill_n(d_table.row<float>(row), width, 0.0f); });
    parallel_for(stream, (width + run - 1) / run, [&](std::int64_t part) {
        const std::int64_t first = part * run, end = std::min(width, first + run);
        for (std::int64_t i = 0; i < n; ++i) {
            float* const to = d_table.row<float>(id[i]);
            if (d_out.dtype == DType::f32)
                for (std::int64_t k = first; k < end; ++k) to[k] += scale * d_out.row<float>(i)[k];
            else
                for (std::int64_t k = first; k < end; ++k) to[k] += scale * from_bf16(d_out.row<bf16>(i)[k]);
        }
    });
}

// From the last row on, since no row moves towards the first. Threads share the columns.
void spread_rows(Stream& stream, View x, View rows) {
    constexpr std::int64_t run_bytes = 256;
    const std::int64_t width = x.size(1) * size_of(x.dtype), stride = x.stride[0] * size_of(x.dtype), count = rows.size(0);
    const std::int32_t* const to = rows.as<std::int32_t>();
    parallel_for(stream, (width + run_bytes - 1) / run_bytes, [&](std::int64_t run) {
        const std::int64_t first = run * run_bytes;
        const auto bytes = static_cast<std::size_t>(std::min(run_bytes, width - first));
        char* const column = static_cast<char*>(x.data) + first;
        std::int64_t next = count - 1;
        for (std::int64_t row = x.size(0) - 1; row >= 0; --row) {
            if (next < 0 || to[next] != row) std::memset(column + row * stride, 0, bytes);
            else if (const std::int64_t from = next--; from != row) std::memcpy(column + row * stride, column + from * stride, bytes);
        }
    });
}

}  // namespace temper::cpu
