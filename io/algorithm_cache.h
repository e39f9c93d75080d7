// The algorithms that this user's processes have chosen for matrix products (kernels/algorithm_table.h), so that the next process takes the same ones
// and need not try any: one file a kind of device and version of the library, in $XDG_CACHE_HOME/temper, or ~/.cache/temper.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "kernels/algorithm_table.h"

namespace temper {

class AlgorithmCache {
  public:
    using Warn = std::function<void(const std::string&)>;

    // Of tables like this one. Nothing here fails: a file that cannot be read or written is warned of.
    AlgorithmCache(cuda::AlgorithmTable like, Warn warn);

    // What is kept; no choices where there is no file yet, or one that is none.
    cuda::AlgorithmTable load() const;
    // Adds what the file lacks. A choice that it has stays: other processes follow it.
    void add(const cuda::AlgorithmTable& table) const;
    const std::filesystem::path& file() const { return file_; }  // empty: there is no place for it

  private:
    cuda::AlgorithmTable like_;
    Warn warn_;
    std::filesystem::path file_;
};

}  // namespace temper
