#include "runs/record_options.h"

namespace temper {

void describe_run(RunRecord& record, const RecordOptions& options, RunEnvironment environment) {
    record.set_command(options.command_line);
    for (const auto& [name, text] : options.versions)
        if (name == "git") environment.git = text;
        else environment.versions[name] = text;
    record.set_environment(environment);
}

}  // namespace temper
