#include "retrieval/vector_scan.h"

#include <atomic>
#include <cmath>

#include "kernels/cpu/blas.h"
#include "kernels/cpu/parallel.h"
#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::int64_t tile_rows = 512;  // of codes at 384 dimensions: what the second cache level holds

// One query's rows in question, as one thread has met them.
class InQuestion {
  public:
    explicit InQuestion(std::int64_t k) : lowest_(k) {}
    void add(std::int64_t row, double approximate, double error) {
        if (approximate + error < lowest_.least()) return;
        lowest_.add({approximate - error, row});
        rows_.push_back({approximate + error, row});
        if (rows_.size() <= limit_) return;
        std::erase_if(rows_, [least = lowest_.least()](const Scored& other) { return other.score < least; });
        limit_ = std::max(limit_, 2 * rows_.size());
    }
    const std::vector<Scored>& lowest() const { return lowest_.unsorted(); }  // the k best by the lowest that each can be
    const std::vector<Scored>& rows() const { return rows_; }                 // by the highest that each can be

  private:
    TopK lowest_;
    std::vector<Scored> rows_;
    std::size_t limit_ = 4096;
};

// |x - scale codes| <= lost, |scale codes| <= reach and |y - scale' codes'| <= lost' bound what their product lacks by
// lost |y| + reach lost', here with |y| <= 1. Behind it, room for the rounding of float32.
class CodePass {
  public:
    CodePass(const StoredVectors& stored, const float* queries, std::int64_t query_count)
        : stored_(stored), padded_(similarity::padded(stored.dimensions)), products_(similarity::kernels_for(best_isa()).products) {
        codes_.resize(static_cast<std::size_t>(query_count * padded_));
        for (std::int64_t q = 0; q < query_count; ++q)
            queries_.push_back(similarity::encode_query(codes_.data() + q * padded_, queries + q * stored.dimensions, stored.dimensions));
    }
    template <class Take> void tile(std::int64_t begin, std::int64_t count, std::int64_t query, const Take& take) const {
        std::int32_t products[tile_rows];
        products_(products, stored_.codes.data() + begin * padded_, count, padded_, codes_.data() + query * padded_);
        const similarity::Code& code = queries_[static_cast<std::size_t>(query)];
        const float of_query = stored_.reach * code.lost + 4e-6f;
        for (std::int64_t i = 0; i < count; ++i) {
            const auto row = static_cast<std::size_t>(begin + i);
            take(begin + i, stored_.scales[row] * code.scale * static_cast<float>(products[i]), stored_.losts[row] * 1.0001f + of_query);
        }
    }

  private:
    const StoredVectors& stored_;
    std::int64_t padded_;
    similarity::Products products_;
    std::vector<std::int16_t> codes_;  // (Q, padded)
    std::vector<similarity::Code> queries_;
};

// Products by OpenBLAS: a sum of D products in float32 is wrong by at most (D + 2) 2^-24 times the product of the lengths, and a little.
class FloatPass {
  public:
    FloatPass(const StoredVectors& stored, const float* queries, std::int64_t query_count)
        : stored_(stored), queries_(queries), query_count_(query_count), error_(1.1 * static_cast<double>(stored.dimensions + 2) * 0x1p-24) {}
    template <class Take> void tile(std::int64_t begin, std::int64_t count, std::vector<float>& products, const Take& take) const {
        products.resize(static_cast<std::size_t>(query_count_ * tile_rows));
        const std::int64_t d = stored_.dimensions;
        const float* rows = stored_.vectors + begin * d;
        if (query_count_ == 1) cpu::multiply_vector(products.data(), rows, d, queries_, count, d);
        else cpu::multiply(products.data(), tile_rows, {queries_, d, false}, {rows, d, true}, query_count_, count, d, 1.0f, 0.0f);
        for (std::int64_t q = 0; q < query_count_; ++q)
            for (std::int64_t i = 0; i < count; ++i) {
                const double inverse = stored_.inverse_length(begin + i);
                take(q, begin + i, products[static_cast<std::size_t>(q * tile_rows + i)] * inverse, error_);
            }
    }

  private:
    const StoredVectors& stored_;
    const float* queries_;
    std::int64_t query_count_;
    double error_;
};

std::vector<Scored> exact_best(const StoredVectors& stored, const float* query, std::int64_t k, const std::vector<InQuestion*>& parts) {
    TopK lowest(k), best(k);
    for (const InQuestion* part : parts)
        for (const Scored& row : part->lowest()) lowest.add(row);
    for (const InQuestion* part : parts)
        for (const Scored& row : part->rows())
            if (row.score >= lowest.least()) best.add({stored.score(query, row.row), row.row});
    return best.sorted();
}

}  // namespace

std::vector<std::vector<Scored>> scan_vectors(const StoredVectors& stored, const float* queries, std::int64_t query_count, std::int64_t k,
                                              const std::uint8_t* keep, int threads) {
    const Stream stream(threads);
    const std::int64_t tiles = (stored.rows + tile_rows - 1) / tile_rows;
    constexpr std::int64_t queries_at_once = 64;
    std::vector<std::vector<Scored>> results(static_cast<std::size_t>(query_count));
    for (std::int64_t first = 0; first < query_count; first += queries_at_once) {
        const std::int64_t count = std::min(queries_at_once, query_count - first);
        const float* some = queries + first * stored.dimensions;
        std::vector<InQuestion> parts;  // (threads, count)
        for (std::int64_t i = 0; i < threads * count; ++i) parts.emplace_back(k);
        const auto part = [&](int thread, std::int64_t query) -> InQuestion& { return parts[static_cast<std::size_t>(thread * count + query)]; };
        const auto add = [&](int thread, std::int64_t query, std::int64_t row, double approximate, double error) {
            if (keep == nullptr || keep[row] != 0) part(thread, query).add(row, approximate, error);
        };
        const auto rows_of = [&](std::int64_t tile) { return std::min(tile_rows, stored.rows - tile * tile_rows); };
        if (!stored.codes.empty()) {
            const CodePass pass(stored, some, count);
            cpu::parallel_for(stream, tiles, [&](std::int64_t tile, int thread) {
                for (std::int64_t query = 0; query < count; ++query)
                    pass.tile(tile * tile_rows, rows_of(tile), query,
                              [&](std::int64_t row, float approximate, float error) { add(thread, query, row, approximate, error); });
            });
        } else {
            const FloatPass pass(stored, some, count);
            std::vector<std::vector<float>> products(static_cast<std::size_t>(threads));
            cpu::parallel_for(stream, tiles, [&](std::int64_t tile, int thread) {
                pass.tile(
                    tile * tile_rows, rows_of(tile), products[static_cast<std::size_t>(thread)],
                    [&](std::int64_t query, std::int64_t row, double approximate, double error) { add(thread, query, row, approximate, error); });
            });
        }
        cpu::parallel_for(stream, count, [&](std::int64_t query) {
            std::vector<InQuestion*> own;
            for (int thread = 0; thread < threads; ++thread) own.push_back(&part(thread, query));
            results[static_cast<std::size_t>(first + query)] = exact_best(stored, some + query * stored.dimensions, k, own);
        });
    }
    return results;
}

}  // namespace temper
