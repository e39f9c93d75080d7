#include "kernels/algorithm_table.h"

#include <cstring>

#include "kernels/error.h"

namespace temper::cuda {
namespace {

constexpr char kMagic[] = "temper products 2\n";
constexpr std::size_t kMagicBytes = sizeof kMagic - 1;
constexpr std::size_t kMostText = 4096, kMostEntries = 1 << 20;

template <class T> void append(std::string& bytes, const T& value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes.append(raw, sizeof value);
}

// FNV-1a: finds damage, not malice.
std::uint64_t checksum_of(std::string_view bytes) {
    std::uint64_t sum = 0xcbf29ce484222325u;
    for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
    return sum;
}

void append_text(std::string& bytes, const std::string& text) {
    append(bytes, static_cast<std::uint32_t>(text.size()));
    bytes += text;
}

class Reader {
  public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}
    std::string_view piece(std::size_t size) {
        if (size > bytes_.size()) throw_error(ExitCode::bad_data, "table of matrix products: it ends {} bytes before its end", size - bytes_.size());
        const std::string_view piece = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return piece;
    }
    template <class T> T number() {
        T value;
        std::memcpy(&value, piece(sizeof(T)).data(), sizeof value);
        return value;
    }
    std::string text() {
        const auto size = number<std::uint32_t>();
        if (size > kMostText) throw_error(ExitCode::bad_data, "table of matrix products: a name of {} bytes, expected at most {}", size, kMostText);
        return std::string(piece(size));
    }
    std::size_t left() const { return bytes_.size(); }

  private:
    std::string_view bytes_;
};

// The small fields in a byte.
std::uint8_t flags_of(const ProductKey& key) {
    return static_cast<std::uint8_t>((key.dtype == DType::bf16 ? 1 : 0) | (key.out == DType::bf16 ? 2 : 0) | (key.a_transposed ? 4 : 0) |
                                     (key.b_transposed ? 8 : 0) | (key.has_c ? 16 : 0) | (key.has_bias ? 32 : 0));
}

ProductKey key_of_flags(std::uint8_t flags) {
    if (flags > 63) throw_error(ExitCode::bad_data, "table of matrix products: the kind of a product is {}, expected at most 63", flags);
    const auto is_set = [flags](int bit) { return (flags & bit) != 0; };
    ProductKey key;
    key.dtype = is_set(1) ? DType::bf16 : DType::f32;
    key.out = is_set(2) ? DType::bf16 : DType::f32;
    key.a_transposed = is_set(4);
    key.b_transposed = is_set(8);
    key.has_c = is_set(16);
    key.has_bias = is_set(32);
    return key;
}

}  // namespace

const AlgorithmTable::Algorithm* AlgorithmTable::find(const ProductKey& key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : &found->second;
}

std::string AlgorithmTable::to_bytes() const {
    std::string bytes(kMagic, kMagicBytes);
    append_text(bytes, library_);
    append_text(bytes, device_);
    append(bytes, static_cast<std::uint64_t>(entries_.size()));
    for (const auto& [key, algorithm] : entries_) {
        append(bytes, flags_of(key));
        append(bytes, key.columns);
        append(bytes, key.depth);
        append(bytes, algorithm);
    }
    append(bytes, checksum_of(bytes));
    return bytes;
}

AlgorithmTable AlgorithmTable::from_bytes(std::string_view bytes) {
    if (bytes.substr(0, kMagicBytes) != std::string_view(kMagic, kMagicBytes))
        throw_error(ExitCode::bad_data, "table of matrix products: expected to begin with \"temper products 2\"");
    Reader reader(bytes.substr(kMagicBytes));
    std::string library = reader.text(), device = reader.text();
    AlgorithmTable table(std::move(library), std::move(device));
    const auto count = reader.number<std::uint64_t>();
    if (count > kMostEntries) throw_error(ExitCode::bad_data, "table of matrix products: {} entries, expected at most {}", count, kMostEntries);
    for (std::uint64_t i = 0; i < count; ++i) {
        ProductKey key = key_of_flags(reader.number<std::uint8_t>());
        key.columns = reader.number<std::int64_t>();
        key.depth = reader.number<std::int64_t>();
        if (key.columns < 0 || key.depth < 0 || (i > 0 && !(table.entries_.rbegin()->first < key)))
            throw_error(ExitCode::bad_data, "table of matrix products: entry {} ({} columns, depth {}) is out of order", i, key.columns, key.depth);
        table.keep(key, reader.number<Algorithm>());
    }
    const auto checksum = reader.number<std::uint64_t>();
    if (reader.left() > 0) throw_error(ExitCode::bad_data, "table of matrix products: {} bytes behind its {} entries", reader.left(), count);
    if (checksum != checksum_of(bytes.substr(0, bytes.size() - sizeof checksum)))
        throw_error(ExitCode::bad_data, "table of matrix products: its checksum does not hold, it is damaged");
    return table;
}

AlgorithmTable AlgorithmTable::only(const std::vector<ProductKey>& keys) const {
    AlgorithmTable part(library_, device_);
    for (const ProductKey& key : keys)
        if (const Algorithm* const found = find(key)) part.keep(key, *found);
    return part;
}

}  // namespace temper::cuda
