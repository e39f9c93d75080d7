#include "runs/trackers/zip_writer.h"

#include <array>

#define ZLIB_CONST
#include <zlib.h>

#include "kernels/error.h"

namespace temper {
namespace {

constexpr std::uint64_t limit = 0xffffffffu;
constexpr std::uint16_t needs_version = 20, flags = 0x0808, deflated = 8;  // sizes behind the data, names in UTF-8
constexpr std::uint16_t no_time = 0, first_day = 0x21;                     // 1 January 1980: the bytes do not depend on the clock

template <class T> void put(std::string& out, T value) {
    for (std::size_t i = 0; i < sizeof value; ++i) out += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xff);
}

// Raw deflate, piece by piece.
class Deflater {
  public:
    explicit Deflater(Sink out) : out_(std::move(out)) {
        if (deflateInit2(&stream_, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) throw_error(ExitCode::internal, "zlib: no deflater");
    }
    ~Deflater() { deflateEnd(&stream_); }
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;

    void add(std::string_view bytes) {
        for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), piece))) run(bytes.substr(0, piece), Z_NO_FLUSH);
    }
    void finish() { run({}, Z_FINISH); }

  private:
    static constexpr std::size_t piece = std::size_t(1) << 20;
    void run(std::string_view bytes, int flush) {
        stream_.next_in = reinterpret_cast<const Bytef*>(bytes.data());
        stream_.avail_in = static_cast<uInt>(bytes.size());
        do {
            stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
            stream_.avail_out = static_cast<uInt>(buffer_.size());
            deflate(&stream_, flush);
            out_({buffer_.data(), buffer_.size() - stream_.avail_out});
        } while (stream_.avail_out == 0);
    }
    Sink out_;
    z_stream stream_{};
    std::array<char, 65536> buffer_{};
};

}  // namespace

void ZipWriter::write(std::string_view bytes) {
    length_ += bytes.size();
    if (length_ > limit) throw_error(ExitCode::io_error, "zip archive: it grows beyond 4 GiB");
    out_(bytes);
}

void ZipWriter::add(const std::string& name, std::string_view bytes) {
    add(name, [bytes](const Sink& sink) { sink(bytes); });
}

void ZipWriter::add(const std::string& name, const Producer& produce) {
    Entry entry{name, 0, 0, 0, length_};
    std::string head = "PK\3\4";
    for (const std::uint16_t value : {needs_version, flags, deflated, no_time, first_day}) put(head, value);
    for (int i = 0; i < 3; ++i) put(head, std::uint32_t(0));  // checksum and sizes follow
    put(head, static_cast<std::uint16_t>(name.size()));
    put(head, std::uint16_t(0));
    write(head + name);
    const std::uint64_t begin = length_;
    Deflater deflater([this](std::string_view packed) { write(packed); });
    produce([&](std::string_view bytes) {
        for (std::string_view rest = bytes; !rest.empty(); rest.remove_prefix(std::min<std::size_t>(rest.size(), 1u << 30)))
            entry.crc = static_cast<std::uint32_t>(
                crc32(entry.crc, reinterpret_cast<const Bytef*>(rest.data()), static_cast<uInt>(std::min<std::size_t>(rest.size(), 1u << 30))));
        entry.size += bytes.size();
        if (entry.size > limit) throw_error(ExitCode::io_error, "zip archive: {} is larger than 4 GiB", name);
        deflater.add(bytes);
    });
    deflater.finish();
    entry.packed = length_ - begin;
    std::string tail = "PK\7\10";
    for (const std::uint64_t value : {std::uint64_t(entry.crc), entry.packed, entry.size}) put(tail, static_cast<std::uint32_t>(value));
    write(tail);
    entries_.push_back(std::move(entry));
}

void ZipWriter::finish() {
    const std::uint64_t begin = length_;
    for (const Entry& entry : entries_) {
        std::string head = "PK\1\2";
        for (const std::uint16_t value : {std::uint16_t(3 << 8 | needs_version), needs_version, flags, deflated, no_time, first_day})
            put(head, value);
        for (const std::uint64_t value : {std::uint64_t(entry.crc), entry.packed, entry.size}) put(head, static_cast<std::uint32_t>(value));
        put(head, static_cast<std::uint16_t>(entry.name.size()));
        for (int i = 0; i < 4; ++i) put(head, std::uint16_t(0));  // extra, comment, disk, kind
        put(head, static_cast<std::uint32_t>(0100644) << 16);     // a plain file that its owner writes
        put(head, static_cast<std::uint32_t>(entry.offset));
        write(head + entry.name);
    }
    std::string end = "PK\5\6";
    put(end, std::uint32_t(0));
    for (int i = 0; i < 2; ++i) put(end, static_cast<std::uint16_t>(entries_.size()));
    const std::uint64_t size = length_ - begin;
    put(end, static_cast<std::uint32_t>(size));
    put(end, static_cast<std::uint32_t>(begin));
    put(end, std::uint16_t(0));
    write(end);
}

}  // namespace temper
