// GGUF's blocks: 8192 numbers a block of threads. Their bytes, which begin at a multiple of 16 whatever a block's size, go to shared memory in pieces
// of 16 and are decoded from there, eight numbers a thread, which are written without gaps. Half words are what blocks are aligned to: lanes read
// theirs from there, two of a bank at worst.
#include "kernels/cuda/dequantize.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/quant_blocks.h"

namespace temper::cuda {
namespace {

constexpr int kThreads = 256, kTile = 8192;

template <class T, class Block>
__global__ void __launch_bounds__(kThreads) expand_blocks_kernel(Global<T> to, std::int64_t stride, Global<const std::uint32_t> data,
                                                                 std::int64_t words, std::uint32_t eights, std::uint32_t eights_a_row) {
    constexpr int kBytes = kTile / Block::kElements * Block::kBytes, kWords = kBytes / 4, kTileEights = kTile / kEight;
    constexpr int kBlockEights = Block::kElements / kEight;
    static_assert(kBytes % 16 == 0, "tiles begin at multiples of 16 bytes");
    const Shared<std::uint32_t> staged = shared<std::uint32_t>(0, kWords);
    const std::int64_t first_word = std::int64_t{blockIdx.x} * kWords;
    for (int w = static_cast<int>(threadIdx.x) * 4; w < kWords; w += kThreads * 4)
        copy_async16(staged, w, data, first_word + w, first_word + w < words);
    copy_async_commit();
    copy_async_wait<0>();
    __syncthreads();
    const Shared<std::uint16_t> pairs = shared<std::uint16_t>(0, kBytes / 2);
    for (int e = static_cast<int>(threadIdx.x); e < kTileEights; e += kThreads) {
        const std::uint32_t eight = blockIdx.x * kTileEights + static_cast<std::uint32_t>(e);
        if (eight >= eights) break;
        const BlockBytes block{pairs + e / kBlockEights * (Block::kBytes / 2)};
        const std::int64_t row = eight / eights_a_row, column = std::int64_t{eight % eights_a_row} * kEight;
        store_whole(to, row * stride + column, Block::decode(block, e % kBlockEights));
    }
}

template <class T, class Block> void expand_any(Stream& stream, const View& to, const QuantView& w) {
    const std::int64_t eights = w.elements() / kEight, words = padded_count<std::uint32_t>(w.data_bytes());
    launch(stream, expand_blocks_kernel<T, Block>, {blocks(w.elements(), kTile)}, kThreads, kTile / Block::kElements * Block::kBytes, global<T>(to),
           to.row_stride(), Global<const std::uint32_t>(reinterpret_cast<const std::uint32_t*>(w.data), words), words,
           static_cast<std::uint32_t>(eights), static_cast<std::uint32_t>(w.in / kEight));
}

template <class Block> bool expand_if(Stream& stream, const View& to, const QuantView& w, const Encoding& encoding) {
    if (w.format.encoding != &encoding) return false;
    if (to.dtype == DType::f32) expand_any<float, Block>(stream, to, w);
    else expand_any<bf16, Block>(stream, to, w);
    return true;
}

}  // namespace

void expand_blocks(Stream& stream, View to, const QuantView& w) {
    const auto is = [&](bool (*expand)(Stream&, const View&, const QuantView&, const Encoding&), const Encoding& encoding) {
        return expand(stream, to, w, encoding);
    };
    const bool found = is(expand_if<BlockQ8_0>, encoding_q8_0) || is(expand_if<BlockQ4_0>, encoding_q4_0) ||
                       is(expand_if<BlockQ4_1>, encoding_q4_1) || is(expand_if<BlockQ5_0>, encoding_q5_0) ||
                       is(expand_if<BlockQ5_1>, encoding_q5_1) || is(expand_if<BlockIq4Nl>, encoding_iq4_nl) ||
                       is(expand_if<BlockQ2K>, encoding_q2_k) || is(expand_if<BlockQ3K>, encoding_q3_k) || is(expand_if<BlockQ4K>, encoding_q4_k) ||
                       is(expand_if<BlockQ5K>, encoding_q5_k) || is(expand_if<BlockQ6K>, encoding_q6_k) || is(expand_if<BlockIq4Xs>, encoding_iq4_xs);
    if (!found)
        throw_error(ExitCode::internal, "a weight of blocks of {} numbers in {} bytes has no CUDA kernel", w.format.encoding->elements,
                    w.format.encoding->bytes);
}

}  // namespace temper::cuda
