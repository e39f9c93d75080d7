// The directory that `temper features` fills and `temper search` reads.
//
//   <store>/
//     .lock                       held by the process that fills it
//     rejected.jsonl              documents of the last run that could not be read or came out empty: id, place, reason; absent without any
//     categories/<category>/
//       documents.jsonl           cleaned texts: id, category, source, form, metadata, text; duplicates are not among them
//       duplicates.jsonl          id, of, place, reason, similarity; absent without any
//       collection.h5             chunks and vectors, whole or as they were before
//       parts/000001.h5 …         vectors of a run that has not ended
//       stages.json               what each stage holds
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

// Of one category, in the order of the stages.
struct StageCounts {
    std::int64_t sources = 0;     // that gave documents
    std::int64_t documents = 0;   // that they gave
    std::int64_t cleaned = 0;     // with a text
    std::int64_t duplicates = 0;  // of the cleaned ones, left out
    std::int64_t chunks = 0;      // of the documents that stay
    std::int64_t vectors = 0;     // of the chunks, so far
    std::int64_t indexed = 0;     // that search finds
    std::int64_t taken_over = 0;  // vectors that an earlier run or part had
    std::int64_t sent = 0;        // chunks that a server holds
    StageCounts& operator+=(const StageCounts& other);
    Json to_json() const;
    static StageCounts from_json(const Json& json, const std::string& place);
};

class CategoryStore {
  public:
    CategoryStore(std::filesystem::path path, std::string category) : path_(std::move(path)), category_(std::move(category)) {}
    const std::string& category() const { return category_; }
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path documents() const { return path_ / "documents.jsonl"; }
    std::filesystem::path duplicates() const { return path_ / "duplicates.jsonl"; }
    std::filesystem::path collection() const { return path_ / "collection.h5"; }
    std::filesystem::path stages() const { return path_ / "stages.json"; }
    std::vector<std::filesystem::path> parts() const;  // in order
    std::filesystem::path next_part() const;
    void remove_parts() const;
    void save(const StageCounts& counts) const;
    StageCounts counts() const;  // zeros where there are none yet

  private:
    std::filesystem::path path_;
    std::string category_;
};

class FeatureStore {
  public:
    explicit FeatureStore(std::filesystem::path path) : path_(std::move(path)) {}
    const std::filesystem::path& path() const { return path_; }
    bool exists() const;
    CategoryStore category(const std::string& name) const;
    std::vector<std::string> categories() const;  // sorted
    std::filesystem::path rejected() const { return path_ / "rejected.jsonl"; }
    std::filesystem::path pages() const { return path_ / "pages"; }

    // Makes the directory, and holds it until the object's end; removes what a killed process left half written. run_locked while another
    // process holds it.
    class Lock {
      public:
        explicit Lock(const FeatureStore& store);
        ~Lock();
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;

      private:
        int file_ = -1;
    };

  private:
    std::filesystem::path path_;
};

}  // namespace temper
