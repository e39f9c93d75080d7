#include "eval/evaluation_set.h"

#include <algorithm>
#include <map>
#include <set>

#include "eval/evaluation_set_fields.h"
#include "eval/prompt_rows.h"
#include "eval/yaml_value.h"
#include "io/durable.h"
#include "io/json_text.h"
#include "io/rows/row_source.h"
#include "io/yaml.h"
#include "kernels/error.h"
#include "runs/prompts.h"

namespace temper {
namespace {

Fields fields_of(SetSettings& settings) {
    Fields fields;
    describe(fields, settings);
    return fields;
}

std::string label_of(const Json& id, const std::string& place) {
    if (id.is_string()) return id.get<std::string>();
    if (id.is_number_integer()) return id.dump();
    throw_error(ExitCode::bad_data, "{}: field 'id' is {}, expected a text or a whole number", place, id.dump());
}

std::vector<std::string> tags_of(const Json& row, const std::string& place) {
    std::vector<std::string> tags;
    if (!row.contains("tags") || row.at("tags").is_null()) return tags;
    const Json& own = row.at("tags");
    for (const Json& tag : own.is_array() ? own : Json::array({own})) {
        if (!tag.is_string()) throw_error(ExitCode::bad_data, "{}: field 'tags' holds {}, expected texts", place, tag.dump());
        if (std::find(tags.begin(), tags.end(), tag.get<std::string>()) == tags.end()) tags.push_back(tag.get<std::string>());
    }
    return tags;
}

bool has(const std::vector<std::string>& all, const std::string& one) { return std::find(all.begin(), all.end(), one) != all.end(); }

// Whether these filters keep the row; none of them: they do.
bool keeps(const std::vector<std::string>& ids, const std::vector<std::string>& tags, const SetRow& row) {
    return (ids.empty() || has(ids, row.id)) && std::all_of(tags.begin(), tags.end(), [&](const std::string& tag) { return has(row.tags, tag); });
}

}  // namespace

EvaluationSet::EvaluationSet(const std::filesystem::path& file, const RowFilter& filter) : file_(file), text_(read_file(file, std::size_t(1) << 20)) {
    read_settings();
    read_rows(filter);
}

std::filesystem::path EvaluationSet::beside(const std::string& path) const {
    return std::filesystem::path(path).is_absolute() ? std::filesystem::path(path) : file_.parent_path() / path;
}

void EvaluationSet::read_settings() {
    Settings settings(fields_of(settings_));
    settings.apply_yaml(text_, file_.string());
    const auto refuse = [&](const char* field, const std::string& what) {
        throw_error(ExitCode::usage, "{}: {}: {}", settings.was_set(field) ? settings.where(field) : file_.string(), field, what);
    };
    if (settings_.name.empty()) settings_.name = file_.stem().string();
    if (settings_.name.find_first_of("/\\ \t\n") != std::string::npos) refuse("name", "expected a plain name, found " + settings_.name);
    if (settings_.data.empty()) refuse("data", "missing: the files of the rows");
    if (settings_.prompt && settings_.prompt_file) refuse("prompt_file", "prompt is given as well");
    if (settings_.prompt_file) settings_.prompt = read_file(beside(*settings_.prompt_file), std::size_t(1) << 20);
    if (const auto registered = settings_.prompt ? referenced_text(*settings_.prompt) : std::nullopt) settings_.prompt = registered->body;
    make_metrics(settings_.metrics, settings_.metric);
    const YamlNode root = parse_yaml(text_, file_.string());
    if (const YamlNode* const list = root.find("checks")) {
        checks_ = std::make_unique<HardChecks>(*list, file_.string());
        checks_json_ = yaml_value(*list, file_.string());
    }
    if (settings_.metrics.empty() && !checks_ && settings_.judges.empty())
        refuse("metrics", "nothing grades the answers: give metrics, checks or judges");
    std::set<std::string> judges;
    for (JudgeSettings& judge : settings_.judges) {
        if (judge.kind.empty()) refuse("judges", "an entry has no kind");
        if (judge.kind == "score" && (!judge.name || !judge.prompt)) refuse("judges", "a judge of kind score needs a name and a prompt");
        if (!judges.insert(judge.name.value_or(judge.kind)).second) refuse("judges", "two of the name " + judge.name.value_or(judge.kind));
        if (judge.prompt && !judge.prompt->starts_with("alias:")) judge.prompt = beside(*judge.prompt).string();
    }
    if (!settings_.judges.empty() && settings_.endpoint.model.empty()) refuse("endpoint.model", "missing: the model that judges");
    if (settings_.max_cost > 0 && price_of(settings_.prices, settings_.endpoint.model) == nullptr)
        refuse("max_cost", "needs an entry of prices for " + settings_.endpoint.model);
    for (const std::string& data : settings_.data) data_.push_back(beside(data));
}

void EvaluationSet::read_rows(const RowFilter& filter) {
    std::map<std::string, std::string> places;  // by id
    for (const std::filesystem::path& data : data_) {
        const std::unique_ptr<RowSource> source = open_rows(data);
        Json fields;
        while (source->next(fields)) {
            SetRow row;
            row.place = source->place();
            if (!fields.is_object()) throw_error(ExitCode::bad_data, "{}: expected an object, found {}", row.place, fields.type_name());
            ++all_rows_;
            row.id = fields.contains("id") ? label_of(fields.at("id"), row.place) : std::to_string(all_rows_);
            const auto [first, fresh] = places.emplace(row.id, row.place);
            if (!fresh) throw_error(ExitCode::bad_data, "{}: id {} stands at {} already", row.place, row.id, first->second);
            row.tags = tags_of(fields, row.place);
            if (!keeps(settings_.ids, settings_.tags, row) || !keeps(filter.ids, filter.tags, row)) continue;
            if (!settings_.prompt) row.prompt = prompt_of(fields, row.place);
            if (const auto reference = reference_of(fields); reference && !fields.contains("reference")) fields["reference"] = *reference;
            row.fields = std::move(fields);
            rows_.push_back(std::move(row));
        }
    }
    for (const std::string& id : filter.ids)
        if (!places.contains(id)) throw_error(ExitCode::usage, "{}: no row has the id {}", settings_.name, id);
    for (const std::int64_t limit : {settings_.limit, filter.limit})
        if (limit > 0 && static_cast<std::int64_t>(rows_.size()) > limit) rows_.resize(static_cast<std::size_t>(limit));
    if (rows_.empty()) throw_error(ExitCode::bad_data, "{}: no row of {} is left by ids and tags", file_.string(), all_rows_);
}

std::vector<std::string> EvaluationSet::tags() const {
    std::vector<std::string> tags;
    for (const SetRow& row : rows_)
        for (const std::string& tag : row.tags)
            if (!has(tags, tag)) tags.push_back(tag);
    return tags;
}

Json EvaluationSet::json() const {
    SetSettings copy = settings_;  // fields are bound to a value that they could change
    Json json = settings_json(fields_of(copy));
    if (!checks_json_.is_null()) json["checks"] = checks_json_;
    const YamlNode root = parse_yaml(text_, file_.string());
    if (const YamlNode* const prompt = root.find("prompt"); prompt != nullptr && prompt->text.starts_with("alias:")) {
        json["prompt_reference"] = prompt->text;
        json["prompt_sha256"] = sha256_hex(*settings_.prompt);
    }
    if (settings_.judges.empty())
        for (const char* name : {"judges", "endpoint", "prices", "max_cost", "context_field"}) json.erase(name);
    return json;
}

std::string EvaluationSet::identity() const {
    Json settings = json();
    for (const char* name : {"prices", "max_cost", "data"}) settings.erase(name);
    if (!settings_.judges.empty()) settings["endpoint"] = deciding_settings(settings_.endpoint);
    std::string text = settings.dump() + "\n";
    for (const SetRow& row : rows_) text += json_text(row.fields) + "\n";
    return sha256_hex(text);
}

std::string evaluation_set_help() {
    SetSettings settings;
    return settings_help(fields_of(settings));
}

}  // namespace temper
