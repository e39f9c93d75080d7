#include "train/dataset.h"

#include <algorithm>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/comm/keep_alive.h"
#include "io/durable.h"
#include "io/sha256.h"
#include "kernels/error.h"
#include "train/dataset_build.h"

namespace temper {
namespace {

Json report_to_json(const DataReport& r) {
    return {{"rows", r.rows},
            {"kept", r.kept},
            {"not_drawn", r.not_drawn},
            {"repeated", r.repeated},
            {"tokens", r.tokens},
            {"supervised_tokens", r.supervised},
            {"truncated", r.truncated},
            {"tokens_cut", r.tokens_cut},
            {"dropped_overlong", r.dropped_overlong},
            {"dropped_unsupervised", r.dropped_unsupervised},
            {"no_end_token", r.no_end_token},
            {"several_bos", r.several_bos},
            {"longest", r.longest}};
}

DataReport report_from_json(const Json& j) {
    DataReport r;
    const std::pair<const char*, std::int64_t*> fields[] = {{"rows", &r.rows},
                                                            {"kept", &r.kept},
                                                            {"not_drawn", &r.not_drawn},
                                                            {"repeated", &r.repeated},
                                                            {"tokens", &r.tokens},
                                                            {"supervised_tokens", &r.supervised},
                                                            {"truncated", &r.truncated},
                                                            {"tokens_cut", &r.tokens_cut},
                                                            {"dropped_overlong", &r.dropped_overlong},
                                                            {"dropped_unsupervised", &r.dropped_unsupervised},
                                                            {"no_end_token", &r.no_end_token},
                                                            {"several_bos", &r.several_bos},
                                                            {"longest", &r.longest}};
    for (const auto& [name, target] : fields) *target = j.at(name).get<std::int64_t>();
    return r;
}

Json source_to_json(const DataSource& source) {
    return {{"path", source.path}, {"sha256", source.sha256}, {"rows", source.rows}, {"format", source.format}, {"forms", source.forms}};
}

DataSource source_from_json(const Json& j) {
    DataSource source{
        j.at("path").get<std::string>(), j.at("sha256").get<std::string>(), j.at("rows").get<std::int64_t>(), j.at("format").get<std::string>(), {}};
    for (const auto& [form, rows] : j.at("forms").items()) source.forms[form] = rows.get<std::int64_t>();
    return source;
}

// The file: magic, length of the header, header (JSON), then 8-byte aligned offsets (rows+1 i64), lines (rows i64), ids (i32), marks (u8).
constexpr char magic[8] = {'T', 'M', 'P', 'R', 'T', 'O', 'K', '3'};

std::size_t aligned(std::size_t size) { return (size + 7) / 8 * 8; }

void write_body(const TokenizedRows& rows, const Sink& sink) {
    static constexpr char zeros[8] = {};
    const auto write = [&](const void* data, std::size_t size) {
        if (size > 0) sink({static_cast<const char*>(data), size});
        if (aligned(size) > size) sink({zeros, aligned(size) - size});
    };
    write(rows.offsets.data(), rows.offsets.size() * sizeof(std::int64_t));
    write(rows.lines.data(), rows.lines.size() * sizeof(std::int64_t));
    write(rows.ids.data(), rows.ids.size() * sizeof(std::int32_t));
    write(rows.supervised.data(), rows.supervised.size());
}

// Piece by piece: the tokens of a large data set stand in memory once.
void write_cache(const TokenizedRows& rows, const std::string& key, const Sink& sink) {
    Sha256 body;
    write_body(rows, [&](std::string_view piece) { body.update(piece); });
    Json header;
    header["key"] = key;
    header["rows"] = rows.lines.size();
    header["tokens"] = rows.ids.size();
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

struct TokenDataset::Impl {
    std::string memory;  // used when there is no cache file
    const char* mapped = nullptr;
    std::size_t mapped_size = 0;
    std::int64_t rows = 0;
    const std::int64_t* offsets = nullptr;
    const std::int64_t* lines = nullptr;
    const std::int32_t* ids = nullptr;
    const std::uint8_t* supervised = nullptr;
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
        const std::size_t row_count = header.at("rows").get<std::size_t>(), token_count = header.at("tokens").get<std::size_t>();
        const std::string_view body(data + fixed + header_length, size - fixed - header_length);
        if (sha256_hex(body) != header.value("body_sha256", "")) return false;
        const std::size_t lines_at = (row_count + 1) * sizeof(std::int64_t), ids_at = lines_at + row_count * sizeof(std::int64_t);
        const std::size_t marks_at = aligned(ids_at + token_count * sizeof(std::int32_t));
        if (marks_at + aligned(token_count) != body.size()) return false;
        rows = static_cast<std::int64_t>(row_count);
        offsets = reinterpret_cast<const std::int64_t*>(body.data());
        lines = reinterpret_cast<const std::int64_t*>(body.data() + lines_at);
        ids = reinterpret_cast<const std::int32_t*>(body.data() + ids_at);
        supervised = reinterpret_cast<const std::uint8_t*>(body.data() + marks_at);
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
        return attach(mapped, mapped_size, expected_key);
    }
};

TokenDataset::TokenDataset(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TokenDataset::TokenDataset(TokenDataset&&) noexcept = default;
TokenDataset::~TokenDataset() = default;

TokenDataset TokenDataset::open(const Request& request, const Tokenizer& tokenizer, Comm& comm) {
    const std::string key = token_cache_key(request, tokenizer);
    const std::filesystem::path path = request.cache_directory / fmt::format("tokens-{}.bin", key.substr(0, 32));
    auto impl = std::make_unique<Impl>();
    if (comm.rank() == 0 && !impl->map(path, key)) {
        KeepAlive alive(comm);  // many gigabytes take longer to tokenise than a peer waits in silence
        impl = std::make_unique<Impl>();
        const TokenizedRows rows = tokenize_rows(request, tokenizer, [&] { alive.beat(); });
        alive.beat();
        std::error_code ignored;
        std::filesystem::create_directories(request.cache_directory, ignored);
        write_durable(path, [&](const Sink& sink) {
            write_cache(rows, key, [&](std::string_view piece) {
                sink(piece);
                alive.beat();
            });
        });
        alive.beat();
        if (!impl->map(path, key)) throw_error(ExitCode::io_error, "{}: the token cache does not read back as it was written", path.string());
    }
    KeepAlive::release(comm);
    if (comm.rank() != 0 && !impl->map(path, key))
        throw_error(ExitCode::io_error,
                    "{}: the token cache that rank 0 wrote cannot be read here: is output_dir on a file system that all ranks share?", path.string());
    return TokenDataset(std::move(impl));
}

TokenDataset TokenDataset::from_rows(const std::vector<TokenRow>& rows) {
    TokenizedRows all;
    all.sources.push_back({"rows", "", static_cast<std::int64_t>(rows.size()), "", {}});
    for (const TokenRow& row : rows) {
        all.ids.insert(all.ids.end(), row.ids.begin(), row.ids.end());
        all.supervised.insert(all.supervised.end(), row.supervised.begin(), row.supervised.end());
        all.offsets.push_back(static_cast<std::int64_t>(all.ids.size()));
        all.lines.push_back(static_cast<std::int64_t>(all.lines.size()) + 1);
    }
    auto impl = std::make_unique<Impl>();
    const std::string key = sha256_hex({reinterpret_cast<const char*>(all.ids.data()), all.ids.size() * sizeof(std::int32_t)});
    write_cache(all, key, [&](std::string_view piece) { impl->memory += piece; });
    impl->attach(impl->memory.data(), impl->memory.size(), key);
    return TokenDataset(std::move(impl));
}

std::int64_t TokenDataset::rows() const { return impl_->rows; }
std::int64_t TokenDataset::length(std::int64_t row) const { return impl_->offsets[row + 1] - impl_->offsets[row]; }
Span<const std::int32_t> TokenDataset::ids(std::int64_t row) const {
    return {impl_->ids + impl_->offsets[row], static_cast<std::size_t>(length(row))};
}
Span<const std::uint8_t> TokenDataset::supervised(std::int64_t row) const {
    return {impl_->supervised + impl_->offsets[row], static_cast<std::size_t>(length(row))};
}
std::int64_t TokenDataset::labels(std::int64_t row) const {
    const auto marks = supervised(row);
    return std::count(marks.begin() + 1, marks.end(), std::uint8_t{1});
}
std::string TokenDataset::source_line(std::int64_t row) const {
    // lines holds file index * 2^40 + line.
    const std::int64_t packed = impl_->lines[row];
    return fmt::format("{}:{}", impl_->sources[static_cast<std::size_t>(packed >> 40)].path, packed & ((std::int64_t{1} << 40) - 1));
}
const DataReport& TokenDataset::report() const { return impl_->report; }
const std::vector<DataSource>& TokenDataset::sources() const { return impl_->sources; }
const std::string& TokenDataset::hash() const { return impl_->key; }
const std::string& TokenDataset::template_sha256() const { return impl_->template_sha256; }

std::vector<std::int64_t> lengths_of(const TokenDataset& data) {
    std::vector<std::int64_t> lengths;
    for (std::int64_t row = 0; row < data.rows(); ++row) lengths.push_back(data.length(row));
    return lengths;
}

std::string chat_template_text(const DataConfig& data) {
    if (!data.chat_template) return "";
    const std::string& text = *data.chat_template;
    const bool is_template = text.find("{%") != std::string::npos || text.find("{{") != std::string::npos;
    return is_template ? text : read_file(text, std::size_t(1) << 20);
}

Json data_report(const TokenDataset& data) {
    Json report = report_to_json(data.report());
    report["chat_template_sha256"] = data.template_sha256();
    report["files"] = Json::array();
    for (const DataSource& source : data.sources()) report["files"].push_back(source_to_json(source));
    return report;
}

}  // namespace temper
