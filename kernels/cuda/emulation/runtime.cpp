// kernels/cuda/runtime.h in this process's memory. What a device would do later is done late where the difference can be seen: numbers that
// copy_out brings arrive with synchronize.
#include "kernels/cuda/runtime.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "kernels/cuda/emulation/block.h"
#include "kernels/cuda/emulation/registry.h"
#include "kernels/cuda/memory_use.h"
#include "kernels/cuda/recording.h"
#include "kernels/cuda/tables.h"
#include "kernels/error.h"

namespace temper::cuda {
namespace {

using emulation::Kind;

// An H100's, or what a test sets to see memory run short.
std::size_t memory_bytes() {
    static const char* const set = std::getenv("TEMPER_EMULATION_MEMORY");
    return set == nullptr ? std::size_t{80} << 30 : static_cast<std::size_t>(std::strtoull(set, nullptr, 10));
}

std::size_t free_bytes() {
    const std::size_t used = emulation::device_bytes_used(), all = memory_bytes();
    return used < all ? all - used : 0;
}

std::size_t hash_of(const void* bytes, std::size_t count) { return std::hash<std::string_view>{}({static_cast<const char*>(bytes), count}); }

// What the host must leave alone until it synchronizes.
struct Queue {
    struct Out {
        char* host;
        std::vector<char> bytes;
        std::uint64_t mark;  // the first one behind it
    };
    struct In {
        const void* pinned;
        std::size_t bytes, hash;
        std::uint64_t mark;
    };
    std::vector<Out> out;
    std::vector<In> in;
    std::uint64_t marks = 0;

    // The device has come to a mark.
    void reach(std::uint64_t mark) {
        for (const Out& copy : out)
            if (copy.mark <= mark) std::memcpy(copy.host, copy.bytes.data(), copy.bytes.size());
        bool changed = false;
        for (const In& copy : in)
            changed |= copy.mark <= mark && emulation::is_pinned(copy.pinned, copy.bytes) && hash_of(copy.pinned, copy.bytes) != copy.hash;
        out.erase(std::remove_if(out.begin(), out.end(), [&](const Out& copy) { return copy.mark <= mark; }), out.end());
        in.erase(std::remove_if(in.begin(), in.end(), [&](const In& copy) { return copy.mark <= mark; }), in.end());
        if (changed) throw_error(ExitCode::internal, "emulated CUDA: pinned memory was written between copy_in from it and synchronize");
    }
};

Queue& queue_of(const Context& context) { return *static_cast<Queue*>(context.queue()); }

struct Spoil {
    void* scratch;
    std::size_t bytes;
};
void issue_spoil(Context&, const char* payload) {
    const auto spoil = read_payload<Spoil>(payload);
    std::memset(spoil.scratch, 0xff, spoil.bytes);
}

}  // namespace

int device_count() { return 1; }
bool is_supported(int) { return true; }

std::string device_name(int) { return "emulated"; }

DeviceProperties properties(int device) {
    if (device != 0) throw_error(ExitCode::usage, "device: cuda:{} is not there; this process may use 1 (emulated)", device);
    return {"emulated", 9, 0, 132, emulation::kMostSharedBytes, memory_bytes(), free_bytes()};
}

void* allocate(std::size_t bytes) {
    emulation::throw_fault();
    const std::size_t free = free_bytes();
    if (bytes > free)
        throw_error(ExitCode::internal,
                    "emulated CUDA: out of device memory: {} MiB are needed, {} MiB are free; use smaller batches (train.micro_batch_tokens)",
                    bytes >> 20, free >> 20);
    void* const memory = emulation::allocate_range(Kind::device, bytes);
    note_given(MemoryKind::device, memory, bytes);
    return memory;
}
void release(void* memory) noexcept {
    note_back(memory);
    emulation::release_range(Kind::device, memory);
}
void* allocate_host(std::size_t bytes) {
    emulation::throw_fault();
    void* const memory = emulation::allocate_range(Kind::pinned, bytes);
    note_given(MemoryKind::pinned, memory, bytes);
    return memory;
}
void release_host(void* memory) noexcept {
    note_back(memory);
    emulation::release_range(Kind::pinned, memory);
}

Context::Context(int device)
    : properties_(properties(device)), queue_(new Queue), tables_(std::make_unique<Tables>()), keeps_graphs_(graphs_are_wanted()) {}

Context::~Context() {
    report_graphs();
    recording_.reset();
    tables_.reset();
    release(scratch_);
    delete static_cast<Queue*>(queue_);
}

// Filled anew for each op: none may find what another has left.
void* Context::scratch(std::size_t bytes) {
    Commands* const commands = recorded();
    if (bytes > scratch_bytes_ || scratch_ == nullptr) {
        if (commands != nullptr && scratch_ != nullptr) recording_->outgrown.push_back(scratch_);
        else release(scratch_);
        scratch_ = nullptr;
        scratch_bytes_ = 0;
        scratch_ = allocate(bytes);
        scratch_bytes_ = bytes;
    }
    if (commands != nullptr) commands->add(issue_spoil, Spoil{scratch_, bytes});
    else std::memset(scratch_, 0xff, bytes);
    return scratch_;
}

void Context::copy_in(void* device, const void* host, std::size_t bytes) {
    if (bytes == 0) return;
    spill();
    emulation::check_on_device("copy_in", device, bytes);
    std::memcpy(device, host, bytes);
    Queue& queue = queue_of(*this);
    if (emulation::is_pinned(host, bytes)) queue.in.push_back({host, bytes, hash_of(host, bytes), queue.marks + 1});
}

void Context::copy_out(void* host, const void* device, std::size_t bytes) {
    if (bytes == 0) return;
    spill();
    emulation::check_on_device("copy_out", device, bytes);
    const char* const from = static_cast<const char*>(device);
    Queue& queue = queue_of(*this);
    queue.out.push_back({static_cast<char*>(host), std::vector<char>(from, from + bytes), queue.marks + 1});
}

void Context::copy_across(void* device, const void* from_device, std::size_t bytes) {
    if (bytes == 0) return;
    emulation::check_on_device("copy_across", device, bytes);
    emulation::check_on_device("copy_across", from_device, bytes);
    if (Commands* const commands = recorded()) return record_copy(*commands, device, from_device, bytes);
    std::memmove(device, from_device, bytes);
}

void Context::fill_zero(void* device, std::size_t bytes) {
    if (bytes == 0) return;
    emulation::check_on_device("fill_zero", device, bytes);
    if (Commands* const commands = recorded()) return record_zero(*commands, device, bytes);
    std::memset(device, 0, bytes);
}

void Context::synchronize() {
    spill();
    emulation::throw_fault();
    std::memset(tables_->device, 0xff, tables_->used);  // found by whoever keeps a table for longer than it is there
    tables_->forget();
    queue_of(*this).reach(mark());
}

std::uint64_t Context::mark() { return ++queue_of(*this).marks; }

void Context::wait(std::uint64_t mark) { queue_of(*this).reach(mark); }

std::shared_ptr<void> Context::make_graph(const Commands& commands) { return std::make_shared<Commands>(commands); }

void Context::launch_graph(void* graph) { static_cast<const Commands*>(graph)->issue_all(*this); }

}  // namespace temper::cuda
