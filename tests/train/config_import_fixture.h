// An imported configuration, and what a test asks of it.
#pragma once
#include <string>
#include <vector>

#include "train/config_import.h"
#include "train/import_sheet.h"

namespace temper {

inline const std::string tiny = std::string(TEMPER_SOURCE_DIR) + "/tests/goldens/tiny_chat";

inline std::vector<std::string> keys_of(const ImportResult& result, ImportItem::Kind kind) {
    std::vector<std::string> keys;
    for (const ImportItem& item : result.items)
        if (item.kind == kind) keys.push_back(item.key);
    return keys;
}

inline std::string reason_of(const ImportResult& result, const std::string& key) {
    for (const ImportItem& item : result.items)
        if (item.key == key || (item.key.empty() && item.target == key)) return item.where + ": " + item.reason;
    return "no item";
}

inline ImportResult import(const std::string& yaml, std::vector<std::string> overrides = {}, std::int64_t gpus = 1,
                           std::vector<std::string> leave_out = {}) {
    ImportOptions options;
    options.overrides = std::move(overrides);
    options.gpus = gpus;
    options.leave_out = std::move(leave_out);
    return import_config(yaml, "theirs.yaml", options);
}

inline const Json* at(const Json& config, const std::string& path) {
    const std::size_t point = path.find('.');
    if (point == std::string::npos) return config.contains(path) ? &config[path] : nullptr;
    const std::string section = path.substr(0, point), name = path.substr(point + 1);
    return config.contains(section) && config[section].contains(name) ? &config[section][name] : nullptr;
}

}  // namespace temper
