#include "retrieval/feature_store.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "retrieval/document.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

struct NamedCount {
    const char* name;
    std::int64_t StageCounts::*count;
};
constexpr NamedCount named_counts[] = {
    {"sources", &StageCounts::sources},       {"documents", &StageCounts::documents},   {"cleaned", &StageCounts::cleaned},
    {"duplicates", &StageCounts::duplicates}, {"chunks", &StageCounts::chunks},         {"vectors", &StageCounts::vectors},
    {"indexed", &StageCounts::indexed},       {"taken_over", &StageCounts::taken_over}, {"sent", &StageCounts::sent},
};

// Temporaries of writers that were killed.
void remove_staged(const fs::path& root) {
    std::vector<fs::path> left;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root))
        if (entry.path().filename().string().starts_with(".stage-")) left.push_back(entry.path());
    for (const fs::path& path : left) fs::remove_all(path);
}

}  // namespace

Json StageCounts::to_json() const {
    Json json = Json::object();
    for (const NamedCount& named : named_counts) json[named.name] = this->*named.count;
    return json;
}

StageCounts& StageCounts::operator+=(const StageCounts& other) {
    for (const NamedCount& named : named_counts) this->*named.count += other.*named.count;
    return *this;
}

StageCounts StageCounts::from_json(const Json& json, const std::string& place) {
    StageCounts counts;
    for (const NamedCount& named : named_counts) {
        if (!json.is_object() || !json.contains(named.name) || !json[named.name].is_number_integer())
            throw_error(ExitCode::bad_data, "{}: {}: expected a whole number: remove the file and run temper features again", place, named.name);
        counts.*named.count = json[named.name].get<std::int64_t>();
    }
    return counts;
}

std::vector<fs::path> CategoryStore::parts() const {
    std::vector<fs::path> parts;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_ / "parts", error))
        if (entry.path().extension() == ".h5" && entry.path().filename().string()[0] != '.') parts.push_back(entry.path());
    std::sort(parts.begin(), parts.end());
    return parts;
}

fs::path CategoryStore::next_part() const {
    fs::create_directories(path_ / "parts");
    const std::vector<fs::path> have = parts();
    const int last = have.empty() ? 0 : std::atoi(have.back().stem().c_str());
    return path_ / "parts" / fmt::format("{:06}.h5", last + 1);
}

void CategoryStore::remove_parts() const { fs::remove_all(path_ / "parts"); }

void CategoryStore::save(const StageCounts& counts) const { write_durable(stages(), counts.to_json().dump(2) + "\n"); }

StageCounts CategoryStore::counts() const {
    if (!fs::exists(stages())) return {};
    return StageCounts::from_json(parse_json(read_file(stages(), std::size_t(1) << 16), stages().string()), stages().string());
}

bool FeatureStore::exists() const { return fs::is_directory(path_ / "categories"); }

CategoryStore FeatureStore::category(const std::string& name) const { return {path_ / "categories" / name, name}; }

std::vector<std::string> FeatureStore::categories() const {
    std::vector<std::string> names;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(path_ / "categories", error))
        if (entry.is_directory() && is_category_name(entry.path().filename().string())) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

FeatureStore::Lock::Lock(const FeatureStore& store) {
    fs::create_directories(store.path() / "categories");
    const std::string path = (store.path() / ".lock").string();
    file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (file_ < 0) throw_error(ExitCode::io_error, "{}: cannot open: {}", path, std::strerror(errno));
    if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
        const int reason = errno;
        close(file_);
        if (reason == EWOULDBLOCK)
            throw_error(ExitCode::run_locked, "{}: another temper features fills this store: wait for its end, or set another store",
                        store.path().string());
        throw_error(ExitCode::io_error, "{}: cannot lock: {}", path, std::strerror(reason));
    }
    remove_staged(store.path());
}

FeatureStore::Lock::~Lock() { close(file_); }

}  // namespace temper
