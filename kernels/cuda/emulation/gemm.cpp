// The plain twin of gemm_cublas.cpp: each element one chain of additions over ascending depth.
#include "kernels/cuda/gemm.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernels/cuda/algorithms.h"
#include "kernels/cuda/commands.h"
#include "kernels/cuda/emulation/registry.h"
#include "kernels/cuda/runtime.h"

namespace temper::cuda {
namespace {

constexpr std::int64_t kColumns = 64;

float at(const View& view, std::int64_t row, std::int64_t column) {
    const std::int64_t i = row * view.row_stride() + column;
    return view.dtype == DType::f32 ? view.as<float>()[i] : from_bf16(view.as<bf16>()[i]);
}

void set(const View& view, std::int64_t row, std::int64_t column, float value) {
    const std::int64_t i = row * view.row_stride() + column;
    if (view.dtype == DType::f32) view.as<float>()[i] = value;
    else view.as<bf16>()[i] = to_bf16(value);
}

void check(const char* name, const View& view) {
    if (view.empty()) return;
    if (!is_aligned(view)) throw_error(ExitCode::internal, "multiply: {} is {}, expected rows at multiples of 16 bytes", name, view.describe());
    const std::int64_t rows = view.rank < 2 ? 1 : view.size(0);
    emulation::check_reachable(name, view.data, static_cast<std::size_t>(((rows - 1) * view.row_stride() + view.size(-1)) * size_of(view.dtype)));
}

// Some columns of b, depth by depth.
void gather(std::vector<float>& to, const Product& p, std::int64_t depth, std::int64_t first, std::int64_t columns) {
    for (std::int64_t k = 0; k < depth; ++k)
        for (std::int64_t j = 0; j < columns; ++j)
            to[static_cast<std::size_t>(k * kColumns + j)] = p.b_transposed ? at(p.b, first + j, k) : at(p.b, k, first + j);
}

}  // namespace

// There is one algorithm; the table tells which products were asked for.
AlgorithmTable& algorithms(Stream& stream) {
    std::shared_ptr<void>& slot = stream.cuda().products();
    if (!slot) slot = std::make_shared<AlgorithmTable>("emulation", stream.cuda().device().name);
    return *static_cast<AlgorithmTable*>(slot.get());
}

namespace {

void compute(Context&, const char* payload) {
    Product p;
    std::memcpy(&p, payload, sizeof p);
    const std::int64_t rows = p.d.size(0), columns = p.d.size(1), depth = p.b.size(p.b_transposed ? 1 : 0);
    std::vector<float> part(static_cast<std::size_t>(depth * kColumns)), row(static_cast<std::size_t>(depth));
    for (std::int64_t first = 0; first < columns; first += kColumns) {
        const std::int64_t count = std::min(kColumns, columns - first);
        gather(part, p, depth, first, count);
        for (std::int64_t i = 0; i < rows; ++i) {
            for (std::int64_t k = 0; k < depth; ++k) row[static_cast<std::size_t>(k)] = p.a_transposed ? at(p.a, k, i) : at(p.a, i, k);
            float sums[kColumns] = {};
            for (std::int64_t k = 0; k < depth; ++k)
                for (std::int64_t j = 0; j < kColumns; ++j)
                    sums[j] += row[static_cast<std::size_t>(k)] * part[static_cast<std::size_t>(k * kColumns + j)];
            for (std::int64_t j = 0; j < count; ++j) {
                float value = p.alpha * sums[j];
                if (!p.c.empty()) value += at(p.c, i, first + j);
                if (!p.bias.empty()) value += p.bias.dtype == DType::f32 ? p.bias.as<float>()[first + j] : from_bf16(p.bias.as<bf16>()[first + j]);
                set(p.d, i, first + j, value);
            }
        }
    }
}

}  // namespace

void multiply(Stream& stream, const Product& p) {
    const std::int64_t rows = p.d.size(0), columns = p.d.size(1), depth = p.b.size(p.b_transposed ? 1 : 0);
    if (p.a.size(p.a_transposed ? 1 : 0) != rows || p.a.size(p.a_transposed ? 0 : 1) != depth || p.b.size(p.b_transposed ? 0 : 1) != columns)
        throw_error(ExitCode::internal, "multiply: {} and {} do not make {}", p.a.describe(), p.b.describe(), p.d.describe());
    if (rows == 0) return;
    algorithms(stream).keep(key_of(p), {});
    check("d", p.d), check("a", p.a), check("b", p.b), check("c", p.c), check("bias", p.bias);
    if (Commands* const commands = stream.cuda().recorded()) return commands->add(compute, p);
    compute(stream.cuda(), reinterpret_cast<const char*>(&p));
}

}  // namespace temper::cuda
