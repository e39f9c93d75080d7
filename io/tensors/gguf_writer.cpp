#include "io/tensors/gguf_writer.h"

#include <cstring>
#include <type_traits>
#include <unordered_set>

#include "io/checked.h"
#include "io/tensors/gguf_quants.h"
#include "kernels/error.h"

namespace temper {

namespace {

constexpr std::uint64_t alignment = 32;

template <class T> void put(std::string& bytes, T value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof value); }
void put(std::string& bytes, const std::string& text) {
    put<std::uint64_t>(bytes, text.size());
    bytes += text;
}

// Numbers of the types of values. [ggml/docs/gguf.md]
template <class T> constexpr std::uint32_t id_of() {
    if constexpr (std::is_same_v<T, std::uint32_t>) return 4;
    else if constexpr (std::is_same_v<T, std::int32_t>) return 5;
    else if constexpr (std::is_same_v<T, float>) return 6;
    else if constexpr (std::is_same_v<T, bool>) return 7;
    else return 8;
}

void put_value(std::string& bytes, const GgufWritten& value) {
    std::visit(
        [&](const auto& held) {
            using T = std::decay_t<decltype(held)>;
            if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
                put(bytes, id_of<T>());
                put(bytes, held);
            } else {
                put<std::uint32_t>(bytes, 9);  // an array
                put(bytes, id_of<typename T::value_type>());
                put<std::uint64_t>(bytes, held.size());
                for (const auto& item : held) put(bytes, item);
            }
        },
        value);
}

const GgufType& type_of(GgufStored stored) {
    switch (stored) {
        case GgufStored::F32: return *find_gguf_type(0);
        case GgufStored::F16: return *find_gguf_type(1);
        case GgufStored::BF16: return *find_gguf_type(30);
        case GgufStored::Q8_0: break;
    }
    return *find_gguf_type(8);
}

std::uint64_t elements_of(const GgufOutput& tensor) {
    std::uint64_t elements = 1;
    for (const std::int64_t size : tensor.shape) {
        const auto product = checked_multiply(elements, static_cast<std::uint64_t>(size));
        if (size < 1 || !product) throw_error(ExitCode::internal, "GGUF: tensor {} has a dimension of {}", tensor.name, size);
        elements = *product;
    }
    return elements;
}

std::uint64_t bytes_of(const GgufOutput& tensor) {
    const GgufType& type = type_of(tensor.type);
    if (tensor.shape.empty() || tensor.shape.size() > 4 || tensor.shape.back() % type.elements != 0)
        throw_error(ExitCode::internal, "GGUF: tensor {} cannot be stored as {}", tensor.name, type.name);
    return elements_of(tensor) / static_cast<std::uint64_t>(type.elements) * static_cast<std::uint64_t>(type.bytes);
}

std::string header_of(const GgufMetadata& metadata, const std::vector<GgufOutput>& tensors) {
    std::string bytes = "GGUF";
    put<std::uint32_t>(bytes, 3);
    put<std::uint64_t>(bytes, tensors.size());
    put<std::uint64_t>(bytes, metadata.size());
    for (const auto& [key, value] : metadata) {
        put(bytes, key);
        put_value(bytes, value);
    }
    std::uint64_t offset = 0;
    for (const GgufOutput& tensor : tensors) {
        put(bytes, tensor.name);
        put<std::uint32_t>(bytes, static_cast<std::uint32_t>(tensor.shape.size()));
        for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size) put<std::uint64_t>(bytes, static_cast<std::uint64_t>(*size));
        put<std::uint32_t>(bytes, type_of(tensor.type).id);
        put(bytes, offset);
        offset += *round_up(bytes_of(tensor), alignment);
    }
    bytes.resize(*round_up(bytes.size(), alignment), '\0');
    return bytes;
}

void refuse_twins(const GgufMetadata& metadata, const std::vector<GgufOutput>& tensors) {
    std::unordered_set<std::string> keys, names;
    for (const auto& [key, value] : metadata)
        if (!keys.insert(key).second) throw_error(ExitCode::internal, "GGUF: key {} is written twice", key);
    for (const GgufOutput& tensor : tensors)
        if (!names.insert(tensor.name).second) throw_error(ExitCode::internal, "GGUF: tensor {} is written twice", tensor.name);
}

}  // namespace

const char* name_of(GgufStored type) { return type_of(type).name; }

GgufStored parse_gguf_stored(const std::string& name) {
    for (const GgufStored type : {GgufStored::F32, GgufStored::F16, GgufStored::BF16, GgufStored::Q8_0})
        if (name == name_of(type)) return type;
    throw_error(ExitCode::usage, "type '{}': expected F32, F16, BF16 or Q8_0", name);
}

GgufStored stored_for(GgufStored type, std::int64_t width) { return width % type_of(type).elements == 0 ? type : GgufStored::F16; }

Producer gguf_bytes(GgufMetadata metadata, std::vector<GgufOutput> tensors) {
    refuse_twins(metadata, tensors);
    return [metadata = std::move(metadata), tensors = std::move(tensors)](const Sink& sink) {
        sink(header_of(metadata, tensors));
        std::vector<float> numbers;
        for (const GgufOutput& tensor : tensors) {
            numbers.assign(static_cast<std::size_t>(elements_of(tensor)), 0.0f);
            tensor.fill(numbers.data());
            std::string bytes = encode_gguf(tensor.type, numbers.data(), static_cast<std::int64_t>(numbers.size()), tensor.name);
            bytes.resize(*round_up(bytes.size(), alignment), '\0');
            sink(bytes);
        }
    };
}

}  // namespace temper
