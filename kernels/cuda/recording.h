// Sections of work that a context records (Context::run_recorded): the one under way, the tables that it sends, and the graphs that are kept of
// earlier ones.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "kernels/cuda/commands.h"
#include "kernels/cuda/runtime.h"

namespace temper::cuda {

struct Context::Recording {
    static constexpr std::size_t kTableBytes = std::size_t{4} << 20;  // of one section
    static constexpr std::size_t kMostGraphs = 64, kMostSeen = 512;

    struct Page {
        char* pinned = nullptr;
        std::uint64_t sent = 0;  // mark behind the copy from it
    };
    struct Graph {
        Commands commands;
        std::shared_ptr<void> executable;
    };
    struct Sent {
        std::size_t at, bytes;
    };

    Recording();
    ~Recording();
    Recording(const Recording&) = delete;
    Recording& operator=(const Recording&) = delete;

    void begin(Context& context);
    // A table's place in device memory; null where no room is left. Equal tables share one, and each takes a power of two, so that tables that
    // differ a little leave the next ones where they are.
    const void* take_table(const void* values, std::size_t bytes);
    void send_tables(Context& context);
    Graph* find();    // of equal commands; it becomes the first
    bool was_seen();  // whether such commands have come before, which is noted
    void keep(std::shared_ptr<void> executable);

    bool active = false;
    Commands commands;
    Page pages[2];  // one is filled while the other's copy may still be under way
    std::size_t page = 0, used = 0;
    char* tables = nullptr;  // on the device, where every section finds its own: copies and kernels are in order
    std::unordered_multimap<std::size_t, Sent> sent;
    std::vector<Graph> graphs;       // those used last first
    std::deque<std::uint64_t> seen;  // hashes of commands that no graph was made of
    std::vector<void*> outgrown;     // scratch that recorded commands still name
    GraphCounts counts;
};

// Commands that copy and fill as Context::copy_across and fill_zero do.
void record_copy(Commands& commands, void* device, const void* from_device, std::size_t bytes);
void record_zero(Commands& commands, void* device, std::size_t bytes);

// What TEMPER_CUDA_GRAPHS says: 0 is none, wait is none and waits for each kernel, report has a line on stderr when a context goes.
bool graphs_are_wanted();
bool kernels_are_waited_for();

// Bytes that a table of a section takes.
constexpr std::size_t table_room(std::size_t bytes) {
    std::size_t room = 1024;
    while (room < bytes) room *= 2;
    return room;
}

}  // namespace temper::cuda
