#include "kernels/cuda/algorithms.h"

#include <cstring>

#include "kernels/cuda/gemm.h"
#include "kernels/error.h"

namespace temper::cuda {
namespace {

constexpr char kMagic[] = "temper products 1\n";
constexpr std::size_t kMagicBytes = sizeof kMagic - 1;
constexpr std::size_t kMostText = 4096, kMostEntries = 1 << 20;

template <class T> void append(std::string& bytes, const T& value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    bytes.append(raw, sizeof value);
}

void append_text(std::string& bytes, const std::string& text) {
    append(bytes, static_cast<std::uint32_t>(text.size()));
    bytes += text;
}

class Reader {
  public:
    explicit Reader(const std::string& bytes) : bytes_(bytes) {}
    std::string text(std::size_t size) {
        if (size > bytes_.size() - next_)
            throw_error(ExitCode::bad_data, "table of products: {} bytes at {} of {} are missing; delete the file, it is made again", size, next_,
                        bytes_.size());
        next_ += size;
        return bytes_.substr(next_ - size, size);
    }
    template <class T> T number() {
        const std::string raw = text(sizeof(T));
        T value;
        std::memcpy(&value, raw.data(), sizeof value);
        return value;
    }
    std::string text() {
        const auto size = number<std::uint32_t>();
        if (size > kMostText) throw_error(ExitCode::bad_data, "table of products: a name of {} bytes, at most {}", size, kMostText);
        return text(size);
    }
    std::size_t left() const { return bytes_.size() - next_; }

  private:
    const std::string& bytes_;
    std::size_t next_ = 0;
};

// The small fields in a byte.
std::uint8_t flags_of(const ProductKey& key) {
    return static_cast<std::uint8_t>((key.dtype == DType::bf16 ? 1 : 0) | (key.out == DType::bf16 ? 2 : 0) | (key.a_transposed ? 4 : 0) |
                                     (key.b_transposed ? 8 : 0) | (key.has_c ? 16 : 0) | (key.has_bias ? 32 : 0));
}

ProductKey key_of_flags(std::uint8_t flags) {
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

ProductKey key_of(const Product& p) {
    return {p.a.dtype,    p.d.dtype,       p.a_transposed, p.b_transposed,
            !p.c.empty(), !p.bias.empty(), p.d.size(1),    p.chosen_depth >= 0 ? p.chosen_depth : p.b.size(p.b_transposed ? 1 : 0)};
}

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
    return bytes;
}

bool AlgorithmTable::take_bytes(const std::string& bytes) {
    Reader reader(bytes);
    if (bytes.compare(0, kMagicBytes, kMagic) != 0)
        throw_error(ExitCode::bad_data, "table of products: expected to begin with \"temper products 1\"; delete the file, it is made again");
    reader.text(kMagicBytes);
    const std::string library = reader.text(), device = reader.text();
    const auto count = reader.number<std::uint64_t>();
    if (count > kMostEntries) throw_error(ExitCode::bad_data, "table of products: {} entries, at most {}", count, kMostEntries);
    std::map<ProductKey, Algorithm> taken;
    for (std::uint64_t i = 0; i < count; ++i) {
        ProductKey key = key_of_flags(reader.number<std::uint8_t>());
        key.columns = reader.number<std::int64_t>();
        key.depth = reader.number<std::int64_t>();
        taken[key] = reader.number<Algorithm>();
    }
    if (reader.left() > 0) throw_error(ExitCode::bad_data, "table of products: {} bytes behind its {} entries", reader.left(), count);
    if (library != library_ || device != device_) return false;
    for (const auto& [key, algorithm] : taken) entries_[key] = algorithm;
    return true;
}

}  // namespace temper::cuda
