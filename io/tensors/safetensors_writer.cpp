#include <algorithm>

#include "io/durable.h"
#include "io/jsonl.h"
#include "io/tensors/tensor_decode.h"
#include "io/tensors/tensor_source.h"

namespace temper {

namespace {

std::int64_t bytes_of(const NamedTensor& tensor) { return tensor.value.elements() * size_of(tensor.value.dtype); }

// As the reference library orders them: wider numbers first, so that all are aligned, then by name.
bool comes_before(const NamedTensor& a, const NamedTensor& b) {
    if (a.value.dtype != b.value.dtype) return a.value.dtype == DType::f32;
    return a.name < b.name;
}

std::string header_of(const std::vector<NamedTensor>& tensors) {
    Json header = {{"__metadata__", {{"format", "pt"}}}};
    auto& members = static_cast<Json::object_t::Container&>(header.get_ref<Json::object_t&>());
    std::int64_t offset = 0;
    for (const NamedTensor& tensor : tensors) {
        Json shape = Json::array();
        for (int i = 0; i < tensor.value.rank; ++i) shape.push_back(tensor.value.size(i));
        members.emplace_back(tensor.name, Json{{"dtype", tensor.value.dtype == DType::f32 ? "F32" : "BF16"},
                                               {"shape", shape},
                                               {"data_offsets", {offset, offset + bytes_of(tensor)}}});
        offset += bytes_of(tensor);
    }
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    return text;
}

void check(const std::vector<NamedTensor>& sorted) {
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        const View& value = sorted[i].value;
        if (value.device != Device::cpu || value.dtype == DType::i32 || value.elements() == 0 || sorted[i].name == "__metadata__")
            throw_error(ExitCode::internal, "safetensors: tensor {} is {} on {}, expected f32 or bf16 in host memory", sorted[i].name,
                        value.describe(), name_of(value.device));
    }
    std::vector<std::string> names;
    for (const NamedTensor& tensor : sorted) names.push_back(tensor.name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) throw_error(ExitCode::internal, "safetensors: two tensors are named {}", *twice);
}

// Short rows are gathered, so that each does not cost a system call.
void write_rows(const Rows& rows, std::int64_t element_bytes, const Sink& sink) {
    constexpr std::size_t enough = std::size_t(1) << 18;
    const auto width = static_cast<std::size_t>(rows.width * element_bytes);
    if (rows.count == 1) return sink({rows.row(0), width});
    std::string gathered;
    for (std::int64_t i = 0; i < rows.count; ++i) {
        gathered.append(rows.row(i), width);
        if (gathered.size() < enough && i + 1 < rows.count) continue;
        sink(gathered);
        gathered.clear();
    }
}

}  // namespace

Producer safetensors_bytes(std::vector<NamedTensor> tensors) {
    std::sort(tensors.begin(), tensors.end(), comes_before);
    check(tensors);
    return [tensors = std::move(tensors)](const Sink& sink) {
        const std::string header = header_of(tensors);
        const std::uint64_t length = header.size();
        sink({reinterpret_cast<const char*>(&length), sizeof length});
        sink(header);
        for (const NamedTensor& tensor : tensors) write_rows(Rows(tensor.value), size_of(tensor.value.dtype), sink);
    };
}

void write_safetensors(const std::filesystem::path& path, const std::vector<NamedTensor>& tensors) {
    write_durable(path, safetensors_bytes(tensors));
}

}  // namespace temper
