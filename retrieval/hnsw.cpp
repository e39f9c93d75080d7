#include "retrieval/hnsw.h"

#include <cstring>
#include <hnswlib/hnswlib.h>

#include "io/checked.h"
#include "kernels/error.h"
#include "kernels/similarity.h"

namespace temper {
namespace {

// What hnswlib stores of a row, and compares: the scale, then the codes.
class CodeSpace final : public hnswlib::SpaceInterface<float> {
  public:
    explicit CodeSpace(std::int64_t padded) : padded_(padded), product_(similarity::kernels_for(best_isa()).product) {}
    std::size_t get_data_size() override { return bytes(); }
    hnswlib::DISTFUNC<float> get_dist_func() override { return distance; }
    void* get_dist_func_param() override { return this; }
    std::size_t bytes() const { return sizeof(float) + static_cast<std::size_t>(padded_); }

    void pack(char* out, const std::int8_t* codes, float scale) const {
        std::memcpy(out, &scale, sizeof scale);
        std::memcpy(out + sizeof scale, codes, static_cast<std::size_t>(padded_));
    }

  private:
    static float distance(const void* a, const void* b, const void* space) {
        const auto& self = *static_cast<const CodeSpace*>(space);
        float scale_a, scale_b;
        std::memcpy(&scale_a, a, sizeof scale_a);
        std::memcpy(&scale_b, b, sizeof scale_b);
        const auto* codes_a = static_cast<const std::int8_t*>(a) + sizeof(float);
        const auto* codes_b = static_cast<const std::int8_t*>(b) + sizeof(float);
        return 1.0f - scale_a * scale_b * static_cast<float>(self.product_(codes_a, codes_b, self.padded_));
    }
    std::int64_t padded_;
    similarity::Product product_;
};

using Library = hnswlib::HierarchicalNSW<float>;
constexpr std::uint32_t magic = 0x31534e48;  // "HNS1"

template <class T> void append(std::string& bytes, T value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); }

}  // namespace

struct Hnsw::Graph {
    explicit Graph(const Rows& rows)
        : space(rows.padded),
          library(&space, static_cast<std::size_t>(std::max<std::int64_t>(rows.count, 1)), links, construction_breadth, /*random_seed=*/100) {
        // hnswlib fetches ahead by the link behind the last one, where an upper level's memory ends: each gets room for it.
        library.size_links_per_element_ += sizeof(hnswlib::tableint);
    }
    CodeSpace space;
    Library library;

    const std::uint32_t* links_of(std::uint32_t row, int level) const { return library.get_linklist_at_level(row, level); }
    static std::uint32_t count_of(const std::uint32_t* list) { return *list & 0xffff; }  // the upper half holds hnswlib's marks
};

Hnsw::Hnsw(std::unique_ptr<Graph> graph) : graph_(std::move(graph)) {}
Hnsw::~Hnsw() = default;
Hnsw::Hnsw(Hnsw&&) noexcept = default;

Hnsw Hnsw::build(const Rows& rows, const std::function<void(std::int64_t)>& progress) {
    auto graph = std::make_unique<Graph>(rows);
    std::string packed(graph->space.bytes(), '\0');
    for (std::int64_t row = 0; row < rows.count; ++row) {
        graph->space.pack(packed.data(), rows.codes + row * rows.padded, rows.scales[row]);
        graph->library.addPoint(packed.data(), static_cast<hnswlib::labeltype>(row));
        if (progress && row % 1024 == 1023) progress(row + 1);
    }
    return Hnsw(std::move(graph));
}

std::string Hnsw::bytes() const {
    const Library& library = graph_->library;
    std::string bytes;
    append(bytes, magic);
    append(bytes, static_cast<std::uint32_t>(links));
    append(bytes, static_cast<std::uint64_t>(library.cur_element_count));
    append(bytes, library.enterpoint_node_);
    for (std::uint32_t row = 0; row < library.cur_element_count; ++row) {
        const int levels = library.element_levels_[row];
        append(bytes, static_cast<std::uint8_t>(levels));
        for (int level = 0; level <= levels; ++level) {
            const std::uint32_t* list = graph_->links_of(row, level);
            append(bytes, static_cast<std::uint8_t>(Graph::count_of(list)));
            bytes.append(reinterpret_cast<const char*>(list + 1), Graph::count_of(list) * sizeof(std::uint32_t));
        }
    }
    return bytes;
}

Hnsw Hnsw::load(const Rows& rows, const std::string& bytes, const std::string& place) {
    Cursor cursor(bytes);
    const auto fail = [&](const std::string& what) {
        throw_error(ExitCode::bad_data, "{}: byte {} of the graph: {}", place, cursor.position(), what);
    };
    const auto number = [&]<class T>(T) {
        const auto value = cursor.number<T>();
        if (!value) fail("it ends early");
        return *value;
    };
    if (number(std::uint32_t()) != magic) fail("not a graph of this version of temper");
    if (number(std::uint32_t()) != links) fail(fmt::format("expected {} links a row", links));
    const auto count = number(std::uint64_t());
    if (count != static_cast<std::uint64_t>(rows.count)) fail(fmt::format("it is of {} rows, the vectors are {}", count, rows.count));
    const auto entry = number(std::uint32_t());
    auto graph = std::make_unique<Graph>(rows);
    Library& library = graph->library;
    for (std::uint32_t row = 0; row < count; ++row) {
        const int levels = number(std::uint8_t());
        char* element = library.data_level0_memory_ + row * library.size_data_per_element_;
        std::memset(element, 0, library.size_data_per_element_);
        graph->space.pack(element + library.offsetData_, rows.codes + row * rows.padded, rows.scales[row]);
        library.setExternalLabel(row, row);
        const std::size_t upper = library.size_links_per_element_ * static_cast<std::size_t>(levels);
        library.linkLists_[row] = levels > 0 ? static_cast<char*>(std::calloc(1, upper)) : nullptr;  // hnswlib frees it
        if (levels > 0 && library.linkLists_[row] == nullptr) throw std::bad_alloc();
        library.element_levels_[row] = levels;
        library.cur_element_count = row + 1;
        for (int level = 0; level <= levels; ++level) {
            const std::uint32_t size = number(std::uint8_t());
            if (size > (level == 0 ? library.maxM0_ : library.maxM_)) fail(fmt::format("row {} has {} links", row, size));
            const auto list = cursor.piece(size * sizeof(std::uint32_t));
            if (!list) fail("it ends early");
            std::uint32_t* own = library.get_linklist_at_level(row, level);
            *own = size;
            std::memcpy(own + 1, list->data(), list->size());
        }
    }
    if (cursor.left() != 0) fail("bytes behind its end");
    for (std::uint32_t row = 0; row < count; ++row)
        for (int level = 0; level <= library.element_levels_[row]; ++level) {
            const std::uint32_t* list = graph->links_of(row, level);
            for (std::uint32_t i = 1; i <= Graph::count_of(list); ++i)
                if (list[i] >= count || library.element_levels_[list[i]] < level)
                    fail(fmt::format("row {} is linked to row {} on level {}, where there is none", row, list[i], level));
        }
    if (count > 0) {
        if (entry >= count) fail(fmt::format("it is entered at row {}", entry));
        library.enterpoint_node_ = entry;
        library.maxlevel_ = library.element_levels_[entry];
    }
    return Hnsw(std::move(graph));
}

std::vector<std::int64_t> Hnsw::near(const std::int8_t* codes, float scale, std::int64_t breadth) const {
    std::string packed(graph_->space.bytes(), '\0');
    graph_->space.pack(packed.data(), codes, scale);
    auto found = graph_->library.searchKnn(packed.data(), static_cast<std::size_t>(breadth));
    std::vector<std::int64_t> rows;
    for (; !found.empty(); found.pop()) rows.push_back(static_cast<std::int64_t>(found.top().second));
    return rows;
}

}  // namespace temper
