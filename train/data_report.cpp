#include "train/data_report.h"

#include "io/json_section.h"
#include "io/log.h"

namespace temper {
namespace {

// One list of names for both directions.
template <class Report, class Visit> void each_figure(Report& r, const Visit& visit) {
    visit("rows", r.rows);
    visit("kept", r.kept);
    visit("not_drawn", r.not_drawn);
    visit("repeated", r.repeated);
    visit("tokens", r.tokens);
    visit("supervised_tokens", r.supervised);
    visit("truncated", r.truncated);
    visit("tokens_cut", r.tokens_cut);
    visit("dropped_overlong", r.dropped_overlong);
    visit("dropped_unsupervised", r.dropped_unsupervised);
    visit("no_end_token", r.no_end_token);
    visit("several_bos", r.several_bos);
    visit("longest", r.longest);
}

template <class Report, class Visit> void each_preference_figure(Report& r, const Visit& visit) {
    visit("identical", r.identical);
    visit("dropped_identical", r.dropped_identical);
    visit("empty", r.empty);
    visit("dropped_empty", r.dropped_empty);
    visit("dropped_prompt", r.dropped_prompt);
    visit("prompt_elsewhere", r.prompt_elsewhere);
    visit("prompt_end_left_out", r.prompt_end_left_out);
    visit("no_end_token_rejected", r.no_end_token_rejected);
    visit("desirable", r.desirable);
    visit("undesirable", r.undesirable);
    visit("longest_row", r.longest_row);
}

void log_preferences(const std::string& role, const PreferenceReport& p) {
    log_info("{} data: identical answers {} (dropped {}), empty answers {} (dropped {}), dropped for the prompt's length {}", role, p.identical,
             p.dropped_identical, p.empty, p.dropped_empty, p.dropped_prompt);
    if (p.desirable + p.undesirable > 0) log_info("{} data: {} desirable rows, {} undesirable", role, p.desirable, p.undesirable);
    if (p.identical > 0)
        log_warning("{} data: {} pairs have the same chosen and rejected answer, which is no preference{}; data.on_identical says what is done", role,
                    p.identical, p.dropped_identical == p.identical ? ": dropped" : "");
    if (p.empty > 0)
        log_warning("{} data: {} rows have an answer without text{}; data.on_empty says what is done", role, p.empty,
                    p.dropped_empty == p.empty ? ": dropped" : "");
    if (p.dropped_prompt > 0) log_warning("{} data: {} rows are dropped: the prompt alone fills data.max_length", role, p.dropped_prompt);
    if (p.prompt_elsewhere > 0)
        log_warning(
            "{} data: {} rows have no field prompt, and their answers begin with nothing in common or stand beside a field such as question that is "
            "not read: columns names it ({{prompt: question}})",
            role, p.prompt_elsewhere);
    if (p.prompt_end_left_out > 0)
        log_warning(
            "{} data: in {} rows the prompt's last tokens change when the answer follows: those are left out, so the model sees another "
            "prompt in training than in use; end prompts on a token's border, or take a chat template that writes both alike",
            role, p.prompt_end_left_out);
    if (p.no_end_token_rejected > 0)
        log_warning("{} data: {} rejected answers do not end with an end token, so stopping may count as preferred", role, p.no_end_token_rejected);
}

}  // namespace

Json report_to_json(const DataReport& report) {
    Json json = Json::object();
    const auto write = [&](const char* name, std::int64_t value) { json[name] = value; };
    each_figure(report, write);
    if (report.preference) each_preference_figure(*report.preference, write);
    return json;
}

DataReport report_from_json(const Json& json) {
    DataReport report;
    const JsonSection section(json, "report");
    const auto read = [&](const char* name, std::int64_t& value) { value = section.integer(name, INT64_MIN, INT64_MAX); };
    each_figure(report, read);
    if (json.contains("identical")) each_preference_figure(report.preference.emplace(), read);
    return report;
}

Json source_to_json(const DataSource& source) {
    return {{"path", source.path}, {"sha256", source.sha256}, {"rows", source.rows}, {"format", source.format}, {"forms", source.forms}};
}

DataSource source_from_json(const Json& j) {
    const JsonSection section(j, "source"), forms = section.child("forms");
    DataSource source{section.text("path"), section.text("sha256"), section.integer("rows", 0, INT64_MAX), section.text("format"), {}};
    for (const auto& [form, rows] : forms.json().items()) source.forms[form] = forms.integer_of(form, rows, 0, INT64_MAX);
    return source;
}

Json data_report_json(const DataReport& report, const std::vector<DataSource>& sources, const std::string& template_sha256) {
    Json json = report_to_json(report);
    json["chat_template_sha256"] = template_sha256;
    json["files"] = Json::array();
    for (const DataSource& source : sources) json["files"].push_back(source_to_json(source));
    return json;
}

void log_data_report(const std::string& role, const DataReport& r, const std::vector<DataSource>& sources) {
    for (const DataSource& source : sources) {
        std::string forms;
        for (const auto& [form, rows] : source.forms) forms += fmt::format("{}{} {}", forms.empty() ? "" : ", ", rows, form);
        log_info("{} data: {} ({}): {} rows, {}", role, source.path, source.format, source.rows, forms.empty() ? "none taken" : forms);
    }
    log_info("{} data: {} rows kept of {}, {} tokens, {} supervised ({:.1f}%), longest {}", role, r.kept, r.rows, r.tokens, r.supervised,
             100.0 * static_cast<double>(r.supervised) / static_cast<double>(r.tokens), r.longest);
    if (r.not_drawn > 0 || r.repeated > 0)
        log_info("{} data: left out by a weight below 1: {}, drawn once more by a weight above 1: {}", role, r.not_drawn, r.repeated);
    log_info(
        "{} data: truncated {} ({} tokens cut), dropped as too long {}, dropped with nothing supervised {}, without an end token {}, with two BOS {}",
        role, r.truncated, r.tokens_cut, r.dropped_overlong, r.dropped_unsupervised, r.no_end_token, r.several_bos);
    if (r.no_end_token > 0)
        log_warning("{} data: {} rows do not end with an end token: the model does not learn to stop there", role, r.no_end_token);
    if (r.several_bos > 0)
        log_warning("{} data: {} rows begin with two BOS tokens: the template and the tokenizer both add one", role, r.several_bos);
    if (r.preference) log_preferences(role, *r.preference);
}

}  // namespace temper
