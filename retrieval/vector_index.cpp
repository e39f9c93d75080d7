#include "retrieval/vector_index.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>

#include "kernels/cpu/parallel.h"
#include "kernels/error.h"
#include "retrieval/hnsw.h"
#include "retrieval/vector_scan.h"

namespace temper {
namespace {

constexpr std::int64_t rows_at_once = 1024;

template <class Function> void for_rows(const Stream& stream, std::int64_t rows, const Function& function) {
    cpu::parallel_for(stream, (rows + rows_at_once - 1) / rows_at_once, [&](std::int64_t tile) {
        for (std::int64_t row = tile * rows_at_once; row < std::min(rows, (tile + 1) * rows_at_once); ++row) function(row);
    });
}

// A filter that lets few rows through leaves little to read: the graph would be walked for nothing.
constexpr double whole_search_share = 0.1;

}  // namespace

struct VectorIndex::State {
    explicit State(int thread_count) : threads(thread_count), stream(thread_count) {}
    int threads;
    Stream stream;
    StoredVectors stored;
    std::optional<Hnsw> graph;

    Hnsw::Rows code_rows() const { return {stored.codes.data(), stored.scales.data(), stored.rows, similarity::padded(stored.dimensions)}; }

    std::vector<Scored> graph_best(const float* query, std::int64_t k, std::int64_t breadth, const std::vector<std::uint8_t>* keep) const {
        std::vector<std::int8_t> codes(static_cast<std::size_t>(similarity::padded(stored.dimensions)));
        const similarity::Code code = similarity::kernels_for(best_isa()).encode(codes.data(), query, stored.dimensions);
        TopK best(k);
        for (const std::int64_t row : graph->near(codes.data(), code.scale, breadth))
            if (keep == nullptr || (*keep)[static_cast<std::size_t>(row)] != 0) best.add({stored.score(query, row), row});
        return best.sorted();
    }
};

VectorIndex::VectorIndex(Span<const float> vectors, std::int64_t dimensions, int threads) : state_(std::make_unique<State>(threads)) {
    if (dimensions < 1 || dimensions > similarity::max_dimensions)
        throw_error(ExitCode::bad_data, "vectors of {} dimensions, expected 1 to {}", dimensions, similarity::max_dimensions);
    StoredVectors& stored = state_->stored;
    stored.vectors = vectors.data();
    stored.dimensions = dimensions;
    stored.rows = static_cast<std::int64_t>(vectors.size()) / dimensions;
    stored.inverse_lengths.resize(static_cast<std::size_t>(stored.rows));
    std::atomic<std::int64_t> wrong{-1};
    for_rows(state_->stream, stored.rows, [&](std::int64_t row) {
        const float* vector = stored.vectors + row * dimensions;
        const double length = std::sqrt(similarity::dot(vector, vector, dimensions));
        if (!std::isfinite(length)) wrong = row;
        stored.inverse_lengths[static_cast<std::size_t>(row)] = length > 0 ? 1 / length : 0;
    });
    if (wrong >= 0) throw_error(ExitCode::bad_data, "vector {} is not finite; embed its text again", wrong.load());
}

VectorIndex::~VectorIndex() = default;

std::int64_t VectorIndex::rows() const { return state_->stored.rows; }
bool VectorIndex::has_graph() const { return state_->graph.has_value(); }

void VectorIndex::prepare() {
    StoredVectors& stored = state_->stored;
    if (!stored.codes.empty()) return;
    const std::int64_t padded = similarity::padded(stored.dimensions);
    const auto rows = static_cast<std::size_t>(stored.rows);
    stored.codes.resize(rows * static_cast<std::size_t>(padded));
    stored.scales.resize(rows);
    stored.losts.resize(rows);
    std::vector<float> reaches(rows);
    const similarity::Encode encode = similarity::kernels_for(best_isa()).encode;
    for_rows(state_->stream, stored.rows, [&](std::int64_t row) {
        const similarity::Code code = encode(stored.codes.data() + row * padded, stored.vectors + row * stored.dimensions, stored.dimensions);
        const double inverse = stored.inverse_length(row);
        const auto at = static_cast<std::size_t>(row);
        stored.scales[at] = static_cast<float>(code.scale * inverse);
        stored.losts[at] = static_cast<float>(code.lost * inverse);
        reaches[at] = static_cast<float>(code.reach * inverse);
    });
    stored.reach = rows == 0 ? 0 : *std::max_element(reaches.begin(), reaches.end()) * 1.0001f;
}

std::string VectorIndex::build_graph(const std::function<void(std::int64_t)>& progress) {
    prepare();
    state_->graph.emplace(Hnsw::build(state_->code_rows(), progress));
    return state_->graph->bytes();
}

void VectorIndex::use_graph(const std::string& bytes, const std::string& place) {
    prepare();
    state_->graph.emplace(Hnsw::load(state_->code_rows(), bytes, place));
}

std::vector<std::vector<Hit>> VectorIndex::search(Span<const float> queries, const Options& options) const {
    const StoredVectors& stored = state_->stored;
    const std::int64_t d = stored.dimensions, count = static_cast<std::int64_t>(queries.size()) / d;
    std::vector<float> units(queries.begin(), queries.end());
    for (std::int64_t q = 0; q < count; ++q) {
        float* query = units.data() + q * d;
        const double length = std::sqrt(similarity::dot(query, query, d));
        if (!std::isfinite(length)) throw_error(ExitCode::bad_data, "the vector of query {} is not finite", q);
        for (std::int64_t i = 0; i < d; ++i) query[i] = length > 0 ? static_cast<float>(query[i] / length) : 0.0f;
    }
    std::int64_t kept = stored.rows;
    if (options.keep != nullptr) kept = std::count_if(options.keep->begin(), options.keep->end(), [](std::uint8_t keep) { return keep != 0; });
    const std::int64_t k = std::clamp<std::int64_t>(options.top_k, 0, kept);
    const double share = stored.rows == 0 ? 0 : static_cast<double>(kept) / static_cast<double>(stored.rows);

    std::vector<std::vector<Scored>> found(static_cast<std::size_t>(count));
    std::vector<std::int64_t> whole;  // queries that the graph did not answer
    if (state_->graph && !options.exact && share > whole_search_share) {
        const auto breadth = static_cast<std::int64_t>(static_cast<double>(std::max(options.breadth, 4 * k)) / share);
        cpu::parallel_for(state_->stream, count, [&](std::int64_t q) {
            found[static_cast<std::size_t>(q)] = state_->graph_best(units.data() + q * d, k, breadth, options.keep);
        });
    }
    for (std::int64_t q = 0; q < count; ++q)
        if (static_cast<std::int64_t>(found[static_cast<std::size_t>(q)].size()) < k) whole.push_back(q);
    if (!whole.empty() && k > 0) {
        std::vector<float> some;
        for (const std::int64_t q : whole) some.insert(some.end(), units.begin() + q * d, units.begin() + (q + 1) * d);
        auto lists = scan_vectors(stored, some.data(), static_cast<std::int64_t>(whole.size()), k,
                                  options.keep == nullptr ? nullptr : options.keep->data(), state_->threads);
        for (std::size_t i = 0; i < whole.size(); ++i) found[static_cast<std::size_t>(whole[i])] = std::move(lists[i]);
    }
    std::vector<std::vector<Hit>> hits(found.size());
    for (std::size_t q = 0; q < found.size(); ++q)
        for (const Scored& one : found[q]) hits[q].push_back({one.row, static_cast<float>(one.score)});
    return hits;
}

}  // namespace temper
