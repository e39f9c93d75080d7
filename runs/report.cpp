#include "runs/report.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "io/durable.h"
#include "io/log.h"
#include "kernels/error.h"
#include "runs/metrics_journal.h"
#include "runs/report_nested.h"
#include "runs/report_parts.h"
#include "runs/report_scores.h"
#include "runs/report_style.h"
#include "runs/svg_chart.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

std::string bytes_text(double bytes) {
    if (bytes >= 1e9) return fmt::format("{:.2f} GB", bytes / 1e9);
    return bytes >= 1e6 ? fmt::format("{:.1f} MB", bytes / 1e6) : fmt::format("{:.1f} kB", bytes / 1e3);
}

std::string tile(const std::string& name, const std::string& value) {
    return fmt::format("<div class=\"tile\"><span>{}</span><b>{}</b></div>", escape_html(name), escape_html(value));
}

std::string tiles(const Json& record) {
    std::string html;
    const Json& metrics = member(record, "metrics");
    const std::pair<const char*, const char*> named[] = {{"loss", "Training loss"},
                                                         {"eval_loss", "Evaluation loss"},
                                                         {"mean_token_accuracy", "Token accuracy"},
                                                         {"eval_mean_token_accuracy", "Evaluation token accuracy"},
                                                         {"rewards/accuracies", "Reward accuracy"},
                                                         {"rewards/margins", "Reward margin"},
                                                         {"step", "Steps"},
                                                         {"best_step", "Best step"}};
    for (const auto& [name, title] : named) {
        if (const Json& value = member(metrics, name); value.is_number()) html += tile(title, plain_text(value));
    }
    const Json& performance = member(record, "performance");
    const auto put = [&](const char* name, const char* title, auto format) {
        if (const Json& value = member(performance, name); value.is_number()) html += tile(title, format(value.get<double>()));
    };
    const auto count = [](double value) { return compact_number(value); };
    put("tokens", "Tokens", count);
    put("tokens_per_second", "Tokens a second", count);
    put("seconds", "Time in steps", duration_text);
    put("flops_per_second", "FLOP/s", [](double value) { return compact_number(value); });
    put("share_of_peak", "Share of measured peak", [](double value) { return fmt::format("{:.1f}%", value * 100); });
    put("peak_memory_bytes", "Peak memory of a rank", bytes_text);
    put("peak_device_memory_bytes", "Peak device memory of a rank", bytes_text);
    put("wall_seconds", "Wall time", duration_text);
    put("energy_joules", "Energy of the host", [](double value) { return fmt::format("{:.2f} kWh", value / 3.6e6); });
    put("cost", "Cost", count);
    return html.empty() ? "" : "<div class=\"tiles\">" + html + "</div>\n";
}

std::vector<ChartPoint> points_of(const std::vector<Json>& rows, const std::string& name) {
    std::vector<ChartPoint> points;
    for (const Json& row : rows) {
        const Json &x = member(row, "step"), &y = member(row, name);
        if (!x.is_number() || !row.contains(name)) continue;
        points.push_back({x.get<double>(), y.is_number() ? y.get<double>() : std::numeric_limits<double>::quiet_NaN()});
    }
    return points;
}

std::string charts(const std::vector<Json>& rows) {
    struct Line {
        const char *key, *name;
    };
    struct Chart {
        const char* title;
        std::vector<Line> lines;
        bool smooth;
    };
    static const Chart all[] = {{"Loss", {{"loss", "training"}, {"eval_loss", "evaluation"}}, true},
                                {"Token accuracy", {{"mean_token_accuracy", "training"}, {"eval_mean_token_accuracy", "evaluation"}}, true},
                                {"Rewards", {{"rewards/chosen", "chosen"}, {"rewards/rejected", "rejected"}}, true},
                                {"Reward accuracy", {{"rewards/accuracies", "training"}, {"eval_rewards/accuracies", "evaluation"}}, true},
                                {"Reward margin", {{"rewards/margins", "training"}, {"eval_rewards/margins", "evaluation"}}, true},
                                {"Log-probabilities", {{"logps/chosen", "chosen"}, {"logps/rejected", "rejected"}}, true},
                                {"Gradient norm", {{"grad_norm", "before clipping"}}, true},
                                {"Learning rate", {{"learning_rate", "of the step"}}, false},
                                {"Tokens a second", {{"tokens_per_second", "all ranks"}}, true}};
    std::string html;
    for (const Chart& chart : all) {
        std::vector<ChartSeries> series;
        for (const Line& line : chart.lines) {
            const bool evaluation = std::string_view(line.key).starts_with("eval_");
            series.push_back({line.name, points_of(rows, line.key), evaluation, chart.smooth && !evaluation});
        }
        html += line_chart(chart.title, "step", std::move(series));
    }
    return html.empty() ? "" : "<h2>Curves</h2>\n<div class=\"charts\">" + html + "</div>\n";
}

std::string cell(const Json& value) { return fmt::format("<td{}>{}</td>", value.is_number() ? " class=\"n\"" : "", escape_html(plain_text(value))); }

// A table of two columns; nested objects open under dotted names.
void flatten(const Json& value, const std::string& name, std::string& rows) {
    if (value.is_object() && !value.empty()) {
        for (const auto& [key, inner] : value.items()) flatten(inner, name.empty() ? key : name + "." + key, rows);
        return;
    }
    // Numbers as they are written in the file, to be copied.
    const std::string text = value.is_number() ? value.dump() : plain_text(value);
    if (!name.empty()) rows += fmt::format("<tr><th>{}</th><td>{}</td></tr>", escape_html(name), escape_html(text));
}

std::string pairs(const std::string& title, const Json& object) {
    std::string rows;
    flatten(object, "", rows);
    return rows.empty() ? "" : fmt::format("<h2>{}</h2>\n<div class=\"card\"><table>{}</table></div>\n", escape_html(title), rows);
}

// Objects side by side: one column each, a row for each key that any of them has.
std::string columns(const std::string& title, const Json& objects) {
    if (!objects.is_object() || objects.empty()) return "";
    std::vector<std::string> keys;
    std::string head = "<th></th>", body;
    for (const auto& [name, object] : objects.items()) {
        if (!object.is_object()) return pairs(title, objects);
        head += fmt::format("<th class=\"n\">{}</th>", escape_html(name));
        for (const auto& [key, unused] : object.items()) {
            if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
        }
    }
    for (const std::string& key : keys) {
        std::string label = key;
        std::replace(label.begin(), label.end(), '_', ' ');
        body += fmt::format("<tr><th>{}</th>", escape_html(label));
        for (const auto& [name, object] : objects.items()) body += cell(member(object, key));
        body += "</tr>";
    }
    return fmt::format("<h2>{}</h2>\n<div class=\"card\"><table><tr>{}</tr>{}</table></div>\n", escape_html(title), head, body);
}

std::string list(const std::string& title, const Json& entries, std::initializer_list<const char*> names) {
    if (!entries.is_array() || entries.empty()) return "";
    std::string head, body;
    for (const char* name : names)
        head += fmt::format("<th{}>{}</th>", member(entries[0], name).is_number() ? " class=\"n\"" : "", escape_html(name));
    for (const Json& entry : entries) {
        body += "<tr>";
        for (const char* name : names) {
            const Json& value = member(entry, name);
            body += std::string_view(name) == "sha256" ? fmt::format("<td><code>{}</code></td>", escape_html(plain_text(value).substr(0, 16)))
                                                       : cell(value);
        }
        body += "</tr>";
    }
    return fmt::format("<h2>{}</h2>\n<div class=\"card\"><table><tr>{}</tr>{}</table></div>\n", escape_html(title), head, body);
}

std::string header(const Json& record) {
    const std::string status = plain_text(member(record, "status")), name = plain_text(member(record, "run_name"));
    std::string html = fmt::format("<h1>{}<span class=\"pill {}\">{}</span></h1>\n<p class=\"sub\">{}", escape_html(name), escape_html(status),
                                   escape_html(status), escape_html(plain_text(member(record, "run_id"))));
    const Json& environment = member(record, "environment");
    if (const Json& model = member(member(record, "config"), "model"); model.is_string()) html += " · " + escape_html(model.get<std::string>());
    if (const Json& host = member(environment, "host"); host.is_string()) html += " · " + escape_html(host.get<std::string>());
    if (const Json& ranks = member(environment, "ranks"); ranks.is_number_integer()) {
        html += fmt::format(" · {} rank{} × {} thread{}", ranks.dump(), ranks == 1 ? "" : "s", plain_text(member(environment, "threads")),
                            member(environment, "threads") == 1 ? "" : "s");
    }
    html += "</p>\n";
    if (const Json& message = member(record, "message"); message.is_string() && !message.get<std::string>().empty()) {
        html += fmt::format("<div class=\"card error\">{}</div>\n", escape_html(message.get<std::string>()));
    }
    return html;
}

std::string command(const Json& record) {
    const Json& words = member(record, "command");
    if (!words.is_array() || words.empty()) return "";
    std::string line;
    for (const Json& word : words) line += (line.empty() ? "" : " ") + plain_text(word);
    return fmt::format("<h2>Command</h2>\n<div class=\"card\"><pre>{}</pre></div>\n", escape_html(line));
}

Json read_json_or_null(const fs::path& path) {
    if (!fs::exists(path)) return nullptr;
    const std::size_t limit = std::size_t(64) << 20;
    return parse_json(read_file(path, limit), path.string(), {limit, 64});
}

}  // namespace

std::string render_report(const Json& record, const std::vector<Json>& metrics, const Json& scores, const std::string& score_sections,
                          const std::string& nested) {
    std::string html = fmt::format(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\">\n<title>{} · "
        "temper</title>\n<style>{}</style></head><body><main>\n",
        escape_html(plain_text(member(record, "run_name"))), report_style);
    html += header(record) + tiles(record) + charts(metrics);
    html += score_sections.empty() ? columns("Scores", member(scores, "results")) : score_sections;
    html += nested;
    html += columns("Data", member(record, "data_report"));
    html += list("Data files", member(record, "data"), {"role", "path", "rows", "sha256"});
    html += list("Stages", member(record, "stages"), {"name", "status", "started_at", "seconds"});
    html += command(record);
    html += pairs("Configuration", member(record, "config"));
    html += pairs("Environment", member(record, "environment"));
    html += pairs("Tags", member(record, "tags"));
    html += pairs("Parameters", member(record, "params"));
    html += list("Cost", member(member(record, "cost"), "items"), {"what", "quantity", "unit", "price", "amount"});
    html += list("Artifacts", member(record, "artifacts"), {"role", "path", "bytes", "sha256"});
    return html + "</main></body></html>\n";
}

void write_report(const fs::path& run_dir, const std::string& more) {
    const Json record = read_json_or_null(run_dir / "run.json");
    const fs::path metrics = run_dir / "metrics.jsonl";
    const std::vector<Json> rows = fs::exists(metrics) ? MetricsJournal::read_all(metrics) : std::vector<Json>();
    std::string page = render_report(record, rows, read_json_or_null(run_dir / "eval" / "results.json"), scores_of(run_dir / "eval"),
                                     nested_runs_html(nested_runs(run_dir)));
    page.insert(page.rfind("</main>"), more);
    write_durable(run_dir / "report.html", page);
}

void write_report_or_warn(const fs::path& run_dir) {
    try {
        write_report(run_dir);
    } catch (const std::exception& error) {  // also of the file system's own calls, and of JSON of another shape
        log_warning("report.html: {}", error.what());
    }
}

}  // namespace temper
