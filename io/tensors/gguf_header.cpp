#include "io/tensors/gguf_header.h"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <unordered_set>

#include "io/checked.h"
#include "io/jsonl.h"
#include "io/tensors/tensor_decode.h"

namespace temper {

namespace {

constexpr std::uint64_t max_pairs = 1 << 16, max_tensors = 1'000'000, max_array = 1 << 24, max_text = 1 << 24, max_name = 255;
constexpr std::uint64_t default_alignment = 32, max_alignment = 1 << 20;

enum ValueType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, text, array, u64, i64, f64 };

class HeaderParser {
  public:
    HeaderParser(std::string_view head, std::uint64_t file_size, const std::string& path) : cursor_(head), file_size_(file_size), path_(path) {}

    GgufHeader parse() {
        GgufHeader header;
        if (const auto magic = take(4, "the magic"); magic != "GGUF") fail(0, "{}, expected the magic \"GGUF\"", hex(magic));
        header.version = number<std::uint32_t>("the version");
        if (header.version == 0x02000000 || header.version == 0x03000000) fail(4, "big-endian files are not supported");
        if (header.version != 2 && header.version != 3) fail(4, "version {}, expected 2 or 3", header.version);
        const std::uint64_t tensors = count(max_tensors, "tensors");
        const std::uint64_t pairs = count(max_pairs, "metadata pairs");
        for (std::uint64_t i = 0; i < pairs; ++i) read_pair(header);
        for (std::uint64_t i = 0; i < tensors; ++i) read_tensor(header);
        lay_out(header);
        return header;
    }

  private:
    template <class... Args> [[noreturn]] void fail(std::uint64_t byte, fmt::format_string<Args...> format, Args&&... args) const {
        throw_error(ExitCode::bad_data, "{}: byte {}: {}", path_, byte, fmt::format(format, std::forward<Args>(args)...));
    }
    static std::string hex(std::string_view bytes) {
        std::string digits;
        for (const char c : bytes) digits += fmt::format("{:02x}", static_cast<unsigned char>(c));
        return digits;
    }

    // The one gate: nothing is read, reserved or skipped before its bytes are known to be in the file.
    void require(std::uint64_t bytes, const char* what) const {
        if (bytes > file_size_ - cursor_.position())
            fail(cursor_.position(), "{} takes {} bytes, but {} are left: the file is truncated or its header lies", what, bytes,
                 file_size_ - cursor_.position());
        if (bytes > cursor_.left()) throw GgufHeadTooShort();
    }
    std::string_view take(std::uint64_t bytes, const char* what) {
        require(bytes, what);
        return *cursor_.piece(bytes);
    }
    template <class T> T number(const char* what) {
        require(sizeof(T), what);
        return *cursor_.number<T>();
    }
    std::uint64_t count(std::uint64_t limit, const char* what) {
        const std::size_t at = cursor_.position();
        const auto value = number<std::uint64_t>(what);
        if (value > limit) fail(at, "{} {}, expected at most {}", value, what, limit);
        return value;
    }
    std::string string(std::uint64_t limit, const char* what) {
        const std::size_t at = cursor_.position();
        const auto length = number<std::uint64_t>(what);
        if (length > limit) fail(at, "{} of {} bytes, expected at most {}", what, length, limit);
        return std::string(take(length, what));
    }
    std::string name(const char* what) {
        const std::size_t at = cursor_.position();
        std::string value = string(max_name, what);
        if (value.empty()) fail(at, "{} is empty", what);
        if (find_invalid_utf8(value) != std::string::npos || value.find('\0') != std::string::npos) fail(at, "{} is not text: {}", what, hex(value));
        return value;
    }

    void read_pair(GgufHeader& header) {
        const std::size_t at = cursor_.position();
        std::string key = name("a metadata key");
        const auto type = number<std::uint32_t>("the type of a value");
        if (key == "general.alignment" && type != u32) fail(at, "{}: type {}, expected an unsigned 32-bit integer", key, type);
        GgufValue value = type == array ? read_array(key) : read_scalar(key, type);
        if (!header.values.emplace(key, std::move(value)).second) fail(at, "duplicate key {}", key);
    }

    template <class T> T element(const std::string& key) {
        const std::size_t at = cursor_.position();
        if constexpr (std::is_same_v<T, std::string>) return string(max_text, "a text");
        else if constexpr (std::is_same_v<T, bool>) {
            const auto value = number<std::uint8_t>("a truth value");
            if (value > 1) fail(at, "{}: {}, expected 0 or 1", key, value);
            return value != 0;
        } else return number<T>("a number");
    }

    GgufValue read_scalar(const std::string& key, std::uint32_t type) {
        switch (type) {
            case u8: return std::int64_t(element<std::uint8_t>(key));
            case i8: return std::int64_t(element<std::int8_t>(key));
            case u16: return std::int64_t(element<std::uint16_t>(key));
            case i16: return std::int64_t(element<std::int16_t>(key));
            case u32: return std::int64_t(element<std::uint32_t>(key));
            case i32: return std::int64_t(element<std::int32_t>(key));
            case i64: return element<std::int64_t>(key);
            case f32: return double(element<float>(key));
            case f64: return element<double>(key);
            case boolean: return element<bool>(key);
            case text: return element<std::string>(key);
            case u64: {
                const auto value = element<std::uint64_t>(key);
                if (value <= std::numeric_limits<std::int64_t>::max()) return static_cast<std::int64_t>(value);
                return value;
            }
            default: fail(cursor_.position() - 4, "{}: unknown type of value {}", key, type);
        }
    }

    // Stored elements of T, kept as Kept; each takes at least least_bytes.
    template <class T, class Kept = T> GgufValue list(const std::string& key, std::uint64_t length, std::uint64_t least_bytes = sizeof(T)) {
        require(length * least_bytes, "an array");
        std::vector<Kept> items;
        items.reserve(static_cast<std::size_t>(length));
        for (std::uint64_t i = 0; i < length; ++i) {
            const std::size_t at = cursor_.position();
            T item = element<T>(key);
            if constexpr (std::is_same_v<T, std::uint64_t>)
                if (item > std::uint64_t(std::numeric_limits<std::int64_t>::max())) fail(at, "{}: {} does not fit into int64", key, item);
            items.push_back(static_cast<Kept>(std::move(item)));
        }
        return items;
    }

    GgufValue read_array(const std::string& key) {
        const std::size_t at = cursor_.position();
        const auto type = number<std::uint32_t>("the type of an array");
        const std::uint64_t length = count(max_array, "elements of an array");
        switch (type) {
            case u8: return list<std::uint8_t, std::int64_t>(key, length);
            case i8: return list<std::int8_t, std::int64_t>(key, length);
            case u16: return list<std::uint16_t, std::int64_t>(key, length);
            case i16: return list<std::int16_t, std::int64_t>(key, length);
            case u32: return list<std::uint32_t, std::int64_t>(key, length);
            case i32: return list<std::int32_t, std::int64_t>(key, length);
            case u64: return list<std::uint64_t, std::int64_t>(key, length);
            case i64: return list<std::int64_t>(key, length);
            case f32: return list<float, double>(key, length);
            case f64: return list<double>(key, length);
            case boolean: return list<bool>(key, length, 1);
            case text: return list<std::string>(key, length, sizeof(std::uint64_t));
            case array: fail(at, "{}: an array of arrays", key);
            default: fail(at, "{}: unknown type of value {}", key, type);
        }
    }

    void read_tensor(GgufHeader& header) {
        const std::size_t at = cursor_.position();
        GgufTensor tensor;
        tensor.info.name = name("a tensor's name");
        if (!tensor_names_.insert(tensor.info.name).second) fail(at, "duplicate tensor {}", tensor.info.name);
        const auto rank = number<std::uint32_t>("the number of dimensions");
        if (rank < 1 || rank > 4) fail(at, "tensor {} has {} dimensions, expected 1 to 4", tensor.info.name, rank);
        for (std::uint32_t i = 0; i < rank; ++i) {
            const auto size = number<std::uint64_t>("a dimension");
            if (size < 1 || size > std::uint64_t(std::numeric_limits<std::int64_t>::max()))
                fail(at, "tensor {}: dimension {} is {}, expected 1 to 2^63 - 1", tensor.info.name, i, static_cast<std::int64_t>(size));
            tensor.info.shape.insert(tensor.info.shape.begin(), static_cast<std::int64_t>(size));  // stored innermost first
        }
        const auto type = number<std::uint32_t>("the type of a tensor");
        tensor.type = find_gguf_type(type);
        if (tensor.type == nullptr) fail(at, "tensor {} has the unknown type {}", tensor.info.name, type);
        tensor.info.dtype = tensor.type->name;
        tensor.bytes = bytes_of(tensor, at);
        tensor.begin = number<std::uint64_t>("the offset of a tensor");
        header.tensors.push_back(std::move(tensor));
    }

    std::uint64_t bytes_of(const GgufTensor& tensor, std::size_t at) const {
        const auto block = static_cast<std::uint64_t>(tensor.type->elements);
        const auto row = static_cast<std::uint64_t>(tensor.info.shape.back());
        if (row % block != 0)
            fail(at, "tensor {}: rows of {} numbers are not whole blocks of {}, which {} has", tensor.info.name, row, block, tensor.type->name);
        std::optional<std::uint64_t> bytes = checked_multiply(row / block, static_cast<std::uint64_t>(tensor.type->bytes));
        for (std::size_t i = 0; i + 1 < tensor.info.shape.size() && bytes; ++i)
            bytes = checked_multiply(*bytes, static_cast<std::uint64_t>(tensor.info.shape[i]));
        if (!bytes || *bytes > file_size_)
            fail(at, "tensor {} of shape {} in {} is larger than the file, which has {} bytes", tensor.info.name, shape_text(tensor.info.shape),
                 tensor.type->name, file_size_);
        return *bytes;
    }

    std::uint64_t alignment_of(const GgufHeader& header) const {
        const auto found = header.values.find("general.alignment");
        if (found == header.values.end()) return default_alignment;
        const auto* value = std::get_if<std::int64_t>(&found->second);
        if (value == nullptr || *value < 8 || *value > std::int64_t(max_alignment) || (*value & (*value - 1)) != 0)
            throw_error(ExitCode::bad_data, "{}: general.alignment is {}, expected a power of two from 8 to {}", path_,
                        value == nullptr ? "not an integer" : fmt::format("{}", *value), max_alignment);
        return static_cast<std::uint64_t>(*value);
    }

    // Offsets become places in the file: aligned, behind the header, inside, without overlap.
    void lay_out(GgufHeader& header) const {
        const std::uint64_t alignment = alignment_of(header);
        header.data_begin = *round_up(cursor_.position(), alignment);  // both far below 2^63
        std::sort(header.tensors.begin(), header.tensors.end(), [](const GgufTensor& a, const GgufTensor& b) { return a.begin < b.begin; });
        std::uint64_t reached = header.data_begin;
        for (GgufTensor& tensor : header.tensors) {
            const std::string shown = fmt::format("{}: tensor {} at offset {}", path_, tensor.info.name, tensor.begin);
            if (tensor.begin % alignment != 0) throw_error(ExitCode::bad_data, "{}: not a multiple of the alignment, {}", shown, alignment);
            const auto begin = checked_add(tensor.begin, header.data_begin);
            const auto end = begin ? checked_add(*begin, tensor.bytes) : std::nullopt;
            if (!end || *end > file_size_)
                throw_error(ExitCode::bad_data, "{}: its {} bytes reach beyond the file, which has {} bytes: the file is truncated", shown,
                            tensor.bytes, file_size_);
            if (*begin < reached)
                throw_error(ExitCode::bad_data, "{}: overlaps the tensor before, which ends at {}", shown, reached - header.data_begin);
            tensor.begin = *begin;
            reached = *end;
        }
    }

    Cursor cursor_;
    std::uint64_t file_size_;
    const std::string& path_;
    std::unordered_set<std::string> tensor_names_;
};

}  // namespace

GgufHeader parse_gguf_header(std::string_view head, std::uint64_t file_size, const std::string& path) {
    return HeaderParser(head, file_size, path).parse();
}

}  // namespace temper
