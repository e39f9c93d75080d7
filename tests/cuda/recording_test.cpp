// Sections of work that a context records: what counts as the same work, what is replayed, and what the host may do meanwhile.
#include <cstdlib>
#include <numeric>

#include "kernels/cuda/gemm.h"
#include "kernels/cuda/recording.h"
#include "tests/cuda/common.h"

namespace temper::test {
namespace {

using cuda::Global, cuda::threadIdx;

struct Padded {
    char first;
    double second;
    bool third;
};

// to[i] = table[i] * factor, of `count`
__global__ void scale_table(Global<float> to, Global<const float> table, Padded by, int count) {
    const int i = static_cast<int>(threadIdx.x);
    if (i >= count) return;
    const float number = table[i];
    to[i] = number * static_cast<float>(by.second);
}

class Recording : public ::testing::Test {
  protected:
    Recording() : stream_(std::make_unique<cuda::Context>(0), 1), to_(64), product_(256) {}

    // A section: a table that goes to memory and is multiplied by itself there, through scratch.
    void scaled(const std::vector<float>& table, double factor, int count = 0) {
        Padded by;
        std::memset(static_cast<void*>(&by), ++noise_, sizeof by);
        by.first = 1, by.second = factor, by.third = true;
        stream_.run_recorded([&] {
            cuda::Context& context = stream_.cuda();
            const auto sent = cuda::upload(stream_, Span<const float>(table));
            auto* const scratch = static_cast<float*>(stream_.scratch(256));
            cuda::launch(stream_, scale_table, {1}, 64, 0, Global<float>(scratch, 64), sent, by, count > 0 ? count : static_cast<int>(table.size()));
            context.copy_across(to_.data(), scratch, 256);
            context.fill_zero(to_.data() + 60, 16);
        });
    }
    std::vector<float> result() {
        std::vector<float> host(64);
        stream_.cuda().copy_out(host.data(), to_.data(), 256);
        stream_.synchronize();
        return host;
    }
    void expect(std::int64_t made, std::int64_t replayed, std::int64_t issued, std::int64_t spilled = 0) {
        const cuda::GraphCounts counts = stream_.cuda().graph_counts();
        EXPECT_EQ(counts.made, made);
        EXPECT_EQ(counts.replayed, replayed);
        EXPECT_EQ(counts.issued, issued);
        EXPECT_EQ(counts.spilled, spilled);
    }

    Stream stream_;
    OnDevice<float> to_, product_;
    int noise_ = 0;
};

std::vector<float> counting(int count, float from) {
    std::vector<float> numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), from);
    return numbers;
}

TEST_F(Recording, ASecondTimeMakesAGraphAndAThirdTakesIt) {
    for (int step = 0; step < 6; ++step) {
        scaled(counting(40, static_cast<float>(step)), 2.0);
        const std::vector<float> host = result();
        for (std::size_t i = 0; i < 40; ++i) EXPECT_EQ(host[i], 2.0f * static_cast<float>(step + static_cast<int>(i)));
        EXPECT_EQ(host[62], 0.0f);
        EXPECT_TRUE(std::isnan(host[50]));  // scratch is as it came
    }
    expect(1, 4, 1);
}

TEST_F(Recording, OtherArgumentsAreOtherWork) {
    const std::vector<float> table = counting(40, 1.0f);
    for (int i = 0; i < 2; ++i) scaled(table, 2.0), scaled(table, 3.0), scaled(table, 2.0, 39);
    expect(3, 0, 3);
    scaled(table, 3.0);
    EXPECT_EQ(result()[1], 6.0f);
    expect(3, 1, 3);
    // Tables of other lengths are the same work as long as they take the same room.
    scaled(counting(60, 0.0f), 3.0, 40);
    EXPECT_EQ(result()[1], 3.0f);
    expect(3, 2, 3);
    scaled(counting(300, 0.0f), 3.0, 40);
    expect(3, 2, 4);
}

TEST_F(Recording, TheHostMayPrepareTheNextTables) {
    std::vector<float> table = counting(64, 0.0f);
    for (int step = 0; step < 20; ++step) {
        table[0] = static_cast<float>(step);
        scaled(table, 1.0);  // nobody waits: each page must be free again when it is filled
    }
    EXPECT_EQ(result()[0], 19.0f);
    expect(1, 18, 1);
}

TEST_F(Recording, ManyKindsOfWork) {
    const std::vector<float> table = counting(40, 1.0f);
    for (int round = 0; round < 3; ++round)
        for (int kind = 1; kind <= 70; ++kind) {
            scaled(table, kind);
            EXPECT_EQ(result()[1], 2.0f * static_cast<float>(kind));
        }
    const cuda::GraphCounts counts = stream_.cuda().graph_counts();
    EXPECT_EQ(counts.issued, 70);
    EXPECT_EQ(counts.made, 140);  // more kinds than graphs are kept
    EXPECT_EQ(counts.replayed, 0);
}

TEST_F(Recording, WaitingWithinGoesOnOpByOp) {
    std::vector<float> host(64);
    const std::vector<float> table = counting(64, 1.0f);
    for (int step = 0; step < 3; ++step) {
        stream_.run_recorded([&] {
            cuda::launch(stream_, scale_table, {1}, 64, 0, to_.global(), cuda::upload(stream_, Span<const float>(table)), Padded{0, 2.0, false}, 64);
            EXPECT_NE(stream_.cuda().recorded(), nullptr);
            stream_.cuda().copy_out(host.data(), to_.data(), 256);
            EXPECT_EQ(stream_.cuda().recorded(), nullptr);
            stream_.synchronize();
            EXPECT_EQ(host[3], 8.0f);
            stream_.cuda().fill_zero(to_.data(), 256);
        });
        EXPECT_EQ(result()[3], 0.0f);
    }
    expect(0, 0, 0, 3);
}

TEST_F(Recording, NothingIsDoneBeforeTheEndNorAfterAnError) {
    stream_.cuda().fill_zero(to_.data(), 256);
    const std::vector<float> table = counting(64, 1.0f);
    const auto scale = [&] {
        cuda::launch(stream_, scale_table, {1}, 64, 0, to_.global(), cuda::upload(stream_, Span<const float>(table)), Padded{0, 2.0, false}, 64);
    };
    EXPECT_THROW(stream_.run_recorded([&] {
        scale();
        EXPECT_EQ(to_.values()[0], 0.0f);
        throw_error(ExitCode::internal, "of the body");
    }),
                 Error);
    EXPECT_EQ(result()[0], 0.0f);
    stream_.run_recorded(scale);
    EXPECT_EQ(result()[0], 2.0f);
}

TEST_F(Recording, ScratchMayGrowWithin) {
    for (int step = 0; step < 4; ++step) {
        stream_.run_recorded([&] {
            for (const std::int64_t floats : {64, 6400}) {
                auto* const memory = static_cast<float*>(stream_.scratch(static_cast<std::size_t>(floats) * 4));
                const Global<float> scratch(memory, floats);
                const std::vector<float> table = counting(64, static_cast<float>(floats + step));
                cuda::launch(stream_, scale_table, {1}, 64, 0, scratch, cuda::upload(stream_, Span<const float>(table)), Padded{0, 1.0, false}, 64);
                const std::int64_t to = floats == 64 ? 0 : 32;
                stream_.cuda().copy_across(to_.data() + to, memory, 128);
            }
        });
        const std::vector<float> host = result();
        EXPECT_EQ(host[0], static_cast<float>(64 + step));
        EXPECT_EQ(host[32], static_cast<float>(6400 + step));
    }
    expect(1, 1, 2);  // the first section's scratch was another's
}

TEST_F(Recording, ProductsAreRecorded) {
    const OnDevice<float> a(256), b(256);
    for (int step = 1; step <= 4; ++step) {
        std::fill_n(a.data(), 256, static_cast<float>(step)), std::fill_n(b.data(), 256, 2.0f);
        stream_.run_recorded([&] {
            cuda::Product product;
            const auto matrix = [](const OnDevice<float>& memory) { return View(memory.data(), DType::f32, {16, 16}, Device::cuda); };
            product.d = matrix(product_), product.a = matrix(a), product.b = matrix(b);
            cuda::multiply(stream_, product);
        });
        EXPECT_EQ(product_.values()[17], 32.0f * static_cast<float>(step));
    }
    expect(1, 1, 1, 1);  // the first chose the product's algorithm, which ends a recording
}

TEST_F(Recording, MarksAreWaitedForOneByOne) {
    cuda::Context& context = stream_.cuda();
    auto* const pinned = static_cast<float*>(cuda::allocate_host(8));
    std::vector<float> host(2);
    pinned[0] = 1.0f, pinned[1] = 2.0f;
    context.copy_in(to_.data(), pinned, 8);
    context.copy_out(host.data(), to_.data(), 8);
    const std::uint64_t first = context.mark();
    context.fill_zero(to_.data(), 8);
    std::vector<float> later(2, 5.0f);
    context.copy_out(later.data(), to_.data(), 8);
    EXPECT_EQ(host[1], 0.0f);
    context.wait(first);
    EXPECT_EQ(host[1], 2.0f);
    EXPECT_EQ(later[1], 5.0f);
    pinned[0] = 7.0f;  // its copy is through
    context.synchronize();
    EXPECT_EQ(later[1], 0.0f);
    context.copy_in(to_.data(), pinned, 8);
    pinned[0] = 8.0f;
    EXPECT_THROW(context.wait(context.mark()), Error);
    cuda::release_host(pinned);
}

TEST(RecordingOff, BodiesRunOpByOp) {
    setenv("TEMPER_CUDA_GRAPHS", "0", 1);
    Stream stream(std::make_unique<cuda::Context>(0), 1);
    unsetenv("TEMPER_CUDA_GRAPHS");
    const OnDevice<float> memory(16);
    EXPECT_FALSE(stream.keeps_graphs());
    stream.run_recorded([&] {
        stream.cuda().fill_zero(memory.data(), 64);
        EXPECT_EQ(memory.values()[3], 0.0f);
    });
    EXPECT_EQ(stream.cuda().graph_counts().issued, 0);
}

}  // namespace
}  // namespace temper::test
