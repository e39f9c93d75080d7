#include "io/algorithm_cache.h"

#include <cctype>
#include <utility>

#include "io/durable.h"
#include "io/environment.h"
#include "kernels/error.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

constexpr std::size_t file_limit = std::size_t(128) << 20;

fs::path folder() {
    const auto absolute = [](const char* name) {
        const fs::path path = environment_text(name);
        return path.is_absolute() ? path : fs::path();  // others are to be ignored        [XDG Base Directory Specification 0.8]
    };
    if (const fs::path caches = absolute("XDG_CACHE_HOME"); !caches.empty()) return caches / "temper";
    const fs::path home = absolute("HOME");
    return home.empty() ? home : home / ".cache" / "temper";
}

// "matrix-products-cublaslt-120803-nvidia-h100-80gb-hbm3-9-0-132-multiprocessors"
std::string file_name(const cuda::AlgorithmTable& table) {
    std::string name = "matrix-products-";
    for (const char letter : table.library() + " " + table.device()) {
        const auto byte = static_cast<unsigned char>(letter);
        if (std::isalnum(byte) != 0) name += static_cast<char>(std::tolower(byte));
        else if (name.back() != '-') name += '-';
    }
    while (name.back() == '-') name.pop_back();
    return name.substr(0, 200);
}

}  // namespace

AlgorithmCache::AlgorithmCache(cuda::AlgorithmTable like, Warn warn) : like_(std::move(like)), warn_(std::move(warn)) {
    if (const fs::path place = folder(); !place.empty()) file_ = place / file_name(like_);
}

cuda::AlgorithmTable AlgorithmCache::load() const {
    std::error_code error;
    if (file_.empty() || !fs::exists(file_, error)) return like_.only({});
    try {
        cuda::AlgorithmTable table = cuda::AlgorithmTable::from_bytes(read_file(file_, file_limit));
        if (table.is_like(like_)) return table;
        warn_(fmt::format("{}: it is of {}, expected {}; it is made again", file_.string(), table.describe(), like_.describe()));
    } catch (const Error& failure) {
        warn_(fmt::format("{}: {}; it is made again", file_.string(), failure.what()));
    }
    return like_.only({});
}

void AlgorithmCache::add(const cuda::AlgorithmTable& table) const {
    const char* const lost = "another process may choose other algorithms for its matrix products, and its bits differ then";
    if (file_.empty()) return warn_(fmt::format("neither XDG_CACHE_HOME nor HOME names a folder to keep choices in: {}", lost));
    cuda::AlgorithmTable all = AlgorithmCache(like_, [](const std::string&) {}).load();  // what others have added meanwhile
    all.add(table);
    try {
        std::error_code error;  // what it leaves undone the file's own failure tells
        fs::create_directories(file_.parent_path(), error);
        write_durable(file_, all.to_bytes());
    } catch (const Error& failure) {
        warn_(fmt::format("{}: {}", failure.what(), lost));
    }
}

}  // namespace temper
