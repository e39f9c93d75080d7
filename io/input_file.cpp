#include "io/input_file.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/durable.h"
#include "kernels/error.h"

namespace temper {

InputFile::InputFile(const std::filesystem::path& path) : path_(path) {
    // Not blocking, so that a pipe in the place of a file is refused below instead of waited for.
    do fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (fd_ < 0 && errno == EINTR);
    if (fd_ < 0 && (errno == ENOENT || errno == ENOTDIR)) throw_error(ExitCode::missing_input, "{}: no such file", path.string());
    if (fd_ < 0) throw_error(ExitCode::io_error, "{}: open: {}", path.string(), std::strerror(errno));
    struct stat status {};
    if (::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) {
        ::close(fd_);
        throw_error(ExitCode::missing_input, "{}: {}, expected a regular file", path.string(),
                    S_ISDIR(status.st_mode) ? "is a directory" : "is not a file");
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::~InputFile() { ::close(fd_); }

void InputFile::read_at(std::uint64_t offset, void* destination, std::size_t count) const {
    auto* to = static_cast<char*>(destination);
    while (count > 0) {
        const ssize_t got = ::pread(fd_, to, count, static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw_error(ExitCode::io_error, "{}: read at byte {}: {}", path_.string(), offset, std::strerror(errno));
        if (got == 0)
            throw_error(ExitCode::io_error, "{}: ends at byte {} while it is read; it had {} bytes when it was opened", path_.string(), offset,
                        size_);
        to += got;
        offset += static_cast<std::uint64_t>(got);
        count -= static_cast<std::size_t>(got);
    }
}

std::string InputFile::read_at(std::uint64_t offset, std::size_t count) const {
    std::string bytes(count, '\0');
    read_at(offset, bytes.data(), count);
    return bytes;
}

std::string read_file(const std::filesystem::path& path, std::size_t limit) {
    const InputFile file(path);
    if (file.size() > limit) throw_error(ExitCode::bad_data, "{}: {} bytes, expected at most {}", path.string(), file.size(), limit);
    return file.read_at(0, file.size());
}

}  // namespace temper
