#include "io/byte_source.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <vector>

#include <zlib.h>
#include <zstd.h>

#include "kernels/error.h"

namespace temper {
namespace {

class PlainBytes final : public ByteSource {
  public:
    explicit PlainBytes(const std::filesystem::path& path) : path_(path.string()) {
        if (!std::filesystem::exists(path)) throw_error(ExitCode::missing_input, "{}: no such file", path_);
        if (std::filesystem::is_directory(path)) throw_error(ExitCode::missing_input, "{}: is a directory, expected a file", path_);
        file_.open(path, std::ios::binary);
        if (!file_) throw_error(ExitCode::io_error, "{}: open: {}", path_, std::strerror(errno));
    }

    std::size_t read(char* destination, std::size_t count) override {
        file_.read(destination, static_cast<std::streamsize>(count));
        if (file_.bad()) throw_error(ExitCode::io_error, "{}: read: {}", path_, std::strerror(errno));
        return static_cast<std::size_t>(file_.gcount());
    }

  private:
    std::string path_;
    std::ifstream file_;
};

// What both formats need: packed bytes in a buffer, and where in the file they stood.
class Packed {
  public:
    Packed(const std::filesystem::path& path, const char* format) : path_(path.string()), format_(format), file_(path) {}

    bool fill() {
        before_ += size_;
        size_ = file_.read(buffer_.data(), buffer_.size());
        return size_ > 0;
    }
    char* data() { return buffer_.data(); }
    std::size_t size() const { return size_; }
    [[noreturn]] void fail(std::size_t unused, const std::string& what) const {
        throw_error(ExitCode::bad_data, "{}: byte {} of the {} data: {}", path_, before_ + size_ - unused, format_, what);
    }

  private:
    std::string path_;
    const char* format_;
    PlainBytes file_;
    std::vector<char> buffer_ = std::vector<char>(std::size_t(1) << 16);
    std::size_t size_ = 0, before_ = 0;
};

constexpr const char* ends_early = "it ends early: the file is cut off; write it again";

// Several gzip members one behind the other are one text, as gzip itself has it.
class GzipBytes final : public ByteSource {
  public:
    explicit GzipBytes(const std::filesystem::path& path) : packed_(path, "gzip") {
        if (inflateInit2(&stream_, 15 + 16) != Z_OK) throw_error(ExitCode::internal, "zlib cannot be started");
    }
    ~GzipBytes() override { inflateEnd(&stream_); }

    std::size_t read(char* destination, std::size_t count) override {
        count = std::min<std::size_t>(count, std::numeric_limits<uInt>::max());
        stream_.next_out = reinterpret_cast<Bytef*>(destination);
        stream_.avail_out = static_cast<uInt>(count);
        while (stream_.avail_out == count) {
            if (stream_.avail_in == 0) {
                if (!packed_.fill()) {
                    if (inside_ || members_ == 0) packed_.fail(0, ends_early);
                    return 0;
                }
                stream_.next_in = reinterpret_cast<Bytef*>(packed_.data());
                stream_.avail_in = static_cast<uInt>(packed_.size());
            }
            if (!inside_ && members_ > 0) inflateReset(&stream_);
            inside_ = true;
            const int status = inflate(&stream_, Z_NO_FLUSH);
            if (status == Z_STREAM_END) {
                inside_ = false;
                ++members_;
            } else if (status != Z_OK && status != Z_BUF_ERROR) {
                packed_.fail(stream_.avail_in, stream_.msg != nullptr ? stream_.msg : "cannot be unpacked");
            }
        }
        return count - stream_.avail_out;
    }

  private:
    Packed packed_;
    z_stream stream_{};
    bool inside_ = false;
    std::int64_t members_ = 0;
};

class ZstdBytes final : public ByteSource {
  public:
    explicit ZstdBytes(const std::filesystem::path& path) : packed_(path, "zstd"), stream_(ZSTD_createDStream(), ZSTD_freeDStream) {
        if (stream_ == nullptr) throw_error(ExitCode::internal, "zstd cannot be started");
        // A frame may ask for a window of its own size; 128 MiB is what `zstd --ultra --long` writes at most without being told.
        ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, 27);
    }

    std::size_t read(char* destination, std::size_t count) override {
        ZSTD_outBuffer out{destination, count, 0};
        while (out.pos == 0) {
            if (in_.pos == in_.size && !drained_) {
                if (!packed_.fill()) {
                    if (inside_ || !any_) packed_.fail(0, ends_early);
                    return 0;
                }
                in_ = {packed_.data(), packed_.size(), 0};
                any_ = true;
            }
            const std::size_t left = ZSTD_decompressStream(stream_.get(), &out, &in_);
            if (ZSTD_isError(left) != 0) packed_.fail(in_.size - in_.pos, ZSTD_getErrorName(left));
            inside_ = left != 0;
            drained_ = out.pos == out.size && inside_;  // more of the same input may be waiting inside
        }
        return out.pos;
    }

  private:
    Packed packed_;
    std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream_;
    ZSTD_inBuffer in_{nullptr, 0, 0};
    bool inside_ = false, drained_ = false, any_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> open_bytes(const std::filesystem::path& path) {
    if (path.extension() == ".gz") return std::make_unique<GzipBytes>(path);
    if (path.extension() == ".zst") return std::make_unique<ZstdBytes>(path);
    return std::make_unique<PlainBytes>(path);
}

std::filesystem::path unpacked_name(const std::filesystem::path& path) {
    const bool packed = path.extension() == ".gz" || path.extension() == ".zst";
    return packed ? std::filesystem::path(path).replace_extension() : path;
}

}  // namespace temper
