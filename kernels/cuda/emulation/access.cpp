#include "kernels/cuda/emulation/access.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/cuda/emulation/block.h"
#include "kernels/error.h"

namespace temper::cuda::emulation {
namespace {

bool read_setting() {
    const char* const text = std::getenv("TEMPER_EMULATION_CHECKS");
    const std::string value = text == nullptr || *text == '\0' ? "full" : text;
    if (value != "full" && value != "fast") throw_error(ExitCode::usage, "TEMPER_EMULATION_CHECKS: found \"{}\", expected full or fast", value);
    return value == "full";
}

// The running thread among the accesses of one unit.
struct Access {
    const Block& block = running();
    std::uint32_t now = block.now(), began, barrier = block.barrier_tick(), warp_tick;
    unsigned thread;
    const char* memory;

    Access(bool shared, Thread& self)
        : began(shared ? block.block_began() : block.launch_began()),
          warp_tick(self.warp->tick),
          thread(self.index.x),
          memory(shared ? "shared" : "global") {}

    bool is_live(std::uint32_t tick) const { return tick >= began; }
    bool is_elsewhere(std::uint32_t tick) const { return tick < block.block_began(); }
    bool same_warp(unsigned other) const { return other / kLanes == thread / kLanes; }
    // Nothing lies between that access and this one.
    bool meets(std::uint32_t tick, unsigned other) const {
        if (!is_live(tick)) return false;
        if (is_elsewhere(tick)) return true;
        return other != thread && tick >= barrier && !(same_warp(other) && tick < warp_tick);
    }

    [[noreturn]] void fail_race(const char* mine, const char* theirs, std::uint32_t tick, unsigned other, std::int64_t byte) const {
        fail(fmt::format("race in {} memory: {} byte {}, which {} {} with no {} between them", memory, mine, byte, block.place_of(other, tick),
                         theirs,
                         is_elsewhere(tick) ? "launch"
                         : same_warp(other) ? "__syncthreads or __syncwarp"
                                            : "__syncthreads"));
    }

    void read(Trace& t, std::int64_t byte) const {
        if (meets(t.written, t.writer)) fail_race("reads", "wrote", t.written, t.writer, byte);
        if (t.read == now && t.reader == thread) return;
        if (is_live(t.read)) step_back(t);
        t.read = now;
        t.reader = static_cast<std::uint16_t>(thread);
    }
    // The last reader so far gives way to this thread.
    void step_back(Trace& t) const {
        if (is_elsewhere(t.read)) {
            t.read_elsewhere = t.read, t.reader_elsewhere = t.reader;
        } else if (!same_warp(t.reader)) {
            t.read_in_block = t.read, t.reader_in_block = t.reader;
        } else if (t.reader != thread) {
            t.read_in_warp = t.read, t.reader_in_warp = t.reader;
        }
    }
    void write(Trace& t, std::int64_t byte) const {
        if (meets(t.written, t.writer)) fail_race("writes", "wrote", t.written, t.writer, byte);
        if (meets(t.read, t.reader)) fail_race("writes", "read", t.read, t.reader, byte);
        if (meets(t.read_in_warp, t.reader_in_warp)) fail_race("writes", "read", t.read_in_warp, t.reader_in_warp, byte);
        if (meets(t.read_in_block, t.reader_in_block)) fail_race("writes", "read", t.read_in_block, t.reader_in_block, byte);
        if (meets(t.read_elsewhere, t.reader_elsewhere)) fail_race("writes", "read", t.read_elsewhere, t.reader_elsewhere, byte);
        t.written = now;
        t.writer = static_cast<std::uint16_t>(thread);
    }
};

void check_no_copy(const Trace& trace, const Access& access, std::int64_t byte) {
    if (trace.copier != 0 && access.is_live(trace.written))
        fail(fmt::format("shared memory: touches byte {}, to which thread {} copies asynchronously and has not waited", byte, trace.copier - 1));
}

template <class Note> void for_units(Trace* traces, std::int64_t at, std::size_t bytes, const Note& note) {
    for (std::size_t i = 0; i < bytes / kUnit; ++i) note(traces[i], at + static_cast<std::int64_t>(i * kUnit));
}

}  // namespace

bool checks_are_full() {
    static const bool full = read_setting();
    return full;
}

void note_shared_read(Trace* traces, std::int64_t at, std::size_t bytes) {
    const Access access(true, running().self());
    for_units(traces, at, bytes, [&](Trace& t, std::int64_t byte) {
        if (!access.is_live(t.written)) fail(fmt::format("shared memory: reads byte {}, which this block has not written yet", byte));
        check_no_copy(t, access, byte);
        access.read(t, byte);
    });
}

void note_shared_write(Trace* traces, std::int64_t at, std::size_t bytes) {
    const Access access(true, running().self());
    for_units(traces, at, bytes, [&](Trace& t, std::int64_t byte) {
        check_no_copy(t, access, byte);
        access.write(t, byte);
        t.copier = 0;
    });
}

void note_copy_begin(Trace* traces, std::int64_t at, std::size_t bytes) {
    note_shared_write(traces, at, bytes);
    for_units(traces, at, bytes, [&](Trace& t, std::int64_t) { t.copier = static_cast<std::uint16_t>(t.writer + 1); });
}

void note_copy_end(Trace* traces, std::size_t bytes) {
    for_units(traces, 0, bytes, [&](Trace& t, std::int64_t) {
        t.copier = 0;
        t.written = running().now();
    });
}

void note_global_read(Trace* traces, std::int64_t at, std::size_t bytes) {
    const Access access(false, running().self());
    for_units(traces, at, bytes, [&](Trace& t, std::int64_t byte) { access.read(t, byte); });
}

void note_global_write(Trace* traces, std::int64_t at, std::size_t bytes) {
    const Access access(false, running().self());
    for_units(traces, at, bytes, [&](Trace& t, std::int64_t byte) { access.write(t, byte); });
}

Trace* shared_traces(std::int64_t byte_offset) {
    static thread_local std::vector<Trace> traces(kMostSharedBytes / kUnit);
    return traces.data() + static_cast<std::size_t>(byte_offset) / kUnit;
}

}  // namespace temper::cuda::emulation
