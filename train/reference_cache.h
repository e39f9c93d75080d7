// Reference scores on disk: one HDF5 file for everything that decides them but the rows, and in it a key for every row, so that later runs, and runs
// on other selections of the same rows, find them. A file that is damaged is no file: what it held is computed again.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "kernels/span.h"

namespace temper {

using RowKey = std::array<std::int64_t, 2>;
// Of the token ids of a row: its prompt and answers.
RowKey row_key(Span<const Span<const std::int32_t>> lists);

class ReferenceCache {
  public:
    // decides: everything that the scores depend on but the rows, spelled out. `warn` is told why a file is passed over.
    ReferenceCache(std::filesystem::path directory, const std::string& decides, const std::function<void(const std::string&)>& warn);
    const std::filesystem::path& path() const { return path_; }
    const std::array<double, 2>* find(const RowKey& key) const;
    void add(const RowKey& key, std::array<double, 2> scores) { rows_[key] = scores; }
    void save() const;

  private:
    void read();
    std::filesystem::path path_;
    std::string key_;
    std::map<RowKey, std::array<double, 2>> rows_;
};

}  // namespace temper
