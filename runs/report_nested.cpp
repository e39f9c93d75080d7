#include "runs/report_nested.h"

#include <algorithm>
#include <map>

#include "kernels/error.h"
#include "runs/report_parts.h"
#include "runs/run_id.h"
#include "runs/run_list.h"
#include "runs/svg_chart.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

constexpr int deepest = 8;
constexpr std::size_t most_metrics = 4, day = 8;

// Ids begin with the time, and no stage is older than its run: of an old folder few records are read. By whole days, since clocks differ.
bool may_be_later(const std::string& name, const std::string& run) {
    return is_run_id(name) && (!is_run_id(run) || name.compare(0, day, run, 0, day) >= 0);
}

std::map<std::string, std::vector<NestedRun>> stages_by_run(const fs::path& output_dir, const std::string& run) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator entry(output_dir, error), end; !error && entry != end; entry.increment(error))
        if (std::string name = entry->path().filename().string(); name != run && may_be_later(name, run)) names.push_back(std::move(name));
    std::map<std::string, std::vector<NestedRun>> stages;
    for (const std::string& name : names) {
        try {
            ListedRun found = read_run(output_dir / name);
            const Json& parent = member(found.record, "parent_run_id");
            if (!parent.is_string()) continue;
            const bool has_report = fs::exists(output_dir / name / "report.html", error);
            stages[parent.get<std::string>()].push_back({name, std::move(found.record), std::move(found.status), 0, has_report});
        } catch (const Error&) {
            // Half made, or no run of ours.
        }
    }
    for (auto& [parent, runs] : stages)
        std::sort(runs.begin(), runs.end(), [](const NestedRun& a, const NestedRun& b) {
            const std::string left = plain_text(member(a.record, "created_at")), right = plain_text(member(b.record, "created_at"));
            return left != right ? left < right : a.directory < b.directory;
        });
    return stages;
}

void add_stages(std::map<std::string, std::vector<NestedRun>>& stages, const std::string& run, int depth, std::vector<NestedRun>& runs) {
    const auto found = stages.find(run);
    if (found == stages.end() || depth > deepest) return;
    const std::vector<NestedRun> own = std::move(found->second);
    stages.erase(found);  // a run that names itself is no stage of itself
    for (NestedRun stage : own) {
        stage.depth = depth;
        const std::string directory = stage.directory;
        runs.push_back(std::move(stage));
        add_stages(stages, directory, depth + 1, runs);
    }
}

void flat_numbers(const Json& value, const std::string& name, std::vector<std::pair<std::string, double>>& numbers) {
    if (value.is_object())
        for (const auto& [key, inner] : value.items()) flat_numbers(inner, name.empty() ? key : name + "/" + key, numbers);
    else if (value.is_number()) numbers.emplace_back(name, value.get<double>());
}

// Those of a training that say most, else the first scores.
std::string main_metrics(const Json& record) {
    static const std::vector<std::string> first = {"loss", "eval_loss", "rewards/accuracies", "eval_rewards/accuracies", "mean_token_accuracy"};
    static const std::vector<std::string> never = {"step", "epoch", "best_step", "grad_norm", "learning_rate", "num_tokens", "tokens_per_second"};
    std::vector<std::pair<std::string, double>> numbers;
    flat_numbers(member(record, "metrics"), "", numbers);
    std::erase_if(numbers, [](const auto& number) {
        const std::string& name = number.first;
        return std::find(never.begin(), never.end(), name) != never.end() || name.find("stderr") != std::string::npos || name.ends_with("/samples");
    });
    const auto rank = [](const auto& number) { return std::find(first.begin(), first.end(), number.first) - first.begin(); };
    std::stable_sort(numbers.begin(), numbers.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
    std::string html;
    for (std::size_t i = 0; i < std::min(numbers.size(), most_metrics); ++i)
        html += fmt::format("{}<span class=\"soft\">{}</span>\u00a0{}", i == 0 ? "" : " \u00b7 ", escape_html(numbers[i].first),
                            compact_number(numbers[i].second));
    return html.empty() ? "\u2013" : html;
}

std::string row_of(const NestedRun& run) {
    const std::string name = plain_text(member(run.record, "run_name")), status = escape_html(run.status);
    std::string line;
    if (const Json& words = member(run.record, "command"); words.is_array())
        for (const Json& word : words) line += (line.empty() ? "" : " ") + plain_text(word);
    const std::string label = escape_html(name), link = escape_html("../" + run.directory + "/report.html");
    const Json &code = member(run.record, "exit_code"), &wall = member(member(run.record, "performance"), "wall_seconds");
    std::string html = fmt::format("<tr><td style=\"padding-left:{}px\">{}</td>", 14 + 22 * run.depth,
                                   run.has_report ? fmt::format("<a href=\"{}\">{}</a>", link, label) : label);
    html += fmt::format("<td title=\"{}\">{}</td>", escape_html(line), escape_html(plain_text(member(run.record, "kind"))));
    html += fmt::format("<td class=\"{}\">{}{}</td>", status, status,
                        code.is_number_integer() && code != 0 ? fmt::format(" <span class=\"soft\">exit {}</span>", code.dump()) : "");
    html += fmt::format("<td class=\"n\">{}</td>", wall.is_number() ? duration_text(wall.get<double>()) : "\u2013");
    return html + "<td>" + main_metrics(run.record) + "</td></tr>";
}

}  // namespace

std::vector<NestedRun> nested_runs(const fs::path& run_dir) {
    const fs::path whole = fs::absolute(run_dir).lexically_normal(), folder = whole.has_filename() ? whole : whole.parent_path();
    std::map<std::string, std::vector<NestedRun>> stages = stages_by_run(folder.parent_path(), folder.filename().string());
    std::vector<NestedRun> runs;
    add_stages(stages, folder.filename().string(), 0, runs);
    return runs;
}

std::string nested_runs_html(const std::vector<NestedRun>& runs) {
    if (runs.empty()) return "";
    std::string html =
        "<h2>Nested runs</h2>\n<div class=\"card\"><table><tr><th>run</th><th>command</th><th>outcome</th><th class=\"n\">wall "
        "time</th><th>metrics</th></tr>";
    for (const NestedRun& run : runs) html += row_of(run);
    return html + "</table></div>\n";
}

}  // namespace temper
