#include "kernels/cuda/recording.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "kernels/error.h"

namespace temper::cuda {
namespace {

struct Copy {
    void* to;
    const void* from;
    std::size_t bytes;
};

std::string_view setting() {
    const char* const text = std::getenv("TEMPER_CUDA_GRAPHS");
    return text != nullptr ? text : "";
}

}  // namespace

bool graphs_are_wanted() { return setting() != "0" && !kernels_are_waited_for(); }
bool kernels_are_waited_for() {
    static const bool waited = setting() == "wait";
    return waited;
}

Context::Recording::Recording() : tables(static_cast<char*>(allocate(kTableBytes))) {
    for (Page& each : pages) each.pinned = static_cast<char*>(allocate_host(kTableBytes));
}

Context::Recording::~Recording() {
    graphs.clear();
    for (void* const memory : outgrown) release(memory);
    for (const Page& each : pages) release_host(each.pinned);
    release(tables);
}

void Context::Recording::begin(Context& context) {
    page = (page + 1) % std::size(pages);
    context.wait(pages[page].sent);
    commands.clear();
    sent.clear();
    used = 0;
    active = true;
}

const void* Context::Recording::take_table(const void* values, std::size_t bytes) {
    const std::size_t hash = std::hash<std::string_view>{}({static_cast<const char*>(values), bytes});
    char* const pinned = pages[page].pinned;
    const auto [first, last] = sent.equal_range(hash);
    for (auto it = first; it != last; ++it)
        if (it->second.bytes == bytes && std::memcmp(pinned + it->second.at, values, bytes) == 0) return tables + it->second.at;
    const std::size_t room = table_room(bytes);
    if (room > kTableBytes - used) return nullptr;
    std::memcpy(pinned + used, values, bytes);
    std::memset(pinned + used + bytes, 0, room - bytes);
    sent.emplace(hash, Sent{used, bytes});
    used += room;
    return tables + used - room;
}

void Context::Recording::send_tables(Context& context) {
    if (used == 0) return;
    context.copy_in(tables, pages[page].pinned, used);
    pages[page].sent = context.mark();
}

Context::Recording::Graph* Context::Recording::find() {
    const auto found = std::find_if(graphs.begin(), graphs.end(), [this](const Graph& graph) { return graph.commands == commands; });
    if (found == graphs.end()) return nullptr;
    std::rotate(graphs.begin(), found, found + 1);
    return &graphs.front();
}

bool Context::Recording::was_seen() {
    const std::uint64_t hash = commands.hash();
    if (std::find(seen.begin(), seen.end(), hash) != seen.end()) return true;
    seen.push_back(hash);
    if (seen.size() > kMostSeen) seen.pop_front();
    return false;
}

void Context::Recording::keep(std::shared_ptr<void> executable) {
    if (graphs.size() == kMostGraphs) graphs.pop_back();
    graphs.insert(graphs.begin(), {commands, std::move(executable)});
}

void record_copy(Commands& commands, void* device, const void* from_device, std::size_t bytes) {
    const auto issue = [](Context& context, const char* payload) {
        const auto copy = read_payload<Copy>(payload);
        context.copy_across(copy.to, copy.from, copy.bytes);
    };
    commands.add(issue, Copy{device, from_device, bytes});
}
void record_zero(Commands& commands, void* device, std::size_t bytes) {
    const auto issue = [](Context& context, const char* payload) {
        const auto fill = read_payload<Copy>(payload);
        context.fill_zero(fill.to, fill.bytes);
    };
    commands.add(issue, Copy{device, nullptr, bytes});
}

Commands* Context::recorded() { return recording_ && recording_->active ? &recording_->commands : nullptr; }

GraphCounts Context::graph_counts() const { return recording_ ? recording_->counts : GraphCounts(); }

void Context::report_graphs() const {
    if (setting() != "report" || !recording_) return;  // a stream that never recorded has nothing to tell
    const GraphCounts counts = graph_counts();
    fmt::print(stderr, "CUDA graphs: {} made, {} replayed; {} sections without, {} interrupted\n", counts.made, counts.replayed, counts.issued,
               counts.spilled);
}

void Context::spill() {
    if (recorded() == nullptr) return;
    recording_->active = false;
    recording_->send_tables(*this);
    recording_->commands.issue_all(*this);
}

void Context::run_recorded(const std::function<void()>& body) {
    if (!keeps_graphs_ || recorded() != nullptr) return body();
    if (!recording_) recording_ = std::make_unique<Recording>();
    Recording& r = *recording_;
    r.begin(*this);
    try {
        body();
    } catch (...) {
        r.active = false;
        throw;
    }
    if (r.active) finish_recording();
    else ++r.counts.spilled;
    if (r.outgrown.empty()) return;
    synchronize();
    for (void* const memory : std::exchange(r.outgrown, {})) release(memory);
}

// A graph is made of what comes a second time: work that never comes again is not worth one, and by then all of its kernels are loaded.
void Context::finish_recording() {
    Recording& r = *recording_;
    r.active = false;
    r.send_tables(*this);
    if (const Recording::Graph* const graph = r.find()) {
        launch_graph(graph->executable.get());
        ++r.counts.replayed;
        return;
    }
    std::shared_ptr<void> made = r.was_seen() ? make_graph(r.commands) : nullptr;
    if (!made) {
        r.commands.issue_all(*this);
        ++r.counts.issued;
        return;
    }
    launch_graph(made.get());
    ++r.counts.made;
    r.keep(std::move(made));
}

}  // namespace temper::cuda
