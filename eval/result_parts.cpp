#include "eval/result_parts.h"

#include <algorithm>
#include <cstring>

#include "io/durable.h"
#include "kernels/error.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

// The file: this header, the rows' bytes, the ends of their texts (i64), the texts, SHA-256 of all of it in hexadecimal.
struct Header {
    char magic[8] = {'T', 'M', 'P', 'R', 'P', 'A', 'R', '1'};
    std::int64_t first = 0, rows = 0, width = 0, texts = 0, tokens = 0, cut = 0;
};
constexpr std::size_t hash_size = 64;

// Nothing where the file is not a whole part.
bool read_part(const fs::path& path, std::int64_t width, PartRows& part) {
    std::string bytes;
    try {
        bytes = read_file(path, std::size_t(1) << 32);
    } catch (const Error&) {
        return false;
    }
    Header header;
    const Header known;
    if (bytes.size() < sizeof header + hash_size) return false;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.magic, known.magic, sizeof known.magic) != 0 || header.width != width) return false;
    const std::size_t body = bytes.size() - hash_size;
    if (sha256_hex({bytes.data(), body}) != std::string_view(bytes.data() + body, hash_size)) return false;
    const auto rows = static_cast<std::size_t>(header.rows), fixed = rows * static_cast<std::size_t>(width);
    const char* at = bytes.data() + sizeof header;
    part.first = header.first;
    part.width = width;
    part.totals = {header.tokens, header.cut};
    part.fixed.assign(at, fixed);
    part.ends.resize(rows);
    std::memcpy(part.ends.data(), at + fixed, rows * sizeof(std::int64_t));
    part.texts.assign(at + fixed + rows * sizeof(std::int64_t), static_cast<std::size_t>(header.texts));
    return true;
}

}  // namespace

std::string_view PartRows::text(std::int64_t row) const {
    const auto index = static_cast<std::size_t>(row);
    const auto begin = static_cast<std::size_t>(row == 0 ? 0 : ends[index - 1]);
    return std::string_view(texts).substr(begin, static_cast<std::size_t>(ends[index]) - begin);
}

void PartRows::add(std::string_view fixed_bytes, std::string_view text) {
    fixed += fixed_bytes;
    texts += text;
    ends.push_back(static_cast<std::int64_t>(texts.size()));
}

void PartRows::clear(std::int64_t next_first) {
    first = next_first;
    fixed.clear();
    texts.clear();
    ends.clear();
    totals = {};
}

void write_part(const fs::path& directory, const PartRows& part) {
    Header header;
    header.first = part.first;
    header.rows = part.rows();
    header.width = part.width;
    header.texts = static_cast<std::int64_t>(part.texts.size());
    header.tokens = part.totals.tokens;
    header.cut = part.totals.cut;
    std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
    bytes += part.fixed;
    bytes.append(reinterpret_cast<const char*>(part.ends.data()), part.ends.size() * sizeof(std::int64_t));
    bytes += part.texts;
    bytes += sha256_hex(bytes);
    write_durable(directory / fmt::format("rows-{:012}-{}.part", part.first, part.rows()), bytes);
}

std::vector<PartInfo> find_parts(const fs::path& directory, std::int64_t width) {
    std::vector<PartInfo> parts;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
        PartRows part;
        if (entry->path().extension() == ".part" && read_part(entry->path(), width, part))
            parts.push_back({entry->path(), {part.first, part.rows()}});
    }
    std::sort(parts.begin(), parts.end(), [](const PartInfo& a, const PartInfo& b) { return a.rows.first < b.rows.first; });
    return parts;
}

std::vector<RowRange> ranges_of(const std::vector<PartInfo>& parts) {
    std::vector<RowRange> ranges;
    for (const PartInfo& part : parts) ranges.push_back(part.rows);
    return ranges;
}

PartTotals read_parts(const std::vector<PartInfo>& parts, std::int64_t width, std::int64_t rows, std::int64_t block,
                      const std::function<void(const PartRows&)>& take) {
    PartTotals totals;
    PartRows part, given;
    given.width = width;
    std::int64_t at = 0;
    for (const PartInfo& info : parts) {
        if (info.rows.end() <= at) continue;  // all of it is there already
        if (info.rows.first > at || !read_part(info.path, width, part)) break;
        totals.tokens += part.totals.tokens;
        totals.cut += part.totals.cut;
        for (std::int64_t row = at - part.first; row < part.rows(); ++row, ++at) {
            given.add(std::string_view(part.fixed).substr(static_cast<std::size_t>(row * width), static_cast<std::size_t>(width)), part.text(row));
            if (given.rows() < block) continue;
            take(given);
            given.clear(at + 1);
        }
    }
    if (given.rows() > 0) take(given);
    if (at != rows) throw_error(ExitCode::io_error, "row {} is in no part that can be read: run again, it will be made anew", at);
    return totals;
}

}  // namespace temper
