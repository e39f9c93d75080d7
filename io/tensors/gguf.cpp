#include "io/tensors/gguf.h"

#include <algorithm>
#include <limits>

#include "io/input_file.h"
#include "io/tensors/gguf_header.h"
#include "io/tensors/tensor_decode.h"

namespace temper {

namespace {

constexpr std::uint64_t first_head = std::uint64_t(1) << 22, head_limit = std::uint64_t(1) << 28;

// The header's length is known when it has been parsed: a longer head is read until it suffices.
GgufHeader read_header(const InputFile& file) {
    for (std::uint64_t bytes = first_head; bytes <= head_limit; bytes *= 4) {
        try {
            return parse_gguf_header(file.read_at(0, std::min(bytes, file.size())), file.size(), file.path().string());
        } catch (const GgufHeadTooShort&) {}
    }
    throw_error(ExitCode::bad_data, "{}: the metadata has more than {} bytes", file.path().string(), head_limit);
}

const char* kind_of(const GgufValue& value) {
    constexpr const char* kinds[] = {"a truth value", "an integer",         "an integer beyond int64", "a float",        "a text",
                                     "truth values",  "a list of integers", "a list of floats",        "a list of texts"};
    return kinds[value.index()];
}

}  // namespace

struct GgufFile::Impl {
    explicit Impl(const std::filesystem::path& path) : file(path), header(read_header(file)) {
        for (std::size_t i = 0; i < header.tensors.size(); ++i) index[header.tensors[i].info.name] = i;
    }

    const GgufValue* find(const std::string& key) const {
        const auto found = header.values.find(key);
        return found == header.values.end() ? nullptr : &found->second;
    }
    // Null when the key is absent.
    template <class T> const T* get(const std::string& key, const char* expected) const {
        const GgufValue* value = find(key);
        if (value == nullptr) return nullptr;
        if (const T* found = std::get_if<T>(value)) return found;
        refuse(key, *value, expected);
    }
    [[noreturn]] void refuse(const std::string& key, const GgufValue& value, const char* expected) const {
        throw_error(ExitCode::bad_data, "{}: {} is {}, expected {}", file.path().string(), key, kind_of(value), expected);
    }
    template <class T> static std::optional<T> copy(const T* value) { return value == nullptr ? std::nullopt : std::optional<T>(*value); }

    InputFile file;
    GgufHeader header;
    std::unordered_map<std::string, std::size_t> index;
};

GgufFile::GgufFile(const std::filesystem::path& path) : impl_(std::make_unique<Impl>(path)) {}
GgufFile::~GgufFile() = default;

std::optional<std::string> GgufFile::text(const std::string& key) const { return Impl::copy(impl_->get<std::string>(key, "a text")); }
std::optional<std::int64_t> GgufFile::integer(const std::string& key) const { return Impl::copy(impl_->get<std::int64_t>(key, "an integer")); }
std::optional<bool> GgufFile::boolean(const std::string& key) const { return Impl::copy(impl_->get<bool>(key, "a truth value")); }

std::optional<double> GgufFile::number(const std::string& key) const {
    const GgufValue* value = impl_->find(key);
    if (value == nullptr) return std::nullopt;
    if (const auto* whole = std::get_if<std::int64_t>(value)) return static_cast<double>(*whole);
    return Impl::copy(impl_->get<double>(key, "a number"));
}

std::vector<std::string> GgufFile::texts(const std::string& key) const {
    return Impl::copy(impl_->get<std::vector<std::string>>(key, "a list of texts")).value_or(std::vector<std::string>());
}

std::vector<std::int32_t> GgufFile::integers(const std::string& key) const {
    const auto* stored = impl_->get<std::vector<std::int64_t>>(key, "a list of integers");
    std::vector<std::int32_t> result;
    if (stored == nullptr) return result;
    result.reserve(stored->size());
    for (const std::int64_t value : *stored) {
        if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max())
            throw_error(ExitCode::bad_data, "{}: {} holds {}, which does not fit into int32", describe(), key, value);
        result.push_back(static_cast<std::int32_t>(value));
    }
    return result;
}

std::vector<float> GgufFile::numbers(const std::string& key) const {
    const GgufValue* value = impl_->find(key);
    std::vector<float> result;
    const auto add_all = [&](const auto& stored) {
        for (const auto item : stored) result.push_back(static_cast<float>(item));
    };
    if (value == nullptr) return result;
    if (const auto* whole = std::get_if<std::vector<std::int64_t>>(value)) add_all(*whole);
    else if (const auto* stored = impl_->get<std::vector<double>>(key, "a list of numbers")) add_all(*stored);
    return result;
}

std::vector<std::string> GgufFile::names() const {
    std::vector<std::string> names;
    for (const GgufTensor& tensor : impl_->header.tensors) names.push_back(tensor.info.name);
    std::sort(names.begin(), names.end());
    return names;
}

const TensorInfo* GgufFile::find(const std::string& name) const {
    const auto found = impl_->index.find(name);
    return found == impl_->index.end() ? nullptr : &impl_->header.tensors[found->second].info;
}

void GgufFile::read(const std::string& name, View destination) const {
    const auto found = impl_->index.find(name);
    if (found == impl_->index.end()) throw_error(ExitCode::missing_input, "{}: no tensor {}", describe(), name);
    const GgufTensor& tensor = impl_->header.tensors[found->second];
    check_destination(describe(), tensor.info, destination);
    if (tensor.type->encoding == nullptr)
        throw_error(ExitCode::bad_data, "{}: tensor {} is stored as {}, expected one of {}; requantise the file to one of these", describe(), name,
                    tensor.info.dtype, decoded_gguf_types());
    decode_tensor(impl_->file, tensor.begin, *tensor.type->encoding, destination);
}

QuantFormat GgufFile::kept_as(const std::string& name) const {
    const auto found = impl_->index.find(name);
    return {found == impl_->index.end() ? nullptr : impl_->header.tensors[found->second].type->encoding};
}

void GgufFile::read_quantized(const std::string& name, QuantMatrix& to) const {
    const auto found = impl_->index.find(name);
    if (found == impl_->index.end()) throw_error(ExitCode::missing_input, "{}: no tensor {}", describe(), name);
    const GgufTensor& tensor = impl_->header.tensors[found->second];
    to = QuantMatrix();
    to.view.format = kept_as(name);
    if (to.view.format.encoding == nullptr || tensor.info.shape.size() != 2)
        throw_error(ExitCode::internal, "{}: tensor {} of {} is no matrix of blocks", describe(), name, tensor.info.dtype);
    to.view.out = tensor.info.shape[0];
    to.view.in = tensor.info.shape[1];
    to.data.resize(static_cast<std::size_t>(tensor.bytes));
    impl_->file.read_at(tensor.begin, to.data.data(), to.data.size());
    to.point_view();
}

std::string GgufFile::describe() const { return impl_->file.path().string(); }

}  // namespace temper
