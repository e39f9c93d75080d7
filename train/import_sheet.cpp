#include "train/import_sheet.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "io/tokenizer/tokenizer.h"
#include "kernels/error.h"

namespace temper {

Json json_of(const YamlNode& node) {
    switch (node.kind) {
        case YamlNode::Kind::null: return nullptr;
        case YamlNode::Kind::sequence: {
            Json list = Json::array();
            for (const YamlNode& value : node.values) list.push_back(json_of(value));
            return list;
        }
        case YamlNode::Kind::map: {
            Json object = Json::object();
            for (std::size_t i = 0; i < node.keys.size(); ++i) object[node.keys[i].text] = json_of(node.values[i]);
            return object;
        }
        case YamlNode::Kind::scalar: break;
    }
    if (node.quoted) return node.text;
    std::string text = node.text;
    const bool grouped = text.find_first_not_of("0123456789_") == std::string::npos && !text.empty() && text[0] != '_';  // 500_000
    if (grouped) std::erase(text, '_');
    const auto is_one_of = [&](std::initializer_list<const char*> words) { return std::find(words.begin(), words.end(), text) != words.end(); };
    if (is_one_of({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})) return true;
    if (is_one_of({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})) return false;
    const char* end = text.data() + text.size();
    std::int64_t whole = 0;
    if (const auto [stop, error] = std::from_chars(text.data(), end, whole); error == std::errc() && stop == end) return whole;
    double number = 0;
    if (const auto [stop, error] = std::from_chars(text.data(), end, number); error == std::errc() && stop == end && std::isfinite(number))
        return number;
    return text;
}

bool is_off(const YamlNode& node) {
    const Json value = json_of(node);
    if (value.is_number()) return value.get<double>() == 0;
    if (value.is_string()) return value == "" || value == "none" || value == "None" || value == "null";
    return value.is_null() || value == false || ((value.is_array() || value.is_object()) && value.empty());
}

ImportSheet::ImportSheet(const YamlNode& map, std::string place, const ImportOptions& given) : options(given), map_(map), place_(std::move(place)) {}

std::optional<ImportSheet::Taken> ImportSheet::take(const std::string& key) {
    taken_.insert(key);
    const YamlNode* node = map_.find(key);
    if (node == nullptr || node->kind == YamlNode::Kind::null) return std::nullopt;
    return Taken{key, node};
}

bool ImportSheet::is_null(const std::string& key) const {
    const YamlNode* node = map_.find(key);
    return node != nullptr && node->kind == YamlNode::Kind::null;
}

std::optional<std::string> ImportSheet::take_text(const std::string& key) {
    const auto taken = take(key);
    return taken ? std::optional(taken->node->text) : std::nullopt;
}

void ImportSheet::add(ImportItem::Kind kind, const Taken& taken, const std::string& target, const std::string& reason) {
    items_.push_back({taken.node->line, {kind, taken.key, fmt::format("{}:{}", place_, taken.node->line), target, reason}});
}

void ImportSheet::mapped(const Taken& taken, const std::string& target, Json value) {
    set(target, std::move(value));
    add(ImportItem::Kind::mapped, taken, target, "");
}

void ImportSheet::changed(const Taken& taken, const std::string& target, Json value, const std::string& reason) {
    set(target, std::move(value));
    add(ImportItem::Kind::changed, taken, target, reason);
}

void ImportSheet::to_do(const std::string& key, const std::string& where, const std::string& target, const std::string& reason) {
    items_.push_back({1 << 30, {ImportItem::Kind::to_do, key, where, target, reason}});
}

void ImportSheet::unsupported(const Taken& taken, const std::string& reason) {
    const bool dropped = std::find(options.leave_out.begin(), options.leave_out.end(), taken.key) != options.leave_out.end();
    add(dropped ? ImportItem::Kind::not_needed : ImportItem::Kind::unsupported, taken, "", dropped ? "left out as asked: " + reason : reason);
}

void ImportSheet::unsupported(const std::string& key, const std::string& reason) {
    const bool dropped = std::find(options.leave_out.begin(), options.leave_out.end(), key) != options.leave_out.end();
    const YamlNode* node = map_.find(key);  // there, but null
    ImportItem item;
    item.kind = dropped ? ImportItem::Kind::not_needed : ImportItem::Kind::unsupported;
    item.key = key;
    item.where = node == nullptr ? place_ : fmt::format("{}:{}", place_, node->line);
    item.reason = dropped ? "left out as asked: " + reason : reason;
    items_.emplace_back(node == nullptr ? 0 : node->line, item);
}

void ImportSheet::defaulted(const std::string& target, Json value, const std::string& reason) {
    if (find(target) != nullptr) return;
    items_.push_back({1 << 29, {ImportItem::Kind::defaulted, "", "", target, fmt::format("{}: {}", value.dump(), reason)}});
    set(target, std::move(value));
}

void ImportSheet::override_with(const std::string& target, Json value) {
    set(target, std::move(value));
    overridden_.insert(target);
}

void ImportSheet::set(const std::string& target, Json value) {
    if (overridden_.count(target) != 0) return;
    const std::size_t point = target.find('.');
    if (point == std::string::npos) config[target] = std::move(value);
    else config[target.substr(0, point)][target.substr(point + 1)] = std::move(value);
}

const Json* ImportSheet::find(const std::string& target) const {
    const std::size_t point = target.find('.');
    const std::string section = target.substr(0, point);
    if (!config.contains(section)) return nullptr;
    if (point == std::string::npos) return &config[section];
    const std::string name = target.substr(point + 1);
    return config[section].contains(name) ? &config[section][name] : nullptr;
}

void ImportSheet::erase(const std::string& target) {
    const std::size_t point = target.find('.');
    if (point == std::string::npos) config.erase(target);
    else if (config.contains(target.substr(0, point))) config[target.substr(0, point)].erase(target.substr(point + 1));
}

std::string ImportSheet::path_of(const std::string& data_set, const std::string& split) const {
    const std::string part = split.empty() || split == "train" || std::filesystem::exists(data_set) ? data_set : data_set + "/" + split;
    for (const std::string& name : {part, data_set})
        for (const std::string& word : options.overrides)
            if (word.starts_with(name + "=")) return word.substr(name.size() + 1);
    return part;
}

bool ImportSheet::revoke(const std::string& target, const std::string& reason) {
    for (auto& [line, item] : items_) {
        if (item.target != target || item.kind == ImportItem::Kind::unsupported) continue;
        const std::string& key = item.key.empty() ? item.target : item.key;
        const bool dropped = std::find(options.leave_out.begin(), options.leave_out.end(), key) != options.leave_out.end();
        item.kind = dropped ? ImportItem::Kind::not_needed : ImportItem::Kind::unsupported;
        item.reason = dropped ? "left out as asked: " + reason : reason;
        if (item.key.empty()) item.key = item.target;
        item.target.clear();
        erase(target);
        return true;
    }
    return false;
}

std::vector<std::string> ImportSheet::left() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < map_.keys.size(); ++i)
        if (taken_.count(map_.keys[i].text) == 0) names.push_back(map_.keys[i].text);
    return names;
}

std::vector<ImportItem> ImportSheet::items() const {
    auto sorted = items_;
    std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<ImportItem> result;
    for (auto& [line, item] : sorted) result.push_back(std::move(item));
    return result;
}

void apply_rules(ImportSheet& sheet, const std::vector<ImportRule>& rules) {
    for (const ImportRule& rule : rules) {
        if (sheet.is_taken(rule.key)) continue;
        const auto taken = sheet.take(rule.key);
        if (!taken) continue;
        if (rule.action == ImportRule::Action::copy) sheet.mapped(*taken, rule.text);
        else if (rule.action == ImportRule::Action::pass || is_off(*taken->node))
            sheet.not_needed(*taken, rule.action == ImportRule::Action::pass ? rule.text : "off");
        else sheet.unsupported(*taken, rule.text);
    }
}

void import_model(ImportSheet& sheet, const std::string& key) {
    const auto taken = sheet.take(key);
    if (!taken) return;
    sheet.mapped(*taken, "model");
    const bool given = std::any_of(sheet.options.overrides.begin(), sheet.options.overrides.end(),
                                   [](const std::string& word) { return word.starts_with("model="); });
    if (!given && !std::filesystem::exists(taken->text())) sheet.to_do(*taken, "no such directory here: put the model there, or give model=DIR");
}

void import_quantization(ImportSheet& sheet, const std::string& double_quant) {
    const auto four_bits = sheet.take("load_in_4bit"), kind = sheet.take("bnb_4bit_quant_type"), twice = sheet.take(double_quant);
    const bool on = four_bits && !is_off(*four_bits->node);
    if (four_bits && on) sheet.mapped(*four_bits, "load_in_4bit", true);
    else if (four_bits) sheet.not_needed(*four_bits, "off");
    if (kind && on && kind->text() != "nf4") sheet.unsupported(*kind, "4-bit weights are nf4");
    else if (kind) sheet.not_needed(*kind, on ? "always" : "of load_in_4bit");
    if (twice && on) sheet.mapped(*twice, "bnb_4bit_use_double_quant", !is_off(*twice->node));
    else if (twice) sheet.not_needed(*twice, "of load_in_4bit");
    for (const char* name : {"bnb_4bit_compute_dtype", "bnb_4bit_quant_storage"})
        if (const auto taken = sheet.take(name))
            sheet.not_needed(*taken, on ? "dtype says what is computed in; the numbers are two a byte" : "of load_in_4bit");
}

// The variants compute AdamW; those of 8 bits round its moments to save memory.
void import_optimizer(ImportSheet& sheet, const std::string& key) {
    const auto taken = sheet.take(key);
    if (!taken) return;
    const std::string& name = taken->node->text;
    if (name == "adamw_torch" || name == "adamw_torch_fused" || name == "adamw_hf" || name == "adamw_apex_fused" || name == "adamw_torch_npu_fused")
        sheet.not_needed(*taken, "AdamW, as here");
    else if (name.find("adamw") != std::string::npos && (name.find("8bit") != std::string::npos || name.find("paged") != std::string::npos))
        sheet.changed(*taken, "AdamW with moments in float32, which " + name + " rounds or pages to save memory");
    else sheet.unsupported(*taken, fmt::format("the optimizer is AdamW; {} would take other steps", name));
}

void import_run_name(ImportSheet& sheet, const std::string& key) {
    const auto taken = sheet.take(key);
    if (!taken || taken->text().empty()) return;
    std::string name;
    for (const char c : taken->text()) name += std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-' ? c : '-';
    if (std::isalnum(static_cast<unsigned char>(name[0])) == 0) name = "run-" + name;
    if (name == taken->text()) sheet.mapped(*taken, "run_name", name);
    else sheet.changed(*taken, "run_name", name, "a run's name is part of a directory's");
}

void import_special_token(ImportSheet& sheet, const ImportSheet::Taken& taken, const std::string& token) {
    const std::string text = taken.node->text;
    if (token == "pad_token") return sheet.not_needed(taken, "rows are laid end to end without padding");
    const Json* model = sheet.find("model");
    const std::filesystem::path directory = model != nullptr && model->is_string() ? model->get<std::string>() : "";
    if (!directory.empty() && std::filesystem::exists(directory / "tokenizer.json")) {
        const Tokenizer tokenizer = Tokenizer::from_directory(directory);
        const std::string ours = token == "eos_token" ? tokenizer.eos_token() : token == "bos_token" ? tokenizer.bos_token() : text;
        if (ours == text) return sheet.not_needed(taken, "the tokenizer's own");
        return sheet.unsupported(taken, fmt::format("the tokenizer's {} is \"{}\": tokenizer_config.json says which it is", token, ours));
    }
    sheet.to_do(taken, fmt::format("the tokenizer's own {} is taken: see that tokenizer_config.json says \"{}\"", token, text));
}

void import_data_files(ImportSheet& sheet, const std::string& where, const Json& files) {
    sheet.set("data.train", files);
    if (std::any_of(sheet.options.overrides.begin(), sheet.options.overrides.end(),
                    [](const std::string& word) { return word.starts_with("data.train="); }))
        return;
    for (const Json& file : files) {
        const std::string path = file.at("path").get<std::string>();
        if (!std::filesystem::exists(path))
            sheet.to_do(
                "data.train", where, "data.train",
                fmt::format("{} is no file or directory here: save it there (datasets' save_to_disk, or JSONL), or give {}=PATH", path, path));
    }
}

}  // namespace temper
