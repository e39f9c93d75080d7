#include "train/token_file.h"

#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/comm/keep_alive.h"
#include "io/durable.h"
#include "io/json_section.h"
#include "io/sha256.h"
#include "kernels/error.h"
#include "runs/stop_signal.h"
#include "train/cache_files.h"

namespace temper {
namespace {

// The file: magic, length of the header, header (JSON), then 8-byte aligned offsets (rows * lists + 1 i64), lines (rows i64), ids (i32),
// marks (u8).
constexpr char magic[8] = {'T', 'M', 'P', 'R', 'T', 'O', 'K', '4'};

std::size_t aligned(std::size_t size) { return (size + 7) / 8 * 8; }

void write_body(const TokenTable& rows, const Sink& sink) {
    static constexpr char zeros[8] = {};
    const auto write = [&](const void* data, std::size_t size) {
        if (size > 0) sink({static_cast<const char*>(data), size});
        if (aligned(size) > size) sink({zeros, aligned(size) - size});
    };
    write(rows.offsets.data(), rows.offsets.size() * sizeof(std::int64_t));
    write(rows.lines.data(), rows.lines.size() * sizeof(std::int64_t));
    write(rows.ids.data(), rows.ids.size() * sizeof(std::int32_t));
    write(rows.marks.data(), rows.marks.size());
}

// Piece by piece: the tokens of a large data set stand in memory once.
void write_file(const TokenTable& rows, const std::string& key, const Sink& sink) {
    Sha256 body;
    write_body(rows, [&](std::string_view piece) { body.update(piece); });
    Json header;
    header["key"] = key;
    header["rows"] = rows.lines.size();
    header["lists_of_row"] = rows.lists_of_row;
    header["tokens"] = rows.ids.size();
    header["marks"] = rows.marks.size();
    header["report"] = report_to_json(rows.report);
    header["template_sha256"] = rows.template_sha256;
    header["sources"] = Json::array();
    for (const DataSource& source : rows.sources) header["sources"].push_back(source_to_json(source));
    header["body_sha256"] = body.hex();
    std::string text = header.dump();
    text.resize(aligned(text.size()), ' ');
    const std::uint64_t length = text.size();
    sink({magic, sizeof magic});
    sink({reinterpret_cast<const char*>(&length), sizeof length});
    sink(text);
    write_body(rows, sink);
}

}  // namespace

void TokenTable::add_list(Span<const std::int32_t> list) {
    ids.insert(ids.end(), list.begin(), list.end());
    offsets.push_back(static_cast<std::int64_t>(ids.size()));
}

struct TokenFile::Impl {
    std::string memory;  // used when there is no cache file
    const char* mapped = nullptr;
    std::size_t mapped_size = 0;
    std::int64_t rows = 0, lists = 1;
    const std::int64_t* offsets = nullptr;
    const std::int64_t* lines = nullptr;
    const std::int32_t* ids = nullptr;
    const std::uint8_t* marks = nullptr;
    DataReport report;
    std::vector<DataSource> sources;
    std::string key, template_sha256;

    ~Impl() {
        if (mapped != nullptr) munmap(const_cast<char*>(mapped), mapped_size);
    }

    // False when the bytes are not a whole cache file of this key.
    bool attach(const char* data, std::size_t size, const std::string& expected_key) {
        std::uint64_t header_length = 0;
        constexpr std::size_t fixed = sizeof magic + sizeof header_length;
        if (size < fixed || std::memcmp(data, magic, sizeof magic) != 0) return false;
        std::memcpy(&header_length, data + sizeof magic, sizeof header_length);
        if (header_length > size - fixed) return false;
        const Json header = Json::parse(std::string_view(data + fixed, header_length), nullptr, false);
        if (header.is_discarded() || !header.is_object() || header.value("key", "") != expected_key) return false;
        const std::string_view body(data + fixed + header_length, size - fixed - header_length);
        if (sha256_hex(body) != header.value("body_sha256", "")) return false;
        const JsonSection section(header, "tokens");
        const auto count = [&](const char* name) { return static_cast<std::size_t>(section.integer(name, 0, INT32_MAX * std::int64_t{64})); };
        const std::size_t row_count = count("rows"), token_count = count("tokens"), mark_count = count("marks"), list_count = count("lists_of_row");
        const std::size_t lines_at = (row_count * list_count + 1) * sizeof(std::int64_t), ids_at = lines_at + row_count * sizeof(std::int64_t);
        const std::size_t marks_at = aligned(ids_at + token_count * sizeof(std::int32_t));
        if (marks_at + aligned(mark_count) != body.size()) return false;
        rows = static_cast<std::int64_t>(row_count);
        lists = static_cast<std::int64_t>(list_count);
        offsets = reinterpret_cast<const std::int64_t*>(body.data());
        lines = reinterpret_cast<const std::int64_t*>(body.data() + lines_at);
        ids = reinterpret_cast<const std::int32_t*>(body.data() + ids_at);
        marks = reinterpret_cast<const std::uint8_t*>(body.data() + marks_at);
        report = report_from_json(header.at("report"));
        for (const Json& source : header.at("sources")) sources.push_back(source_from_json(source));
        template_sha256 = header.at("template_sha256").get<std::string>();
        key = expected_key;
        return true;
    }

    bool map(const std::filesystem::path& path, const std::string& expected_key) {
        const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (file < 0) return false;
        struct stat status {};
        const bool known = fstat(file, &status) == 0 && status.st_size > 0;
        void* address = known ? mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file, 0) : MAP_FAILED;
        ::close(file);
        if (address == MAP_FAILED) return false;
        mapped = static_cast<const char*>(address);
        mapped_size = static_cast<std::size_t>(status.st_size);
        try {
            return attach(mapped, mapped_size, expected_key);
        } catch (const std::exception&) {
            return false;  // a damaged header: the file is made again
        }
    }
};

TokenFile::TokenFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TokenFile::TokenFile(TokenFile&&) noexcept = default;
TokenFile& TokenFile::operator=(TokenFile&&) noexcept = default;
TokenFile::~TokenFile() = default;

TokenFile TokenFile::open(const std::filesystem::path& directory, const std::string& key, Comm& comm,
                          const std::function<TokenTable(const std::function<void()>&)>& build) {
    const std::filesystem::path path = directory / fmt::format("tokens-{}.bin", key.substr(0, 32));
    auto impl = std::make_unique<Impl>();
    const bool known = comm.rank() == 0 && impl->map(path, key);
    if (known) touch_cache(path);
    if (comm.rank() == 0 && !known) {
        KeepAlive alive(comm);  // many gigabytes take longer to tokenise than a peer waits in silence
        impl = std::make_unique<Impl>();
        const TokenTable rows = build([&] {
            if (stop_requested() != 0)
                throw_error(ExitCode::requeue, "stopped by a signal while rows were made tokens: run again, they are made anew");
            alive.beat();
        });
        alive.beat();
        std::error_code ignored;
        std::filesystem::create_directories(directory, ignored);
        write_durable(path, [&](const Sink& sink) {
            write_file(rows, key, [&](std::string_view piece) {
                sink(piece);
                alive.beat();
            });
        });
        alive.beat();
        remove_unused_caches(directory);
        if (!impl->map(path, key)) throw_error(ExitCode::io_error, "{}: the token cache does not read back as it was written", path.string());
    }
    KeepAlive::release(comm);
    if (comm.rank() != 0 && !impl->map(path, key))
        throw_error(ExitCode::io_error,
                    "{}: the token cache that rank 0 wrote cannot be read here: is output_dir on a file system that all ranks share?", path.string());
    return TokenFile(std::move(impl));
}

TokenFile TokenFile::in_memory(const TokenTable& table) {
    auto impl = std::make_unique<Impl>();
    Sha256 body;
    write_body(table, [&](std::string_view piece) { body.update(piece); });
    const std::string key = body.hex();
    write_file(table, key, [&](std::string_view piece) { impl->memory += piece; });
    impl->attach(impl->memory.data(), impl->memory.size(), key);
    return TokenFile(std::move(impl));
}

std::int64_t TokenFile::rows() const { return impl_->rows; }
std::int64_t TokenFile::lists_of_row() const { return impl_->lists; }
Span<const std::int32_t> TokenFile::list(std::int64_t row, std::int64_t which) const {
    const std::int64_t* bounds = impl_->offsets + row * impl_->lists + which;
    return {impl_->ids + bounds[0], static_cast<std::size_t>(bounds[1] - bounds[0])};
}
std::int64_t TokenFile::begin(std::int64_t row) const { return impl_->offsets[row * impl_->lists]; }
const std::uint8_t* TokenFile::marks() const { return impl_->marks; }
std::string TokenFile::source_line(std::int64_t row) const {
    const std::int64_t packed = impl_->lines[row];
    return fmt::format("{}:{}", impl_->sources[static_cast<std::size_t>(packed >> 40)].path, packed & ((std::int64_t{1} << 40) - 1));
}
const DataReport& TokenFile::report() const { return impl_->report; }
const std::vector<DataSource>& TokenFile::sources() const { return impl_->sources; }
const std::string& TokenFile::key() const { return impl_->key; }
const std::string& TokenFile::template_sha256() const { return impl_->template_sha256; }

}  // namespace temper
