// temper runs: what lies under an output directory, one run's record, and questions about many.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <unordered_map>

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/job_arguments.h"
#include "cli/runs_commands.h"
#include "io/json_text.h"
#include "io/log.h"
#include "io/nearest.h"
#include "io/result_line.h"
#include "kernels/error.h"
#include "runs/run_index.h"
#include "runs/run_list.h"

namespace temper {
namespace {

struct Arguments {
    std::string output_dir = default_output_dir(), run, query, fields;
    std::int64_t limit = 0;
    bool json = false, rebuild = false;
};

RunIndex open_index(const Arguments& arguments) {
    return RunIndex::open(arguments.output_dir, [](const std::string& text) { console().line("temper: " + text); });
}

std::string text_of(const Json& value) {
    if (value.is_null()) return "-";
    if (value.is_number_float()) return fmt::format("{:.4g}", value.get<double>());
    return value.is_string() ? value.get<std::string>() : value.dump();
}

// What a line says behind the status: the fields asked for, or "loss 0.1234" of the first of two metrics that the run has.
std::string result_of(const IndexedRun& run, const std::vector<std::string>& fields, bool asked) {
    std::string line;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (asked) line += (i == 0 ? "" : "  ") + text_of(run.values[i]);
        else if (run.values[i].is_number()) return fmt::format("{} {:.4g}", fields[i].substr(fields[i].find('.') + 1), run.values[i].get<double>());
    }
    return line;
}

// Runs under the ones whose stages they are, where those are listed as well; how deep each stands.
std::vector<std::pair<const IndexedRun*, int>> nested(const std::vector<IndexedRun>& runs) {
    std::unordered_map<std::string, std::vector<const IndexedRun*>> stages;
    std::unordered_map<std::string, bool> listed;
    for (const IndexedRun& run : runs) listed[run.dir] = false;
    for (const IndexedRun& run : runs)
        if (!run.parent.empty() && run.parent != run.dir && listed.contains(run.parent)) stages[run.parent].push_back(&run);
    std::vector<std::pair<const IndexedRun*, int>> order;
    const std::function<void(const IndexedRun&, int)> put = [&](const IndexedRun& run, int depth) {
        if (std::exchange(listed[run.dir], true)) return;
        order.emplace_back(&run, depth);
        if (const auto at = stages.find(run.dir); at != stages.end())
            for (const IndexedRun* stage : at->second) put(*stage, std::min(depth + 1, 20));
    };
    for (const IndexedRun& run : runs)
        if (run.parent.empty() || !listed.contains(run.parent)) put(run, 0);
    for (const IndexedRun& run : runs) put(run, 0);  // records that name each other as parents
    return order;
}

void print_runs(const std::vector<IndexedRun>& runs, const std::vector<std::string>& fields, bool asked) {
    const auto order = nested(runs);
    std::size_t width = 0;
    for (const auto& [run, depth] : order) width = std::max(width, run->dir.size() + 2 * static_cast<std::size_t>(depth));
    std::string text;
    for (const auto& [run, depth] : order) {
        const std::string name = std::string(2 * static_cast<std::size_t>(depth), ' ') + run->dir;
        text += fmt::format("{:<{}}  {:<11}  {}\n", name, width, run->status, result_of(*run, fields, asked));
    }
    std::fwrite(text.data(), 1, text.size(), stdout);
}

// As print_result() would, put together from texts that are JSON already: thousands of runs.
void print_json(const Arguments& arguments, const std::vector<IndexedRun>& runs, const std::vector<std::string>& fields, bool asked) {
    const auto quoted = [](const std::string& text) { return json_text(Json(text)); };
    std::string text = R"({"status":"done","runs":[)";
    for (const IndexedRun& run : runs) {
        const std::string folder = (std::filesystem::path(arguments.output_dir) / run.dir).string();
        text += fmt::format("{}{{\"run_id\":{},\"run_dir\":{},\"status\":{},{}", &run == runs.data() ? "" : ",", quoted(run.dir), quoted(folder),
                            quoted(run.status), run.summary);
        if (asked) {
            Json values = Json::object();
            for (std::size_t i = 0; i < fields.size(); ++i) values[fields[i]] = run.values[i];
            text += ",\"values\":" + json_text(values);
        }
        text += "}";
    }
    text += "]}\n";
    std::fwrite(text.data(), 1, text.size(), stdout);
}

void warn_of_unknown(const std::string& place, const std::string& field, const std::vector<std::string>& known) {
    if (std::find(known.begin(), known.end(), field) != known.end()) return;
    const std::string nearest = nearest_name(field, known);
    console().line(fmt::format("temper: {}: no run has {}{}", place, field, nearest.empty() ? "" : fmt::format("; did you mean {}?", nearest)));
}

int select(const Arguments& arguments, const std::optional<RunQuery>& query) {
    if (arguments.limit < 0) throw_error(ExitCode::usage, "--limit: expected no negative number, found {}", arguments.limit);
    std::vector<std::string> fields = split_field_names(arguments.fields, "--show");
    const bool asked = !fields.empty();
    if (!asked) fields = {"metrics.eval_loss", "metrics.loss"};
    const RunIndex index = open_index(arguments);
    const std::vector<IndexedRun> runs = index.select(query, fields, arguments.limit > 0 ? arguments.limit : -1);
    if (arguments.json) {
        print_json(arguments, runs, fields, asked);
    } else {
        if (asked) std::printf("# run, status, %s\n", fmt::format("{}", fmt::join(fields, ", ")).c_str());
        print_runs(runs, fields, asked);
    }
    // Nothing found, and nothing to show, is an answer; but a name that no run has may be misspelt.
    const std::vector<std::string> known = index.field_names();
    if (runs.empty() && query)
        for (const RunQuery::Field& field : query->fields) warn_of_unknown(fmt::format("query: column {}", field.column), field.name, known);
    if (!runs.empty() && asked)
        for (const std::string& field : fields)
            if (field.find('.') != std::string::npos) warn_of_unknown("--show", field, known);  // a plain one may be null everywhere
    return 0;
}

void print_pairs(const Json& object, const std::string& indent) {
    for (const auto& [name, value] : object.items()) {
        if (value.is_object() && !value.empty()) {
            std::printf("%s%s:\n", indent.c_str(), name.c_str());
            print_pairs(value, indent + "  ");
        } else {
            const std::string text = text_or_json(value);
            std::printf("%s%s: %s\n", indent.c_str(), name.c_str(), text.c_str());
        }
    }
}

// The runs that are stages of this one, in its own output directory.
std::vector<IndexedRun> stages_of(const std::filesystem::path& run) {
    const std::filesystem::path folder = run.has_parent_path() ? run.parent_path() : std::filesystem::path(".");
    const RunQuery query{run_field_sql("parent_run_id", "") + " = ?", {"parent_run_id", run.filename().string()}, {}};
    return RunIndex::open(folder).select(query, {"kind"});
}

int show(const Arguments& arguments) {
    const ListedRun run = find_run(arguments.output_dir, arguments.run);
    const std::vector<IndexedRun> stages = stages_of(run.path);
    if (arguments.json) {
        Json result = run.record;
        result["status"] = run.status;
        result["run_dir"] = run.path.string();
        result["nested"] = Json::array();
        for (const IndexedRun& stage : stages)
            result["nested"].push_back({{"run_id", stage.dir}, {"kind", stage.values[0]}, {"status", stage.status}});
        print_result(result);
        return 0;
    }
    std::printf("%s\n", run.path.c_str());
    Json shown = run.record;
    shown["status"] = run.status;
    print_pairs(shown, "  ");
    if (!stages.empty()) std::printf("  nested:\n");
    for (const IndexedRun& stage : stages) std::printf("    %s  %s  %s\n", stage.dir.c_str(), text_of(stage.values[0]).c_str(), stage.status.c_str());
    return 0;
}

int index(const Arguments& arguments) {
    if (arguments.rebuild) RunIndex::remove(arguments.output_dir);
    const RunIndex made = open_index(arguments);
    const std::size_t runs = made.select(std::nullopt, {}).size();
    if (made.in_memory()) console().line(fmt::format("temper: {}: cannot be written; every command reads the records", arguments.output_dir));
    if (arguments.json)
        print_result(Json{{"status", "done"}, {"runs", runs}, {"records_read", made.records_read()}, {"in_memory", made.in_memory()}});
    else std::printf("%zu runs, %lld records read\n", runs, static_cast<long long>(made.records_read()));
    return 0;
}

}  // namespace

void add_runs(Command& temper, const std::vector<std::string>& command_line) {
    auto arguments = std::make_shared<Arguments>();
    Command& runs = temper.command("runs", "Lists, shows, compares and searches runs; records steps of other programs.");
    Command& list_command = runs.command("list", "Runs under an output directory, oldest first, stages below the run they belong to.");
    Command& show_command = runs.command("show", "The record of one run.");
    Command& query_command = runs.command("query", "Runs for which a condition holds: \"tags.outcome='success' and metrics.loss < 0.5\".");
    Command& index_command = runs.command("index", "Brings the index of an output directory up to date, as every other command does.");
    show_command.positional("RUN", arguments->run, "Path, id, or a part of the id that only one run has.");
    add_runs_sync(runs);
    query_command.positional("CONDITION", arguments->query, "Comparisons of fields with values, joined by and, or, not (docs/runs.md).");
    index_command.flag("--rebuild", arguments->rebuild, "Makes it anew from the records.");
    for (Command* command : {&list_command, &query_command}) {
        command->option("--show", arguments->fields, "FIELDS",
                        "Fields behind each run, joined by commas: metrics.loss,config.lora.r,metrics.`quiz/acc,none`.");
        command->option("--limit", arguments->limit, "N", "The newest N; 0: all.");
    }
    for (Command* command : {&list_command, &show_command, &query_command, &index_command}) {
        command->option("--output-dir", arguments->output_dir, "DIR", "Where the runs lie.");
        command->flag("--json", arguments->json, "One object as the last line of stdout.");
    }
    list_command.runs([arguments] { return select(*arguments, std::nullopt); });
    show_command.runs([arguments] { return show(*arguments); });
    query_command.runs([arguments] { return select(*arguments, compile_run_query(arguments->query)); });
    index_command.runs([arguments] { return index(*arguments); });
    add_runs_compare(runs);
    add_runs_exec(runs, command_line);
}

}  // namespace temper
