// YAML files of tasks and groups: their includes, and which file has a name.
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/jsonl.h"

namespace temper {

// The file's map over those that it includes (include: a name or a list, relative to the file; later ones win).
Json load_task_yaml(const std::filesystem::path& file);

// Names of tasks, groups and tags in the .yaml files below some folders. A file that does not parse is passed over until it is asked for.
class TaskIndex {
  public:
    void add_folder(const std::filesystem::path& folder);
    void add_file(const std::filesystem::path& file);
    const std::filesystem::path* file_of(const std::string& name) const;         // of a task or group; null when there is none
    const std::vector<std::string>* tasks_of_tag(const std::string& tag) const;  // in the order of their names
    std::string nearest(const std::string& name) const;                          // for messages

  private:
    std::map<std::string, std::filesystem::path> files_;
    std::map<std::string, std::vector<std::string>> tags_;
};

}  // namespace temper
