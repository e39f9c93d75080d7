// Who read and wrote which bytes when: what the checks for races and for shared memory that nobody has written remember, for each two bytes.
//
// Two accesses of one location by different threads, one of them a write, must be ordered. What orders them is a barrier between them, for
// threads of one block; __syncwarp, for threads of one warp (shuffles and votes order no memory: CUDA C++ Programming Guide, warp shuffle
// functions); nothing, for threads of different blocks of a launch. Launches are ordered.
#pragma once
#include <cstddef>
#include <cstdint>

namespace temper::cuda::emulation {

// TEMPER_EMULATION_CHECKS: full (the default), or fast, which keeps no such memory: bounds, alignment and calls of warps are checked alone.
bool checks_are_full();

constexpr std::size_t kUnit = 2;  // bytes that a Trace stands for

// Accesses of one unit since the block (shared memory) or the launch (device memory) began. A tick is Block::now() at the access; 0 is none.
// Readers: the last one; the last of its warp but it; the last of another warp of the block; the last of an earlier block.
struct Trace {
    std::uint32_t written = 0, read = 0, read_in_warp = 0, read_in_block = 0, read_elsewhere = 0;
    std::uint16_t writer = 0, reader = 0, reader_in_warp = 0, reader_in_block = 0, reader_elsewhere = 0;
    std::uint16_t copier = 0;  // 1 + the thread whose asynchronous copy is under way; of shared memory only
};

// Of the running thread; `traces` stand for `bytes` bytes, of which the first has the offset `at` in its memory. Errors as above.
void note_shared_read(Trace* traces, std::int64_t at, std::size_t bytes);
void note_shared_write(Trace* traces, std::int64_t at, std::size_t bytes);
void note_copy_begin(Trace* traces, std::int64_t at, std::size_t bytes);  // an asynchronous copy: nobody touches its target until it has arrived
void note_copy_end(Trace* traces, std::size_t bytes);
void note_global_read(Trace* traces, std::int64_t at, std::size_t bytes);
void note_global_write(Trace* traces, std::int64_t at, std::size_t bytes);

// The running block's, for an offset in its shared memory.
Trace* shared_traces(std::int64_t byte_offset);

}  // namespace temper::cuda::emulation
