#include "io/tensors/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include "io/checked.h"
#include "io/jsonl.h"
#include "io/tensors/tensor_decode.h"

namespace temper {

namespace {

struct Stored {
    const char* dtype;
    std::uint64_t bits;
};
constexpr Stored known_dtypes[] = {
    {"BOOL", 8}, {"U8", 8},      {"I8", 8},      {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
    {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"I16", 16},    {"U16", 16},    {"F16", 16},    {"BF16", 16},       {"I32", 32},
    {"U32", 32}, {"F32", 32},    {"I64", 64},    {"U64", 64},    {"F64", 64},    {"C64", 64},
};

// What is wrong with one tensor, after the path and its name.
struct TensorProblem {
    const std::string& path;
    const std::string& name;
    template <class... Args> [[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) const {
        throw_error(ExitCode::bad_data, "{}: tensor \"{}\": {}", path, name, fmt::format(format, std::forward<Args>(args)...));
    }
};

std::uint64_t bits_of(const TensorProblem& problem, const Json& dtype) {
    if (!dtype.is_string()) problem.fail("dtype is {}, expected a string", dtype.dump());
    for (const Stored& known : known_dtypes)
        if (dtype.get_ref<const std::string&>() == known.dtype) return known.bits;
    problem.fail("unknown dtype {}", dtype.dump());
}

std::vector<std::uint64_t> numbers_of(const TensorProblem& problem, const char* field, const Json& list) {
    constexpr std::uint64_t limit = std::numeric_limits<std::int64_t>::max();
    std::vector<std::uint64_t> numbers;
    if (!list.is_array()) problem.fail("{} is {}, expected a list of numbers", field, list.type_name());
    for (const Json& item : list) {
        if (!item.is_number_unsigned() || item.get<std::uint64_t>() > limit)
            problem.fail("{} holds {}, expected an integer from 0 to {}", field, item.dump(), limit);
        numbers.push_back(item.get<std::uint64_t>());
    }
    return numbers;
}

struct Parsed {
    SafetensorsEntry entry;  // begin counts from the start of the data
    std::uint64_t end = 0;
};

Parsed parse_tensor(const std::string& path, const std::string& name, const Json& fields) {
    const TensorProblem problem{path, name};
    if (!fields.is_object()) problem.fail("{}, expected an object", fields.type_name());
    for (const auto& [key, value] : fields.items())
        if (key != "dtype" && key != "shape" && key != "data_offsets") problem.fail("unknown field \"{}\"", key);
    for (const char* key : {"dtype", "shape", "data_offsets"})
        if (!fields.contains(key)) problem.fail("field \"{}\" is missing", key);

    const std::uint64_t bits = bits_of(problem, fields["dtype"]);
    const std::vector<std::uint64_t> shape = numbers_of(problem, "shape", fields["shape"]);
    const std::vector<std::uint64_t> offsets = numbers_of(problem, "data_offsets", fields["data_offsets"]);
    if (offsets.size() != 2) problem.fail("data_offsets has {} numbers, expected 2", offsets.size());

    std::optional<std::uint64_t> total_bits = bits;
    for (const std::uint64_t size : shape)
        if (total_bits) total_bits = checked_multiply(*total_bits, size);
    const std::string shown = fmt::format("({})", fmt::join(shape, ", "));
    if (!total_bits) problem.fail("shape {} overflows", shown);
    if (*total_bits == 0) problem.fail("shape {} has no elements", shown);
    if (*total_bits % 8 != 0) problem.fail("shape {} of {} bits each does not fill whole bytes", shown, bits);
    if (offsets[1] < offsets[0] || offsets[1] - offsets[0] != *total_bits / 8)
        problem.fail("data_offsets [{}, {}) do not hold the {} bytes of shape {} in {}", offsets[0], offsets[1], *total_bits / 8, shown,
                     fields["dtype"].get_ref<const std::string&>());

    Parsed parsed;
    parsed.entry.info = {name, fields["dtype"].get<std::string>(), std::vector<std::int64_t>(shape.begin(), shape.end())};
    parsed.entry.begin = offsets[0];
    parsed.entry.bytes = offsets[1] - offsets[0];
    parsed.end = offsets[1];
    return parsed;
}

std::map<std::string, std::string> parse_metadata(const std::string& path, const Json& fields) {
    std::map<std::string, std::string> metadata;
    if (fields.is_null()) return metadata;
    if (!fields.is_object()) throw_error(ExitCode::bad_data, "{}: __metadata__ is {}, expected an object", path, fields.type_name());
    for (const auto& [key, value] : fields.items()) {
        if (!value.is_string()) throw_error(ExitCode::bad_data, "{}: __metadata__: \"{}\" is {}, expected a string", path, key, value.type_name());
        metadata[key] = value.get<std::string>();
    }
    return metadata;
}

}  // namespace

std::uint64_t parse_safetensors_length(std::string_view first_bytes, std::uint64_t file_size, const std::string& path) {
    const std::optional<std::uint64_t> length = Cursor(first_bytes).number<std::uint64_t>();
    if (file_size < 8 || !length) throw_error(ExitCode::bad_data, "{}: {} bytes, too short for a safetensors header", path, file_size);
    if (*length > safetensors_header_limit)
        throw_error(ExitCode::bad_data, "{}: header of {} bytes, expected at most {}; is it a safetensors file?", path, *length,
                    safetensors_header_limit);
    if (*length > file_size - 8)
        throw_error(ExitCode::bad_data, "{}: header of {} bytes in a file of {}: the file is truncated", path, *length, file_size);
    return *length;
}

SafetensorsHeader parse_safetensors_header(std::string_view json, std::uint64_t file_size, const std::string& path) {
    if (json.empty() || json.front() != '{') throw_error(ExitCode::bad_data, "{}: the header does not begin with {{", path);
    const Json root = parse_json(json, path + ": header", {safetensors_header_limit, 8});
    constexpr std::size_t max_tensors = 1'000'000;
    if (root.size() > max_tensors) throw_error(ExitCode::bad_data, "{}: {} tensors, expected at most {}", path, root.size(), max_tensors);

    SafetensorsHeader header;
    std::vector<Parsed> tensors;
    for (const auto& [name, fields] : root.items()) {
        if (name == "__metadata__") header.metadata = parse_metadata(path, fields);
        else tensors.push_back(parse_tensor(path, name, fields));
    }
    std::sort(tensors.begin(), tensors.end(), [](const Parsed& a, const Parsed& b) { return a.entry.begin < b.entry.begin; });

    const std::uint64_t data_begin = 8 + json.size(), data_size = file_size - data_begin;
    std::uint64_t reached = 0;
    for (Parsed& tensor : tensors) {
        const TensorProblem problem{path, tensor.entry.info.name};
        if (tensor.entry.begin != reached)
            problem.fail("data_offsets [{}, {}) {} at {}", tensor.entry.begin, tensor.end,
                         tensor.entry.begin < reached ? "overlap the tensor before, which ends" : "leave a hole behind the tensor before, which ends",
                         reached);
        reached = tensor.end;
        if (reached > data_size)
            problem.fail("data_offsets [{}, {}) reach beyond the file, which has {} bytes of data: the file is truncated", tensor.entry.begin,
                         tensor.end, data_size);
        tensor.entry.begin += data_begin;
        header.entries.push_back(std::move(tensor.entry));
    }
    if (reached != data_size) throw_error(ExitCode::bad_data, "{}: {} bytes of data, but its tensors end at {}", path, data_size, reached);
    return header;
}

}  // namespace temper
