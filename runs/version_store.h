// Numbered documents that never change, and names that point at them.
//
//   FOLDER/versions/0001.json     what was added, from 1
//   FOLDER/aliases/ALIAS.json     the version that ALIAS stands for; replaced by one rename, so that a reader sees the old or the new one
//   FOLDER/history/ALIAS.json     every move of ALIAS, written before the pointer; an entry that is newer than the pointer never happened
//
// Who changes something holds the folder's lock, which the system takes from a dead process. Readers need none.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

// The names of the stores that lie in a folder.
std::vector<std::string> stores_under(const std::filesystem::path& folder);

class VersionStore {
  public:
    explicit VersionStore(std::filesystem::path folder) : folder_(std::move(folder)) {}

    const std::filesystem::path& folder() const { return folder_; }
    bool exists() const;
    std::vector<std::int64_t> versions() const;  // in order; empty where there is nothing
    Json version(std::int64_t number) const;     // missing_input names the versions that there are
    std::vector<std::string> aliases() const;    // in the order of their names
    std::optional<Json> alias(const std::string& name) const;
    std::vector<std::string> aliases_of(std::int64_t version) const;  // those that stand for it
    std::vector<Json> history(const std::string& alias) const;        // oldest first, up to the pointer as it stands

    // The right to change. Waits for another holder; run_locked names the lock's file after `seconds`.
    class Writer {
      public:
        explicit Writer(const VersionStore& store, double seconds = 30.0);
        ~Writer();
        Writer(const Writer&) = delete;
        Writer& operator=(const Writer&) = delete;

        // Gives `document` its number under "version" and keeps it. io_error where another writer has just taken that number.
        std::int64_t add(Json document) const;
        // `pointer` becomes what ALIAS.json holds, with "alias", "sequence", "previous" (the sequence number that a rollback returns to; 0: none),
        // "moved_at" and "action" set here.
        Json move(const std::string& alias, Json pointer, const std::string& action) const;
        // The move that a rollback returns to: the newest before the one that counts now of which `same` says that it stood for something else. usage
        // when there is none.
        using Same = std::function<bool(const Json& earlier, const Json& now)>;
        Json move_before(const std::string& alias, const Same& same) const;
        // Back to a move that move_before() found.
        Json roll_back(const std::string& alias, const Json& earlier) const;

      private:
        Json place(const std::string& alias, Json pointer, const std::string& action, std::int64_t previous) const;
        const VersionStore& store_;
        int file_ = -1;
    };

  private:
    std::filesystem::path alias_path(const std::string& name) const { return folder_ / "aliases" / (name + ".json"); }
    std::filesystem::path history_path(const std::string& name) const { return folder_ / "history" / (name + ".json"); }
    std::filesystem::path folder_;
};

}  // namespace temper
