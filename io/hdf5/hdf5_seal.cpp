#include "io/hdf5/hdf5_seal.h"

#include <algorithm>

#include "io/input_file.h"
#include "io/sha256.h"
#include "kernels/error.h"

namespace temper {
namespace {

// A file that could not be written to its end (a full disk) stays half open in the library, whose own cleaning up as the process exits crashes on it.
// What we open we close; asked before the library's first call, it leaves the rest.
[[maybe_unused]] const herr_t no_cleaning_up = H5dont_atexit();

std::string seal_of(const InputFile& file) {
    Sha256 hash;
    std::string piece(std::size_t(1) << 20, '\0');
    for (std::uint64_t at = hdf5_seal_bytes; at < file.size(); at += piece.size()) {
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), file.size() - at));
        file.read_at(at, piece.data(), count);
        hash.update({piece.data(), count});
    }
    std::string seal =
        fmt::format("HDF5 file of temper, from byte {} on {} bytes of SHA-256\n{}\n", hdf5_seal_bytes, file.size() - hdf5_seal_bytes, hash.hex());
    seal.resize(hdf5_seal_bytes, '\0');
    return seal;
}

}  // namespace

std::string make_hdf5_seal(const std::filesystem::path& path) { return seal_of(InputFile(path)); }

void check_hdf5_seal(const std::filesystem::path& path) {
    const InputFile file(path);
    if (file.size() <= hdf5_seal_bytes)
        throw_error(ExitCode::bad_data, "{}: {} bytes, expected more than {}: it is not a file that temper wrote, or not a whole one", path.string(),
                    file.size(), hdf5_seal_bytes);
    const std::string expected = seal_of(file), found = file.read_at(0, hdf5_seal_bytes);
    if (found == expected) return;
    if (!found.starts_with("HDF5 file of temper, "))
        throw_error(ExitCode::bad_data, "{}: its first {} bytes hold no seal: it is not a file that temper wrote", path.string(), hdf5_seal_bytes);
    throw_error(ExitCode::bad_data, "{}: its bytes are not those that its seal names: the file is damaged or was edited; write it again",
                path.string());
}

Hdf5Handle hdf5_plain_access() {
    Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    if (!access.valid() || H5Pset_libver_bounds(access.id(), H5F_LIBVER_V18, H5F_LIBVER_V18) < 0)
        throw_error(ExitCode::internal, "HDF5: file access: {}", hdf5_reason());
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access.id(), false, true);
#endif
    return access;
}

}  // namespace temper
