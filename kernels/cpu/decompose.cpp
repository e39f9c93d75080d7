#include "kernels/decompose.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <cblas.h>

#include "kernels/cpu/blas.h"
#include "kernels/random.h"

// LAPACK's own symbols, which OpenBLAS carries; arrays are column-major, and a text is followed by its length at the end.
extern "C" {
void dsyevr_(const char* job, const char* range, const char* part, const blasint* n, double* a, const blasint* lda, const double* lower,
             const double* upper, const blasint* first, const blasint* last, const double* tolerance, blasint* found, double* values, double* vectors,
             const blasint* ldz, blasint* support, double* work, const blasint* work_size, blasint* iwork, const blasint* iwork_size, blasint* info,
             std::size_t, std::size_t, std::size_t);
void sgeqrf_(const blasint* m, const blasint* n, float* a, const blasint* lda, float* tau, float* work, const blasint* work_size, blasint* info);
void sorgqr_(const blasint* m, const blasint* n, const blasint* k, float* a, const blasint* lda, const float* tau, float* work,
             const blasint* work_size, blasint* info);
}

namespace temper {
namespace {

void check(const char* routine, blasint info) {
    if (info != 0) throw_error(ExitCode::non_finite, "{}: info {}: the weight holds numbers that cannot be factored", routine, info);
}

blasint index_of(std::int64_t value) { return static_cast<blasint>(value); }
std::size_t size_of_array(std::int64_t rows, std::int64_t columns) { return static_cast<std::size_t>(rows * columns); }

void check_count(const char* op, View w, std::int64_t count) {
    if (w.rank != 2 || w.dtype != DType::f32 || count < 1 || count > std::min(w.size(0), w.size(1)))
        throw_error(ExitCode::internal, "{}: {} of {}, expected float32 (rows, columns) and no more than the smaller", op, count, w.describe());
}

// Largest eigenvalues of a symmetric matrix (n, n), falling, and their vectors, one after another.
void largest_eigen(std::vector<double>& matrix, std::int64_t n, std::int64_t count, std::vector<double>& values, std::vector<double>& vectors) {
    const blasint size = index_of(n), first = index_of(n - count + 1), wanted = index_of(count);
    const double none = 0.0;
    std::vector<double> rising(static_cast<std::size_t>(n)), z(size_of_array(n, count));
    std::vector<blasint> support(static_cast<std::size_t>(2 * count));
    blasint found = 0, info = 0, query = -1, iwork_size = 0;
    double work_size = 0.0;
    const auto run = [&](double* work, const blasint* lwork, blasint* iwork, const blasint* liwork) {
        dsyevr_("V", "I", "U", &size, matrix.data(), &size, &none, &none, &first, &size, &none, &found, rising.data(), z.data(), &size,
                support.data(), work, lwork, iwork, liwork, &info, 1, 1, 1);
        check("dsyevr", info);
    };
    run(&work_size, &query, &iwork_size, &query);
    std::vector<double> work(static_cast<std::size_t>(work_size));
    std::vector<blasint> iwork(static_cast<std::size_t>(iwork_size));
    const blasint lwork = static_cast<blasint>(work_size);
    run(work.data(), &lwork, iwork.data(), &iwork_size);
    if (found != wanted) check("dsyevr", -1);
    values.clear();
    vectors.clear();
    for (std::int64_t i = count - 1; i >= 0; --i) {
        values.push_back(rising[static_cast<std::size_t>(i)]);
        vectors.insert(vectors.end(), z.begin() + i * n, z.begin() + (i + 1) * n);
    }
}

// (rows, columns) row-major, as LAPACK sees it: (columns, rows) column-major. Q (rows, columns) column-major comes out of a, R stays above it.
struct Qr {
    std::vector<float> q;  // column-major (rows, smaller)
    std::vector<float> r;  // row-major (smaller, columns)
};
Qr factor(const float* w, std::int64_t rows, std::int64_t columns) {
    const std::int64_t smaller = std::min(rows, columns);
    std::vector<float> a(size_of_array(rows, columns)), tau(static_cast<std::size_t>(smaller));
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < columns; ++c) a[static_cast<std::size_t>(c * rows + r)] = w[r * columns + c];
    const blasint m = index_of(rows), n = index_of(columns), k = index_of(smaller), query = -1;
    blasint info = 0;
    float wanted = 0.0f;
    sgeqrf_(&m, &n, a.data(), &m, tau.data(), &wanted, &query, &info);
    std::vector<float> work(static_cast<std::size_t>(std::max(wanted, static_cast<float>(64 * std::max(rows, columns)))));
    const blasint work_size = index_of(static_cast<std::int64_t>(work.size()));
    sgeqrf_(&m, &n, a.data(), &m, tau.data(), work.data(), &work_size, &info);
    check("sgeqrf", info);
    Qr qr;
    qr.r.resize(size_of_array(smaller, columns));
    for (std::int64_t r = 0; r < smaller; ++r)
        for (std::int64_t c = r; c < columns; ++c) qr.r[static_cast<std::size_t>(r * columns + c)] = a[static_cast<std::size_t>(c * rows + r)];
    sorgqr_(&m, &k, &k, a.data(), &m, tau.data(), work.data(), &work_size, &info);
    check("sorgqr", info);
    a.resize(size_of_array(rows, smaller));
    qr.q = std::move(a);
    return qr;
}

std::vector<float> contiguous(View w) {
    std::vector<float> copy(size_of_array(w.size(0), w.size(1)));
    for (std::int64_t r = 0; r < w.size(0); ++r)
        std::memcpy(copy.data() + r * w.size(1), w.row<float>(r), static_cast<std::size_t>(w.size(1)) * sizeof(float));
    return copy;
}

// Two uniform numbers give one normal one.
float normal(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
    constexpr double turn = 6.28318530717958647692;
    const double u = 1.0 - static_cast<double>(uniform(seed, stream, 2 * index)), v = static_cast<double>(uniform(seed, stream, 2 * index + 1));
    return static_cast<float>(std::sqrt(-2.0 * std::log(u)) * std::cos(turn * v));
}

}  // namespace

Factors largest_singular(View w, std::int64_t count) {
    check_count("largest_singular", w, count);
    cpu::use_one_thread();
    const std::int64_t rows = w.size(0), columns = w.size(1), n = std::min(rows, columns), other = std::max(rows, columns);
    const bool wide = rows <= columns;  // w w^T is the smaller
    std::vector<double> exact(size_of_array(rows, columns)), gram(size_of_array(n, n)), values, vectors;
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < columns; ++c) exact[static_cast<std::size_t>(r * columns + c)] = static_cast<double>(w.row<float>(r)[c]);
    cblas_dsyrk(CblasRowMajor, CblasLower, wide ? CblasNoTrans : CblasTrans, index_of(n), index_of(other), 1.0, exact.data(), index_of(columns), 0.0,
                gram.data(), index_of(n));
    largest_eigen(gram, n, count, values, vectors);
    // The other side: w^T u / S or w v / S.
    std::vector<double> projected(size_of_array(count, other));
    if (wide)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, index_of(count), index_of(columns), index_of(rows), 1.0, vectors.data(),
                    index_of(rows), exact.data(), index_of(columns), 0.0, projected.data(), index_of(columns));
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, index_of(count), index_of(rows), index_of(columns), 1.0, vectors.data(),
                    index_of(columns), exact.data(), index_of(columns), 0.0, projected.data(), index_of(rows));
    Factors factors;
    factors.left.resize(size_of_array(rows, count));
    factors.right.resize(size_of_array(count, columns));
    for (std::int64_t i = 0; i < count; ++i) {
        const double value = std::sqrt(std::max(0.0, values[static_cast<std::size_t>(i)])), root = std::sqrt(value);
        factors.values.push_back(value);
        const double inverse = root > 0.0 ? 1.0 / root : 0.0;
        const double *const own = vectors.data() + i * n, *const theirs = projected.data() + i * other;
        for (std::int64_t r = 0; r < rows; ++r)
            factors.left[static_cast<std::size_t>(r * count + i)] = static_cast<float>(wide ? own[r] * root : theirs[r] * inverse);
        for (std::int64_t c = 0; c < columns; ++c)
            factors.right[static_cast<std::size_t>(i * columns + c)] = static_cast<float>(wide ? theirs[c] * inverse : own[c] * root);
    }
    return factors;
}

Factors approximate_singular(View w, std::int64_t count, std::int64_t iterations, std::uint64_t seed, std::uint64_t stream) {
    check_count("approximate_singular", w, count);
    cpu::use_one_thread();
    const std::int64_t rows = w.size(0), columns = w.size(1);
    const std::vector<float> a = contiguous(w);
    // A basis q of the range of the tall one of w and w^T, as PyTorch's svd_lowrank takes it; column-major (tall, count) is row-major (count, tall).
    const bool wide = rows < columns;
    const std::int64_t tall = wide ? columns : rows, low = wide ? rows : columns;
    std::vector<float> low_side(size_of_array(low, count)), tall_side(size_of_array(tall, count));
    for (std::size_t i = 0; i < low_side.size(); ++i) low_side[i] = normal(seed, stream, i);
    // low (low, count) -> tall (tall, count), both row-major.
    const auto up = [&](const cpu::Matrix& from) {
        cpu::multiply(tall_side.data(), count, {a.data(), columns, wide}, from, tall, count, low, 1.0f, 0.0f);
        return factor(tall_side.data(), tall, count).q;
    };
    const auto down = [&](const cpu::Matrix& from) {
        cpu::multiply(low_side.data(), count, {a.data(), columns, !wide}, from, low, count, tall, 1.0f, 0.0f);
        return factor(low_side.data(), low, count).q;
    };
    std::vector<float> q = up({low_side.data(), count});
    for (std::int64_t i = 0; i < iterations; ++i) {
        const std::vector<float> back = down({q.data(), tall, true});
        q = up({back.data(), low, true});
    }
    // w = q (q^T w) nearly: of the small one the exact factors, q put back.
    std::vector<float> small(size_of_array(count, low));
    cpu::multiply(small.data(), low, {q.data(), tall}, {a.data(), columns, wide}, count, low, tall, 1.0f, 0.0f);
    const Factors inner = largest_singular(View(small.data(), DType::f32, {count, low}), count);
    Factors factors;
    factors.values = inner.values;
    factors.left.resize(size_of_array(rows, count));
    factors.right.resize(size_of_array(count, columns));
    if (wide) {
        for (std::int64_t i = 0; i < count; ++i)
            for (std::int64_t r = 0; r < rows; ++r)
                factors.left[static_cast<std::size_t>(r * count + i)] = inner.right[static_cast<std::size_t>(i * low + r)];
        cpu::multiply(factors.right.data(), columns, {inner.left.data(), count, true}, {q.data(), tall}, count, columns, count, 1.0f, 0.0f);
    } else {
        factors.right = inner.right;
        cpu::multiply(factors.left.data(), count, {q.data(), tall, true}, {inner.left.data(), count}, rows, count, count, 1.0f, 0.0f);
    }
    return factors;
}

Factors leading_qr(View w, std::int64_t count) {
    check_count("leading_qr", w, count);
    cpu::use_one_thread();
    const std::int64_t rows = w.size(0), columns = w.size(1);
    const Qr qr = factor(contiguous(w).data(), rows, columns);
    Factors factors;
    factors.left.resize(size_of_array(rows, count));
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t i = 0; i < count; ++i) factors.left[static_cast<std::size_t>(r * count + i)] = qr.q[static_cast<std::size_t>(i * rows + r)];
    factors.right.assign(qr.r.begin(), qr.r.begin() + count * columns);
    return factors;
}

}  // namespace temper
