#include "runs/record_options.h"

#include "io/environment.h"
#include "kernels/cuda/runtime.h"
#include "kernels/error.h"
#include "runs/price_table.h"
#include "runs/run_directory.h"
#include "runs/run_id.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

std::string parent_of(const RecordOptions& options) {
    const bool given = !options.parent.empty();
    const std::string text = given ? options.parent : environment_text("TEMPER_PARENT_RUN_ID");
    if (text.empty()) return "";
    const std::string id = fs::is_regular_file(fs::path(text) / "run.json") ? RunDirectory::open(text).id() : text;
    if (!is_run_id(id))
        throw_error(ExitCode::usage, "{}: found \"{}\", expected a run's id (20261122T040000Z-nightly-1a2b3c4d) or its directory",
                    given ? "--parent" : "TEMPER_PARENT_RUN_ID", text);
    return id;
}

}  // namespace

std::pair<std::string, std::string> name_and_value(const std::string& text, const std::string& option) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) throw_error(ExitCode::usage, "{}: found \"{}\", expected name=value", option, text);
    return {text.substr(0, equals), text.substr(equals + 1)};
}

std::string price_table_of(const RecordOptions& options) {
    return options.price_table.empty() ? environment_text("TEMPER_PRICE_TABLE") : options.price_table;
}

void check_record_options(const RecordOptions& options) {
    parent_of(options);
    for (const std::string& tag : options.tags) name_and_value(tag, "--tag");
    if (const std::string table = price_table_of(options); !table.empty()) PriceTable::load(table);
}

RunEnvironment environment_of(const Stream& stream) {
    RunEnvironment environment;
    environment.isa = name_of(stream.isa());
    environment.device = name_of(stream.device());
    if (stream.device() == Device::cuda) environment.device_name = stream.cuda().device().name;
    environment.threads = stream.threads();
    return environment;
}

void describe_run(RunRecord& record, const RecordOptions& options, RunEnvironment environment) {
    if (options.command_line.size() > 1) record.set_kind(options.kind.empty() ? options.command_line[1] : options.kind);
    record.set_command(options.command_line);
    if (const std::string parent = parent_of(options); !parent.empty()) record.set_parent_run(parent);
    for (const std::string& tag : options.tags) {
        const auto [name, value] = name_and_value(tag, "--tag");
        record.set_tag(name, value);
    }
    for (const auto& [name, text] : options.versions)
        if (name == "git") environment.git = text;
        else environment.versions[name] = text;
    record.set_environment(environment);
}

}  // namespace temper
