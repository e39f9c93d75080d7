#include "eval/task_files.h"

#include <algorithm>
#include <set>

#include "eval/yaml_value.h"
#include "io/durable.h"
#include "io/nearest.h"
#include "kernels/error.h"

namespace temper {
namespace {

namespace fs = std::filesystem;

Json read_map(const fs::path& file) {
    if (!fs::is_regular_file(file)) throw_error(ExitCode::missing_input, "{}: no such task file", file.string());
    YamlNode node;
    try {
        node = parse_yaml(read_file(file), file.string());
    } catch (const Error& error) {
        if (std::string(error.what()).find("!function") == std::string::npos) throw;
        throw_error(ExitCode::bad_data, "{}; Python functions are not run here: write the text as a Jinja template (docs/eval.md shows how)",
                    error.what());
    }
    Json fields = yaml_value(node, file.string());
    if (!fields.is_object()) throw_error(ExitCode::bad_data, "{}: expected a map of a task's or group's fields", file.string());
    return fields;
}

Json load(const fs::path& file, std::vector<fs::path>& open) {
    const fs::path known = fs::weakly_canonical(file);
    if (std::find(open.begin(), open.end(), known) != open.end())
        throw_error(ExitCode::bad_data, "{}: include: the file includes itself", file.string());
    open.push_back(known);
    Json own = read_map(file);
    Json merged = Json::object();
    if (own.contains("include")) {
        const Json includes = own["include"].is_array() ? own["include"] : Json::array({own["include"]});
        own.erase("include");
        for (const Json& include : includes) {
            if (!include.is_string()) throw_error(ExitCode::bad_data, "{}: include: expected a file's name", file.string());
            merged.update(load(file.parent_path() / include.get<std::string>(), open));
        }
    }
    merged.update(own);
    open.pop_back();
    return merged;
}

}  // namespace

Json load_task_yaml(const fs::path& file) {
    std::vector<fs::path> open;
    return load(file, open);
}

void TaskIndex::add_file(const fs::path& file) {
    Json fields;
    try {
        fields = load_task_yaml(file);
    } catch (const Error&) {
        return;
    }
    const bool group = fields.contains("group") && fields["group"].is_string();
    if (!group && !(fields.contains("task") && fields["task"].is_string())) return;
    const std::string name = fields[group ? "group" : "task"].get<std::string>();
    files_.emplace(name, file);
    if (group || !fields.contains("tag")) return;
    for (const Json& tag : fields["tag"].is_array() ? fields["tag"] : Json::array({fields["tag"]}))
        if (tag.is_string()) {
            std::vector<std::string>& names = tags_[tag.get<std::string>()];
            if (std::find(names.begin(), names.end(), name) == names.end()) names.insert(std::upper_bound(names.begin(), names.end(), name), name);
        }
}

void TaskIndex::add_folder(const fs::path& folder) {
    if (!fs::is_directory(folder)) return;
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file() && entry.path().extension() == ".yaml") files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) add_file(file);
}

const fs::path* TaskIndex::file_of(const std::string& name) const {
    const auto found = files_.find(name);
    return found == files_.end() ? nullptr : &found->second;
}

const std::vector<std::string>* TaskIndex::tasks_of_tag(const std::string& tag) const {
    const auto found = tags_.find(tag);
    return found == tags_.end() ? nullptr : &found->second;
}

std::string TaskIndex::nearest(const std::string& name) const {
    std::vector<std::string> names;
    for (const auto& entry : files_) names.push_back(entry.first);
    for (const auto& entry : tags_) names.push_back(entry.first);
    return nearest_name(name, names);
}

}  // namespace temper
