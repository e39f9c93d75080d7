#include "runs/gate_report.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "runs/gate_verdict.h"
#include "runs/run_record.h"

namespace temper {
namespace {

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json check_json(const GateCheck& check) {
    Json json{{"name", check.name}, {"metric", check.metric}, {"kind", check.kind}, {"passed", check.passed}, {"reason", check.reason}};
    json["value"] = number_or_null(check.value);
    json["baseline"] = number_or_null(check.baseline);
    json["limit"] = number_or_null(check.limit);
    if (check.samples > 0) json["samples"] = check.samples;
    if (check.level) json["level"] = *check.level;
    if (check.paired) {
        json["p_value"] = *check.p_value;
        json["difference"] = check.paired->difference;
        json["difference_interval"] = {check.paired->interval.low, check.paired->interval.high};
        json["detectable_drop"] = number_or_null(check.detectable);
    }
    return json;
}

// What JSON has no number for reads as it is called.
std::string shown(const Json& check, const char* name) {
    const Json value = check.value(name, Json());
    return value.is_number() ? fmt::format("{:.6g}", value.get<double>()) : "-";
}

std::string demand_of(const Json& check) {
    const std::string kind = check.at("kind");
    if (kind == "min") return ">= " + shown(check, "limit");
    if (kind == "max") return "<= " + shown(check, "limit");
    if (kind == "no_worse_by") return "no worse than " + shown(check, "limit");
    if (kind == "not_significantly_worse") return "p > " + shown(check, "level");
    if (kind == "required") return "every sample";
    return "finished";
}

// How the samples compare, where they do.
std::string certainty_of(const Json& check) {
    if (!check.contains("p_value")) return "";
    return fmt::format("p {}, {:+.4g} [{:+.4g}, {:+.4g}]", shown(check, "p_value"), check.at("difference").get<double>(),
                       check.at("difference_interval")[0].get<double>(), check.at("difference_interval")[1].get<double>());
}

std::string name_of(const Json& origin) {
    if (!origin.is_object()) return "nothing";
    const std::string name = origin.contains("run_id") ? origin.at("run_id").get<std::string>() : origin.at("path").get<std::string>();
    return origin.contains("alias") ? fmt::format("{} ({}@{}, version {})", name, origin.at("name").get<std::string>(),
                                                  origin.at("alias").get<std::string>(), origin.at("version").dump())
                                    : name;
}

std::string summary_of(const Json& verdict) {
    const Json& checks = verdict.at("checks");
    const auto failed = std::count_if(checks.begin(), checks.end(), [](const Json& check) { return check.at("passed") != true; });
    return failed == 0 ? fmt::format("passed: {} checks", checks.size()) : fmt::format("FAILED: {} of {} checks", failed, checks.size());
}

// Without what XML cannot hold and a terminal obeys: control characters, and the two of EF BF BE and EF BF BF that are none.
std::string printable(const std::string& text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool no_character = text.compare(i, 3, "\xEF\xBF\xBE") == 0 || text.compare(i, 3, "\xEF\xBF\xBF") == 0;
        if (c == '\n' || c == '\r' || c == '\t') out += ' ';
        else if (no_character || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) out += '?';
        else out += c;
        if (no_character) i += 2;
    }
    return out;
}

std::string escaped(const std::string& text, const std::map<char, std::string>& escapes) {
    std::string out;
    for (const char c : printable(text)) {
        const auto found = escapes.find(c);
        out += found == escapes.end() ? std::string(1, c) : found->second;
    }
    return out;
}

std::string xml(const std::string& text) { return escaped(text, {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}}); }
std::string markdown(const std::string& text) { return escaped(text, {{'&', "&amp;"}, {'<', "&lt;"}, {'|', "\\|"}, {'\\', "\\\\"}, {'`', "\\`"}}); }
// Between backticks, where nothing else means anything.
std::string markdown_code(const std::string& text) { return "`" + escaped(text, {{'`', "'"}}) + "`"; }

// The rows of the table, the heading first.
std::vector<std::vector<std::string>> rows_of(const Json& verdict) {
    std::vector<std::vector<std::string>> rows{{"check", "demanded", "value", "baseline", "result", ""}};
    for (const Json& check : verdict.at("checks")) {
        const std::string certainty = certainty_of(check), reason = check.at("reason");
        rows.push_back({check.at("name"), demand_of(check), shown(check, "value"), shown(check, "baseline"),
                        check.at("passed") == true ? "pass" : "FAIL", certainty + (certainty.empty() || reason.empty() ? "" : "; ") + reason});
    }
    return rows;
}

}  // namespace

Json gate_verdict(const GateResult& result, const GateRules& rules, const Figures& record, const Figures* baseline) {
    Json verdict{{"passed", result.passed()}, {"created_at", utc_now()}, {"record", record.origin()}};
    verdict["baseline"] = baseline != nullptr ? baseline->origin() : Json();
    verdict["rules"] = {{"path", rules.path},
                        {"sha256", rules.sha256},
                        {"false_alarm_rate", rules.false_alarm_rate},
                        {"resamples", rules.resamples},
                        {"seed", rules.seed}};
    verdict["checks"] = Json::array();
    for (const GateCheck& check : result.checks) verdict["checks"].push_back(check_json(check));
    return sealed_verdict(std::move(verdict));
}

std::string gate_answer(const Json& verdict) {
    std::string text;
    for (const Json& check : verdict.at("checks")) {
        if (!check.contains("p_value")) continue;
        const double difference = check.at("difference"), low = check.at("difference_interval")[0], high = check.at("difference_interval")[1];
        const std::string interval = fmt::format("95%: {:+.4g} to {:+.4g}, {} samples", low, high, check.at("samples").dump());
        text += check.at("name").get<std::string>() + ": ";
        if (low > 0.0) text += fmt::format("better than the baseline by {:.4g} ({})\n", difference, interval);
        else if (high < 0.0) text += fmt::format("worse than the baseline by {:.4g} ({})\n", -difference, interval);
        else if (difference == 0.0 && check.at("detectable_drop").is_null())
            text += fmt::format("the same on every sample ({} samples)\n", check.at("samples").dump());
        else
            text += fmt::format("no difference shown, {:+.4g} ({}); a drop of {:.4g} would have been found four times in five\n", difference,
                                interval, check.at("detectable_drop").get<double>());
    }
    return text;
}

std::string gate_table(const Json& verdict) {
    std::string text = fmt::format("gate: {}\n      against {}\n\n", name_of(verdict.at("record")), name_of(verdict.at("baseline")));
    const auto rows = rows_of(verdict);
    std::vector<std::size_t> widths(6);
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i)
            line += i == 2 || i == 3 ? fmt::format("{:>{}}  ", row[i], widths[i]) : fmt::format("{:<{}}  ", row[i], widths[i]);
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    const std::string answer = gate_answer(verdict);
    return text + "\n" + answer + (answer.empty() ? "" : "\n") + "gate " + summary_of(verdict) + "\n";
}

std::string gate_markdown(const Json& verdict) {
    std::string text = fmt::format("### Gate {}\n\n{} against {}\n\n", summary_of(verdict), markdown_code(name_of(verdict.at("record"))),
                                   markdown_code(name_of(verdict.at("baseline"))));
    bool heading = true;
    for (const auto& row : rows_of(verdict)) {
        for (const std::string& cell : row) text += "| " + markdown(cell) + " ";
        text += "|\n";
        if (std::exchange(heading, false)) text += "|---|---|---:|---:|---|---|\n";
    }
    const std::string answer = gate_answer(verdict);
    text += answer.empty() ? "" : "\n";
    for (std::size_t begin = 0; begin < answer.size(); begin = answer.find('\n', begin) + 1)
        text += "- " + markdown(answer.substr(begin, answer.find('\n', begin) - begin)) + "\n";
    return text;
}

std::string gate_junit(const Json& verdict) {
    const Json& checks = verdict.at("checks");
    const auto failed = std::count_if(checks.begin(), checks.end(), [](const Json& check) { return check.at("passed") != true; });
    std::string text = fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{0}\" failures=\"{1}\" errors=\"0\">\n"
        "  <testsuite name=\"gate\" tests=\"{0}\" failures=\"{1}\" errors=\"0\" skipped=\"0\" timestamp=\"{2}\">\n",
        checks.size(), failed, verdict.at("created_at").get<std::string>().substr(0, 19));
    for (const Json& check : checks) {
        text += fmt::format("    <testcase classname=\"gate.{}\" name=\"{}\" time=\"0\"", xml(check.at("kind")),
                            xml(check.at("name").get<std::string>() + " " + demand_of(check)));
        const std::string figures = fmt::format("value {}, baseline {}", shown(check, "value"), shown(check, "baseline"));
        if (check.at("passed") == true) text += "/>\n";
        else text += fmt::format(">\n      <failure message=\"{}\">{}</failure>\n    </testcase>\n", xml(check.at("reason")), xml(figures));
    }
    return text + "  </testsuite>\n</testsuites>\n";
}

}  // namespace temper
