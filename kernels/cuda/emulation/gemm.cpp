// The plain twin of gemm_cublas.cpp. Like the library it has several algorithms, which add in different orders, and what a process chooses is its own
// wish: of its id, or of TEMPER_EMULATION_WISH, a number, so that tests see who follows whose choice. TEMPER_EMULATION_LIBRARY is its version.
#include "kernels/cuda/gemm.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <unistd.h>

#include "kernels/cuda/commands.h"
#include "kernels/cuda/emulation/registry.h"
#include "kernels/cuda/product_choices.h"
#include "kernels/cuda/runtime.h"
#include "kernels/random.h"

namespace temper::cuda {
namespace {

constexpr std::int64_t kColumns = 64;
constexpr int kChains = 4;  // of the third algorithm

enum Order : std::uint64_t { ascending, descending, interleaved, kOrders };

// Sums of one row over the depth. No order depends on where the depth ends: zeros behind it change no bit.
void add_up(Order order, float* sums, const std::vector<float>& row, const std::vector<float>& part) {
    const auto depth = static_cast<std::int64_t>(row.size());
    const auto add = [&](float* to, std::int64_t k) {
        const float factor = row[static_cast<std::size_t>(k)];
        const float* const numbers = part.data() + k * kColumns;
        for (std::int64_t j = 0; j < kColumns; ++j) to[j] += factor * numbers[j];
    };
    if (order == interleaved) {
        float chains[kChains][kColumns] = {};
        for (std::int64_t k = 0; k < depth; ++k) add(chains[k % kChains], k);
        for (std::int64_t j = 0; j < kColumns; ++j) sums[j] = (chains[0][j] + chains[1][j]) + (chains[2][j] + chains[3][j]);
        return;
    }
    for (std::int64_t k = 0; k < depth; ++k) add(sums, order == ascending ? k : depth - 1 - k);
}

std::uint64_t wish() {
    const char* const text = std::getenv("TEMPER_EMULATION_WISH");
    return text == nullptr ? static_cast<std::uint64_t>(getpid()) : std::strtoull(text, nullptr, 10);
}

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

ProductChoices& choices_of(Stream& stream) {
    std::shared_ptr<void>& slot = stream.cuda().products();
    if (!slot) {
        const char* const version = std::getenv("TEMPER_EMULATION_LIBRARY");
        slot = std::make_shared<ProductChoices>(
            AlgorithmTable(fmt::format("emulation {}", version == nullptr ? "1" : version), stream.cuda().device().name));
    }
    return *static_cast<ProductChoices*>(slot.get());
}

std::size_t product_bytes() { return 0; }

AlgorithmTable::Algorithm choose_algorithm(Stream&, const ProductKey& key) {
    const float drawn = uniform(wish(), static_cast<std::uint64_t>(key.columns), static_cast<std::uint64_t>(2 * key.depth + (key.has_c ? 1 : 0)));
    return {static_cast<std::uint64_t>(drawn * static_cast<float>(kOrders))};
}

namespace {

// A product whose order of sums is known.
struct OrderedProduct {
    Product product;
    Order order;
};

void compute(Context&, const char* payload) {
    OrderedProduct ordered;
    std::memcpy(&ordered, payload, sizeof ordered);
    const Product& p = ordered.product;
    const std::int64_t rows = p.d.size(0), columns = p.d.size(1), depth = p.b.size(p.b_transposed ? 1 : 0);
    std::vector<float> part(static_cast<std::size_t>(depth * kColumns)), row(static_cast<std::size_t>(depth));
    for (std::int64_t first = 0; first < columns; first += kColumns) {
        const std::int64_t count = std::min(kColumns, columns - first);
        gather(part, p, depth, first, count);
        for (std::int64_t i = 0; i < rows; ++i) {
            for (std::int64_t k = 0; k < depth; ++k) row[static_cast<std::size_t>(k)] = p.a_transposed ? at(p.a, k, i) : at(p.a, i, k);
            float sums[kColumns] = {};
            add_up(ordered.order, sums, row, part);
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
    const AlgorithmTable::Algorithm* const chosen = choices_of(stream).find(stream, p);
    if (chosen == nullptr) return;
    const std::uint64_t order = (*chosen)[0];
    if (order >= kOrders) throw_error(ExitCode::bad_data, "multiply: the emulation has no algorithm {}, expected one below {}", order, +kOrders);
    check("d", p.d), check("a", p.a), check("b", p.b), check("c", p.c), check("bias", p.bias);
    const OrderedProduct ordered{p, static_cast<Order>(order)};
    if (Commands* const commands = stream.cuda().recorded()) return commands->add(compute, ordered);
    compute(stream.cuda(), reinterpret_cast<const char*>(&ordered));
}

}  // namespace temper::cuda
