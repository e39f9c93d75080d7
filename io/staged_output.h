// A file that a library of another hand writes in place: under a staging name, synced and renamed when it is whole, removed when it is not.
#pragma once
#include <filesystem>

namespace temper {

class StagedOutput {
  public:
    explicit StagedOutput(std::filesystem::path target);
    ~StagedOutput();
    StagedOutput(const StagedOutput&) = delete;
    StagedOutput& operator=(const StagedOutput&) = delete;
    const std::filesystem::path& path() const { return path_; }
    void commit();  // the file is closed

  private:
    std::filesystem::path target_, path_;
    bool committed_ = false;
};

}  // namespace temper
