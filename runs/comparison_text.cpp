#include "runs/comparison_text.h"
#include "io/json_text.h"

#include <fmt/format.h>

namespace temper {
namespace {

std::string text_of(const Json& value) {
    if (value.is_null()) return "-";
    if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
    return text_or_json(value);
}

std::string certainty_of(const Json& score) {
    if (!score.contains("p")) return fmt::format(", no samples to tell how certain ({})", text_of(score.value("note", Json())));
    return fmt::format(" (95%: {:+.4f} to {:+.4f}, p {:.2g}, {} samples)", score["low"].get<double>(), score["high"].get<double>(),
                       score["p"].get<double>(), score["samples"].get<std::int64_t>());
}

std::string score_lines(const Json& comparison) {
    std::string decided, open;
    for (const Json& score : comparison["scores"]) {
        const Json& better = score["better"];
        const std::string figures = fmt::format("{}: {:.4f} -> {:.4f}, {:+.4f}{}", text_of(score["name"]), score["a"].get<double>(),
                                                score["b"].get<double>(), score["difference"].get<double>(), certainty_of(score));
        if (score.value("certain", false) && better.is_string() && better != "")
            decided += fmt::format("  {} is better on {}\n", text_of(better), figures);
        else open += fmt::format("  {}\n", figures);
    }
    const double level = comparison["summary"]["level"].get<double>();
    std::string text;
    if (!decided.empty()) text += fmt::format("certain (p < {}):\n", level) + decided;
    if (!open.empty()) text += "not told apart:\n" + open;
    if (!text.empty()) return text;
    for (const char* name : {"a", "b"})
        if (comparison[name]["scored"].is_null())
            text += fmt::format("no scores: {} has no evaluation\n", comparison[name]["run_id"].get<std::string>());
    return text.empty() ? "no scores that both have\n" : text;
}

std::string number_lines(const Json& comparison, const char* name) {
    std::string text;
    for (const Json& one : comparison[name])
        text += fmt::format("  {}: {} -> {}, {:+.4g}{}\n", text_of(one["name"]), text_of(one["a"]), text_of(one["b"]),
                            one["difference"].get<double>(), one["better"].is_null() ? "" : fmt::format(" ({} is better)", text_of(one["better"])));
    return text.empty() ? "" : fmt::format("{}:\n", name) + text;
}

std::string data_lines(const Json& comparison) {
    std::string text;
    for (const Json& file : comparison["data"]) {
        text += fmt::format("  {}: {} -> {}", text_of(file["role"]), text_of(file["a"]), text_of(file["b"]));
        if (file.contains("added"))
            text +=
                fmt::format(": {} rows added, {} removed, {} changed", text_of(file["added"]), text_of(file["removed"]), text_of(file["changed"]));
        else if (!file["a"].is_null() && !file["b"].is_null())
            text += fmt::format(": {} -> {} rows", text_of(file["rows_a"]), text_of(file["rows_b"]));
        if (file.contains("note")) text += "; " + text_of(file["note"]);
        text += "\n";
        for (const Json& example : file.value("examples", Json::array())) {
            if (example.contains("a")) text += fmt::format("    - {}\n", text_of(example["a"]));
            if (example.contains("b")) text += fmt::format("    + {}\n", text_of(example["b"]));
        }
    }
    return text.empty() ? "data: the same\n" : "data:\n" + text;
}

std::string difference_lines(const Json& comparison, const char* name) {
    std::string text;
    for (const Json& one : comparison[name]) text += fmt::format("  {}: {} -> {}\n", text_of(one["name"]), text_of(one["a"]), text_of(one["b"]));
    return text.empty() ? fmt::format("{}: the same\n", name) : fmt::format("{}:\n", name) + text;
}

}  // namespace

std::string comparison_text(const Json& comparison) {
    std::string text;
    for (const char* name : {"a", "b"}) {
        const Json& side = comparison[name];
        text += fmt::format("{}  {}  {}", name, text_of(side["run_dir"]), text_of(side["status"]));
        if (side["scored"].is_string() && side["scored"] != side["run_dir"]) text += fmt::format("  scores of {}", text_of(side["scored"]));
        text += "\n";
    }
    text += score_lines(comparison) + number_lines(comparison, "metrics") + number_lines(comparison, "performance") + data_lines(comparison);
    for (const char* name : {"settings", "kernels", "environment"}) text += difference_lines(comparison, name);
    return text;
}

}  // namespace temper
