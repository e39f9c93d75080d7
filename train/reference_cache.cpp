#include "train/reference_cache.h"

#include <cstring>

#include "io/durable.h"
#include "io/hdf5/state_file.h"
#include "io/sha256.h"
#include "kernels/error.h"
#include "train/cache_files.h"

namespace temper {
namespace {

template <class T> std::string_view bytes_of(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string check_of(const std::string& key, const std::vector<std::int64_t>& keys, const std::vector<double>& scores) {
    Sha256 hash;
    hash.update(key);
    hash.update(bytes_of(keys));
    hash.update(bytes_of(scores));
    return hash.hex();
}

}  // namespace

RowKey row_key(Span<const Span<const std::int32_t>> lists) {
    Sha256 hash;
    for (const Span<const std::int32_t>& list : lists) {
        const auto size = static_cast<std::int64_t>(list.size());
        hash.update({reinterpret_cast<const char*>(&size), sizeof size});
        hash.update({reinterpret_cast<const char*>(list.data()), list.size() * sizeof(std::int32_t)});
    }
    const std::string hex = hash.hex();
    RowKey key;
    for (std::size_t i = 0; i < 2; ++i) key[i] = static_cast<std::int64_t>(std::stoull(hex.substr(16 * i, 16), nullptr, 16));
    return key;
}

ReferenceCache::ReferenceCache(std::filesystem::path directory, const std::string& decides, const std::function<void(const std::string&)>& warn)
    : path_(std::move(directory)), key_(sha256_hex(decides)) {
    path_ /= "reference-" + key_.substr(0, 16) + ".h5";
    if (!std::filesystem::exists(path_)) return;
    try {
        read();
        touch_cache(path_);
    } catch (const Error& error) {
        rows_.clear();
        warn(fmt::format("reference scores are computed again: {}", error.what()));
    }
}

void ReferenceCache::read() {
    const State state = decode_state(read_file(path_), path_.string());
    const auto refuse = [&](const char* why) { throw_error(ExitCode::bad_data, "{}: {}", path_.string(), why); };
    const auto text = [&](const char* name) { return state.texts.count(name) > 0 ? state.texts.at(name) : std::string(); };
    if (text("key") != key_) refuse("of another model or program");
    if (state.integers.count("row_keys") == 0 || state.doubles.count("scores") == 0) refuse("row_keys or scores are missing");
    const std::vector<std::int64_t>& keys = state.integers.at("row_keys");
    const std::vector<double>& scores = state.doubles.at("scores");
    if (keys.size() != scores.size() || keys.size() % 2 != 0) refuse("row_keys and scores have other sizes");
    if (text("check") != check_of(key_, keys, scores)) refuse("the numbers are not those that were written");
    for (std::size_t i = 0; i < keys.size(); i += 2) rows_[{keys[i], keys[i + 1]}] = {scores[i], scores[i + 1]};
}

const std::array<double, 2>* ReferenceCache::find(const RowKey& key) const {
    const auto found = rows_.find(key);
    return found == rows_.end() ? nullptr : &found->second;
}

void ReferenceCache::save() const {
    State state;
    std::vector<std::int64_t>& keys = state.integers["row_keys"];
    std::vector<double>& scores = state.doubles["scores"];
    for (const auto& [key, values] : rows_) {
        keys.insert(keys.end(), key.begin(), key.end());
        scores.insert(scores.end(), values.begin(), values.end());
    }
    state.texts["key"] = key_;
    state.texts["check"] = check_of(key_, keys, scores);
    std::filesystem::create_directories(path_.parent_path());
    write_durable(path_, encode_state(std::move(state)));
}

}  // namespace temper
