#include <limits>

#include <fmt/format.h>

#include "io/json_text.h"
#include "runs/comparison_text.h"
#include "runs/report_style.h"
#include "runs/svg_chart.h"

namespace temper {
namespace {

std::string text_of(const Json& value) {
    if (value.is_null()) return "–";
    if (value.is_number()) return compact_number(value.get<double>());
    return text_or_json(value);
}

std::string cell(const Json& value) { return fmt::format("<td{}>{}</td>", value.is_number() ? " class=\"n\"" : "", escape_html(text_of(value))); }

std::string table(const std::string& title, const std::vector<std::string>& heads, const std::string& rows) {
    if (rows.empty()) return "";
    std::string head;
    for (const std::string& name : heads) head += "<th>" + escape_html(name) + "</th>";
    return fmt::format("<h2>{}</h2>\n<div class=\"card\"><table><tr>{}</tr>{}</table></div>\n", escape_html(title), head, rows);
}

std::string scores(const Json& comparison) {
    std::string rows;
    for (const Json& score : comparison["scores"]) {
        const bool certain = score.value("certain", false);
        const std::string range =
            score.contains("p") ? fmt::format("{:+.4f} … {:+.4f}", score["low"].get<double>(), score["high"].get<double>()) : "–";
        const Json& better = score["better"];
        const std::string verdict = better == "a" ? "a is better" : better == "b" ? "b is better" : better == "" ? "equal" : "–";
        rows += "<tr>" + cell(score["name"]) + cell(score["a"]) + cell(score["b"]) + cell(score["difference"]) +
                fmt::format("<td class=\"n\">{}</td>", range) + cell(score.value("p", Json())) + cell(score.value("samples", Json())) +
                fmt::format("<td{}>{}{}</td></tr>", certain ? fmt::format(" class=\"{}\"", better == "b" ? "finished" : "failed") : "", verdict,
                            certain ? ", certain" : "");
    }
    return table("Scores side by side", {"score", "a", "b", "b − a", "95% of b − a", "p", "samples", ""}, rows);
}

std::string numbers(const std::string& title, const Json& list) {
    std::string rows;
    for (const Json& one : list)
        rows += "<tr>" + cell(one["name"]) + cell(one["a"]) + cell(one["b"]) + cell(one["difference"]) + cell(one["better"]) + "</tr>";
    return table(title, {"", "a", "b", "b − a", "better"}, rows);
}

std::string differences(const std::string& title, const Json& list) {
    std::string rows;
    for (const Json& one : list) rows += "<tr>" + cell(one["name"]) + cell(one["a"]) + cell(one["b"]) + "</tr>";
    return table(title, {"", "a", "b"}, rows);
}

std::string data(const Json& comparison) {
    std::string rows;
    for (const Json& file : comparison["data"]) {
        rows += "<tr>" + cell(file["role"]) + cell(file["a"]) + cell(file["b"]);
        for (const char* name : {"added", "removed", "changed", "note"}) rows += cell(file.value(name, Json()));
        rows += "</tr>";
        for (const Json& example : file.value("examples", Json::array()))
            rows += fmt::format("<tr><td>{}</td><td colspan=\"6\"><pre>{}\n{}</pre></td></tr>", escape_html(text_of(example["what"])),
                                escape_html(example.contains("a") ? "- " + text_of(example["a"]) : ""),
                                escape_html(example.contains("b") ? "+ " + text_of(example["b"]) : ""));
    }
    return table("Data that differs", {"role", "a", "b", "added", "removed", "changed", ""}, rows);
}

std::vector<ChartPoint> points_of(const std::vector<Json>& rows, const char* name) {
    std::vector<ChartPoint> points;
    for (const Json& row : rows) {
        if (!row.is_object() || !row.contains(name) || !row.contains("step") || !row["step"].is_number()) continue;
        const Json& y = row[name];
        points.push_back({row["step"].get<double>(), y.is_number() ? y.get<double>() : std::numeric_limits<double>::quiet_NaN()});
    }
    return points;
}

std::string curves(const std::vector<Json>& a, const std::vector<Json>& b) {
    static const std::pair<const char*, const char*> all[] = {{"loss", "Loss"},
                                                              {"eval_loss", "Evaluation loss"},
                                                              {"mean_token_accuracy", "Token accuracy"},
                                                              {"rewards/accuracies", "Reward accuracy"},
                                                              {"rewards/margins", "Reward margin"},
                                                              {"grad_norm", "Gradient norm"},
                                                              {"tokens_per_second", "Tokens a second"}};
    std::string html;
    for (const auto& [name, title] : all) {
        const bool marks = std::string_view(name).starts_with("eval_");
        html += line_chart(title, "step", {{"a", points_of(a, name), marks, !marks}, {"b", points_of(b, name), marks, !marks}});
    }
    return html.empty() ? "" : "<h2>Curves side by side</h2>\n<div class=\"charts\">" + html + "</div>\n";
}

}  // namespace

std::string comparison_html(const Json& comparison, const std::vector<Json>& metrics_a, const std::vector<Json>& metrics_b) {
    const auto run = [&](const char* name) { return escape_html(text_of(comparison[name]["run_id"])); };
    std::string html = fmt::format("<h2>Comparison</h2>\n<p class=\"sub\">a: {}<br>b: {}</p>\n", run("a"), run("b"));
    html += scores(comparison) + curves(metrics_a, metrics_b) + numbers("Metrics side by side", comparison["metrics"]);
    html += numbers("Performance side by side", comparison["performance"]) + data(comparison);
    html += differences("Settings that differ", comparison["settings"]) + differences("Kernels that differ", comparison["kernels"]);
    return html + differences("Environment that differs", comparison["environment"]);
}

std::string comparison_page(const Json& comparison, const std::vector<Json>& metrics_a, const std::vector<Json>& metrics_b) {
    return fmt::format(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width,initial-scale=1\">\n<title>Comparison · "
        "temper</title>\n<style>{}</style></head><body><main>\n{}</main></body></html>\n",
        report_style, comparison_html(comparison, metrics_a, metrics_b));
}

}  // namespace temper
