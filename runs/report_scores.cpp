#include "runs/report_scores.h"

#include <algorithm>

#include "io/durable.h"
#include "io/rows/row_source.h"
#include "runs/report_parts.h"
#include "runs/svg_chart.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

constexpr std::size_t most_rows_read = 2000, most_worst = 12, most_beside = 40, most_text = 1200;

std::vector<std::string> texts_of(const Json& list) {
    std::vector<std::string> texts;
    if (list.is_array())
        for (const Json& text : list)
            if (text.is_string()) texts.push_back(text.get<std::string>());
    return texts;
}

std::string three_digits(const Json& value) { return value.is_number() ? fmt::format("{:.3f}", value.get<double>()) : "\u2013"; }

bool is_interval(const Json& value) { return value.is_array() && value.size() == 2 && value[0].is_number() && value[1].is_number(); }

std::string interval_text(const Json& value) {
    return is_interval(value) ? fmt::format("{:.3f} \u2026 {:.3f}", value[0].get<double>(), value[1].get<double>()) : "";
}

// A value and its interval between 0 and 1, or between 0 and 100.
std::string bar(const Json& entry) {
    const Json &value = member(entry, "value"), &interval = member(entry, "interval");
    if (!value.is_number() || !is_interval(interval)) return "";
    const double low = interval[0].get<double>(), high = interval[1].get<double>(), at = value.get<double>();
    const double most = std::max({low, high, at}) <= 1.0 ? 1.0 : 100.0;
    if (std::min({low, high, at}) < 0.0 || std::max({low, high, at}) > most) return "";
    const auto x = [&](double number) { return 4.0 + 112.0 * number / most; };
    return fmt::format(
        "<svg class=\"span\" viewBox=\"0 0 120 12\" aria-hidden=\"true\"><path class=\"grid\" d=\"M4 6H116\"/>"
        "<path class=\"s0\" d=\"M{:.1f} 6H{:.1f}\"/><circle class=\"d0\" cx=\"{:.1f}\" cy=\"6\" r=\"3.5\"/></svg>",
        x(low), x(high), x(at));
}

// What a system gains over the baseline; coloured where chance explains it in less than one case of twenty.
std::string difference(const Json& entry, bool higher_is_better) {
    const Json &gain = member(entry, "difference"), &p = member(entry, "p_value");
    if (!gain.is_number()) return "";
    const bool better = (gain.get<double>() > 0.0) == higher_is_better && gain.get<double>() != 0.0;
    const char* const colour = p.is_number() && p.get<double>() < 0.05 && gain.get<double>() != 0.0 ? better ? "better" : "worse" : "same";
    return fmt::format("<div class=\"{}\">{:+.3f} ({})<br>p {}</div>", colour, gain.get<double>(),
                       escape_html(interval_text(member(entry, "difference_interval"))), three_digits(p));
}

std::string value_cell(const Json& entry, bool higher_is_better) {
    if (!entry.is_object()) return "<td>\u2013</td>";
    return fmt::format("<td><b class=\"v\">{}</b> <span class=\"soft\">{}</span>{}{}</td>", three_digits(member(entry, "value")),
                       escape_html(interval_text(member(entry, "interval"))), bar(entry), difference(entry, higher_is_better));
}

std::string metric_table(const Json& metrics, const std::vector<std::string>& systems) {
    if (!metrics.is_object() || metrics.empty()) return "";
    std::string html = "<div class=\"card\"><table class=\"scores\"><tr><th></th>";
    for (const std::string& system : systems) html += fmt::format("<th>{}</th>", escape_html(system));
    html += "</tr>";
    for (const auto& [metric, entry] : metrics.items()) {
        const bool higher = member(entry, "higher_is_better") != false;
        html += fmt::format("<tr><th>{}{}</th>", escape_html(metric), higher ? "" : " \u2193");
        for (const std::string& system : systems) html += value_cell(member(member(entry, "systems"), system), higher);
        html += "</tr>";
    }
    return html + "</table></div>\n";
}

// Tags down, metrics across, of one system.
std::string tag_table(const Json& tags, const std::string& system) {
    if (!tags.is_object() || tags.empty()) return "";
    std::vector<std::string> metrics;
    std::string head = "<th></th><th class=\"n\">rows</th>", body;
    for (const auto& [tag, entry] : tags.items()) {
        if (!member(entry, "metrics").is_object()) continue;
        for (const auto& [metric, unused] : member(entry, "metrics").items())
            if (std::find(metrics.begin(), metrics.end(), metric) == metrics.end()) metrics.push_back(metric);
    }
    for (const std::string& metric : metrics) head += fmt::format("<th>{}</th>", escape_html(metric));
    for (const auto& [tag, entry] : tags.items()) {
        body += fmt::format("<tr><th>{}</th><td class=\"n\">{}</td>", escape_html(tag), escape_html(plain_text(member(entry, "rows"))));
        for (const std::string& metric : metrics) {
            const Json& value = member(member(member(member(entry, "metrics"), metric), "systems"), system);
            body += fmt::format("<td><b class=\"v\">{}</b> <span class=\"soft\">{}</span></td>", three_digits(member(value, "value")),
                                escape_html(interval_text(member(value, "interval"))));
        }
        body += "</tr>";
    }
    return fmt::format("<div class=\"card\"><table class=\"scores\"><tr>{}</tr>{}</table></div>\n", head, body);
}

std::string shown(const std::string& text) {
    if (text.size() <= most_text) return escape_html(text);
    std::size_t end = most_text;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return escape_html(text.substr(0, end)) + "\u2026";
}

// What was asked, as far as the row says it: its text, or its last user's turn.
std::string question_of(const Json& sample) {
    const Json& doc = member(sample, "doc");
    for (const char* name : {"prompt", "messages"}) {
        const Json& prompt = member(doc, name);
        if (prompt.is_string()) return prompt.get<std::string>();
        if (!prompt.is_array()) continue;
        for (auto turn = prompt.rbegin(); turn != prompt.rend(); ++turn)
            if (member(*turn, "role") == "user" && member(*turn, "content").is_string()) return member(*turn, "content").get<std::string>();
    }
    return plain_text(member(member(member(sample, "arguments"), "gen_args_0"), "arg_0"));
}

std::string answer_of(const Json& sample) {
    const Json& answers = member(sample, "filtered_resps");
    return answers.is_array() && !answers.empty() && answers[0].is_string() ? answers[0].get<std::string>() : "";
}

// The row's own numbers, and what its checks and judges found.
std::string marks_of(const Json& sample) {
    std::string html;
    for (const std::string& metric : texts_of(member(sample, "metrics")))
        if (!metric.starts_with("check/"))
            html += fmt::format("<span class=\"mark\">{} {}</span> ", escape_html(metric), escape_html(plain_text(member(sample, metric))));
    std::vector<std::pair<std::string, std::string>> faults;  // and the checks that found it
    if (const Json& checks = member(sample, "checks"); checks.is_object())
        for (const auto& [check, found] : checks.items()) {
            const std::string fault = found.is_string() ? found.get<std::string>() : "";
            if (fault.empty()) continue;
            const auto known = std::find_if(faults.begin(), faults.end(), [&](const auto& one) { return one.first == fault; });
            if (known == faults.end()) faults.emplace_back(fault, check);
            else known->second += ", " + check;
        }
    for (const auto& [fault, checks] : faults) html += fmt::format("<div class=\"fault\">{}: {}</div>", escape_html(checks), shown(fault));
    if (const Json& judges = member(sample, "judges"); judges.is_object())
        for (const auto& [judge, verdict] : judges.items())
            html +=
                fmt::format("<div class=\"soft\">{}: {}</div>", escape_html(judge),
                            shown(verdict.is_object() && verdict.contains("reason") ? plain_text(member(verdict, "reason")) : plain_text(verdict)));
    return html;
}

std::string row_head(const Json& sample) {
    std::string tags;
    for (const std::string& tag : texts_of(member(sample, "tags"))) tags += fmt::format(" <span class=\"mark\">{}</span>", escape_html(tag));
    return fmt::format("<th>{}{}</th><td><pre class=\"text\">{}</pre></td><td><pre class=\"text\">{}</pre></td>",
                       escape_html(plain_text(member(sample, "id"))), tags, shown(question_of(sample)), shown(plain_text(member(sample, "target"))));
}

std::string answer_cell(const Json& sample) {
    return fmt::format("<td><pre class=\"text\">{}</pre>{}</td>", shown(answer_of(sample)), marks_of(sample));
}

// A row's numbers in the order that decides which is worse: whether it passes its checks, what judges say, metrics.
std::vector<double> grades_of(const Json& sample, const Json& metrics) {
    std::vector<std::pair<int, double>> grades;
    for (const std::string& metric : texts_of(member(sample, "metrics"))) {
        const Json& value = member(sample, metric);
        if (!value.is_number() || metric.starts_with("check/")) continue;
        const double sign = member(member(metrics, metric), "higher_is_better") == false ? -1.0 : 1.0;
        grades.emplace_back(metric == "checks_passed" ? 0 : metric.starts_with("judge/") ? 1 : 2, sign * value.get<double>());
    }
    std::stable_sort(grades.begin(), grades.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    std::vector<double> values;
    for (const auto& [kind, value] : grades) values.push_back(value);
    return values;
}

std::string worst_rows(const std::vector<Json>& samples, const Json& metrics) {
    std::vector<std::pair<std::vector<double>, const Json*>> ranked;
    for (const Json& sample : samples) ranked.emplace_back(grades_of(sample, metrics), &sample);
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    ranked.resize(std::min(ranked.size(), most_worst));
    std::string html = "<div class=\"card\"><table class=\"rows\"><tr><th>row</th><th>question</th><th>reference</th><th>answer</th></tr>";
    for (const auto& [unused, sample] : ranked) html += "<tr>" + row_head(*sample) + answer_cell(*sample) + "</tr>";
    return html + "</table></div>\n";
}

// Rows in whose grades systems differ come first.
std::string side_by_side(const std::vector<std::string>& systems, const std::vector<const std::vector<Json>*>& samples, const Json& metrics) {
    std::size_t rows = samples[0]->size();
    for (const std::vector<Json>* own : samples) rows = std::min(rows, own->size());
    std::vector<std::pair<int, std::size_t>> order;
    for (std::size_t i = 0; i < rows; ++i) {
        const bool alike = std::all_of(samples.begin(), samples.end(), [&](const std::vector<Json>* own) {
            return grades_of((*own)[i], metrics) == grades_of((*samples[0])[i], metrics);
        });
        order.emplace_back(alike ? 1 : 0, i);
    }
    std::sort(order.begin(), order.end());
    order.resize(std::min(order.size(), most_beside));
    std::string html = "<div class=\"card\"><table class=\"rows\"><tr><th>row</th><th>question</th><th>reference</th>";
    for (const std::string& system : systems) html += fmt::format("<th>{}</th>", escape_html(system));
    html += "</tr>";
    for (const auto& [unused, i] : order) {
        html += "<tr>" + row_head((*samples[0])[i]);
        for (const std::vector<Json>* own : samples) html += answer_cell((*own)[i]);
        html += "</tr>";
    }
    return html + "</table></div>\n";
}

std::string folded(const std::string& title, const std::string& body, bool open) {
    return body.empty() ? "" : fmt::format("<details{}><summary>{}</summary>{}</details>\n", open ? " open" : "", escape_html(title), body);
}

std::string render_set(const std::string& name, const Json& set, const std::vector<std::string>& systems, const ReportSamples& samples) {
    const Json& metrics = member(set, "metrics");
    std::string html =
        fmt::format("<h2>{}: {} rows</h2>\n", escape_html(name), escape_html(plain_text(member(set, "rows")))) + metric_table(metrics, systems);
    for (const std::string& system : systems)
        html += folded(systems.size() == 1 ? "By tag" : "By tag: " + system, tag_table(member(set, "tags"), system), systems.size() == 1);
    std::vector<const std::vector<Json>*> own;
    for (const std::string& system : systems) {
        const auto of_system = samples.find(system);
        if (of_system == samples.end()) continue;
        const auto of_set = of_system->second.find(name);
        if (of_set == of_system->second.end() || of_set->second.empty()) continue;
        own.push_back(&of_set->second);
        html += folded(systems.size() == 1 ? "Worst rows" : "Worst rows: " + system, worst_rows(of_set->second, metrics), systems.size() == 1);
    }
    if (own.size() == systems.size() && own.size() > 1) html += folded("Answers side by side", side_by_side(systems, own, metrics), true);
    return html;
}

std::vector<Json> first_rows(const fs::path& file) {
    std::vector<Json> rows;
    if (!fs::exists(file)) return rows;
    const std::unique_ptr<RowSource> source = open_rows(file);
    for (Json row; rows.size() < most_rows_read && source->next(row);) rows.push_back(row);
    return rows;
}

}  // namespace

std::string render_scores(const Json& comparison, const ReportSamples& samples) {
    const std::vector<std::string> systems = texts_of(member(comparison, "systems"));
    const Json& sets = member(comparison, "sets");
    if (systems.empty() || !sets.is_object()) return "";
    std::string html;
    for (const auto& [name, set] : sets.items()) html += render_set(name, set, systems, samples);
    const Json& baseline = member(comparison, "baseline");
    const std::string compared = baseline.is_string()
                                     ? fmt::format(" Below a value: its difference to {}, its interval, and its p, on the same rows.",
                                                   escape_html(baseline.get<std::string>()))
                                     : "";
    return html + fmt::format("<p class=\"sub\">Intervals: 95%, of resampled rows.{} \u2193: less is better.</p>\n", compared);
}

std::string scores_of(const fs::path& eval) {
    if (!fs::exists(eval / "comparison.json")) return "";
    const std::size_t limit = std::size_t(64) << 20;
    const Json comparison = parse_json(read_file(eval / "comparison.json", limit), (eval / "comparison.json").string(), {limit, 64});
    const std::vector<std::string> systems = texts_of(member(comparison, "systems"));
    ReportSamples samples;
    for (const std::string& system : systems) {
        const Json& sets = member(comparison, "sets");
        if (!sets.is_object()) break;
        for (const auto& [set, unused] : sets.items())
            samples[system][set] = first_rows((fs::is_directory(eval / system) ? eval / system : eval) / ("samples_" + set + ".jsonl"));
    }
    return render_scores(comparison, samples);
}

}  // namespace temper
