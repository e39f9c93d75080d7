#include "model/lora_targets.h"

#include <algorithm>

namespace temper {
bool is_all_linear(const ModuleNames& names) {
    if (names.list.size() != 1) return false;
    std::string text = names.list.front();
    std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return text == "all-linear";
}

namespace {

std::vector<PathPattern> pattern_of(const ModuleNames& names, const char* field) {
    if (!names.pattern) return {};
    return {PathPattern(names.list.front(), field)};
}

}  // namespace

ModuleNames parse_module_names(const std::vector<std::string>& entries) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
    };
    return {entries, entries.size() == 1 && !std::all_of(entries.front().begin(), entries.front().end(), plain)};
}

LoraTargets::LoraTargets(const LoraSettings& settings) : settings_(settings), all_linear_(is_all_linear(settings.target_modules)) {
    if (settings.target_modules.empty()) throw_error(ExitCode::usage, "lora.target_modules is empty: name linear layers, or all-linear");
    const bool alone = all_linear_ || settings.target_modules.pattern;
    if (alone && !settings.layers_to_transform.empty())
        throw_error(ExitCode::usage,
                    "lora.layers_to_transform goes with a list of target_modules, not with \"{}\": name the layers in a list, or in "
                    "the regular expression",
                    settings.target_modules.list.front());
    if (!settings.layers_pattern.empty() && settings.layers_to_transform.empty())
        throw_error(ExitCode::usage, "lora.layers_pattern is given without lora.layers_to_transform");
    if (!all_linear_) target_pattern_ = pattern_of(settings.target_modules, "lora.target_modules");
    exclude_pattern_ = pattern_of(settings.exclude_modules, "lora.exclude_modules");
    for (const std::string& name : settings.layers_pattern)
        layers_patterns_.emplace_back("(?:^|.*?\\.)" + name + "\\.\\d+\\.", "lora.layers_pattern");
    target_used_.resize(settings.target_modules.list.size());
    exclude_used_.resize(settings.exclude_modules.list.size());
    for (const auto& [key, rank] : settings.rank_pattern) {
        if (rank < 1 || rank > 4096) throw_error(ExitCode::usage, "lora.rank_pattern: {} is {}, expected 1 to 4096", key, rank);
        rank_keys_.push_back({key, PathPattern("(.*\\.)?(" + key + ")$", "lora.rank_pattern")});
    }
    for (const auto& [key, alpha] : settings.alpha_pattern) alpha_keys_.push_back({key, PathPattern("(.*\\.)?(" + key + ")$", "lora.alpha_pattern")});
}

// By the expression, by the whole path, or by the end of the path behind a point.
bool LoraTargets::named(const ModuleNames& names, const std::vector<PathPattern>& pattern, const std::string& path, std::vector<bool>& used,
                        bool& whole_path) const {
    whole_path = true;
    if (!pattern.empty()) {
        const bool found = pattern.front().matches(path);
        if (found) used[0] = true;
        return found;
    }
    bool whole = false, end = false;
    for (std::size_t i = 0; i < names.list.size(); ++i) {
        const std::string& name = names.list[i];
        const bool is_whole = path == name, is_end = path.ends_with("." + name);
        whole = whole || is_whole;
        end = end || is_end;
        if (is_whole || is_end) used[i] = true;
    }
    whole_path = whole;
    return whole || end;
}

bool LoraTargets::in_layers(const std::string& path, std::int64_t layer) const {
    const std::vector<std::int64_t>& layers = settings_.layers_to_transform;
    if (layers.empty()) return true;
    if (std::find(layers.begin(), layers.end(), layer) == layers.end()) return false;
    return layers_patterns_.empty() ||
           std::any_of(layers_patterns_.begin(), layers_patterns_.end(), [&](const PathPattern& p) { return p.matches_start(path); });
}

bool LoraTargets::adapts(const std::string& path, std::int64_t layer, bool is_head) {
    bool whole_path = false;
    if (named(settings_.exclude_modules, exclude_pattern_, path, exclude_used_, whole_path)) return false;
    if (all_linear_) {
        target_used_[0] = true;
        return !is_head;
    }
    if (!named(settings_.target_modules, target_pattern_, path, target_used_, whole_path)) return false;
    return whole_path || in_layers(path, layer);
}

LoraTargets::Key* LoraTargets::first_match(std::vector<Key>& keys, const std::string& path) {
    const auto found = std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.pattern.matches_start(path); });
    if (found == keys.end()) return nullptr;
    found->used = true;
    return &*found;
}

std::int64_t LoraTargets::rank_of(const std::string& path) {
    const Key* key = first_match(rank_keys_, path);
    return key == nullptr ? settings_.r : settings_.rank_pattern[static_cast<std::size_t>(key - rank_keys_.data())].second;
}

double LoraTargets::alpha_of(const std::string& path) {
    const Key* key = first_match(alpha_keys_, path);
    return key == nullptr ? settings_.alpha : settings_.alpha_pattern[static_cast<std::size_t>(key - alpha_keys_.data())].second;
}

void LoraTargets::check_used(const std::string& known) const {
    if (settings_.from_file) return;
    const auto check = [&](const char* field, const std::string& text, bool used) {
        if (!used) throw_error(ExitCode::usage, "lora.{}: '{}' is no linear layer of this model's blocks; known: {}", field, text, known);
    };
    for (std::size_t i = 0; i < target_used_.size(); ++i) check("target_modules", settings_.target_modules.list[i], target_used_[i]);
    for (std::size_t i = 0; i < exclude_used_.size(); ++i) check("exclude_modules", settings_.exclude_modules.list[i], exclude_used_[i]);
    const auto check_key = [&](const char* field, const Key& key) {
        if (!key.used) throw_error(ExitCode::usage, "lora.{}: '{}' matches no adapted layer that an earlier key does not", field, key.text);
    };
    for (const Key& key : rank_keys_) check_key("rank_pattern", key);
    for (const Key& key : alpha_keys_) check_key("alpha_pattern", key);
}

}  // namespace temper
