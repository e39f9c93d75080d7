#include <cstdio>
#include <cstring>
#include <new>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/version.h"
#include "io/jsonl.h"
#include "io/log.h"
#include "io/machine.h"
#include "io/result_line.h"
#include "kernels/error.h"

namespace temper {
namespace {

const char* const exit_codes =
    "Exit codes: 0 done, 1 internal failure, 2 usage or configuration, 3 gate failed, slower than the baseline (bench) or vectors not near\n"
    "enough (calibrate), 17 a loss, gradient or logit that is not finite, 65 bad data, 66 missing input, 73 another job owns the run directory, 74 "
    "I/O error,\n"
    "75 stopped by a signal, state saved, requeue me, 76 a peer rank was lost or hangs, 78 no readable checkpoint, 99 nothing to do;\n"
    "runs exec ends as its command does, with 127 where there is none and 128 + n where signal n ended it.";

// Known before the command line is parsed, so that a parse error is an object as well.
bool wants_json(int argc, const char* const* argv) {
    for (int i = 1; i < argc && std::strcmp(argv[i], "--") != 0; ++i)
        if (std::strcmp(argv[i], "--json") == 0) return true;
    return false;
}

int report(bool json, ExitCode code, const std::string& message) {
    console().line("temper: error: " + message);
    if (json) print_result(Json{{"status", "failed"}, {"exit_code", static_cast<int>(code)}, {"error", message}});
    return static_cast<int>(code);
}

int run_commands(int argc, const char* const* argv) {
    Command temper("temper", "Fine-tunes, evaluates and converts language models.");
    temper.version(version_text);
    temper.footer([] { return std::string(exit_codes); });
    const std::vector<std::string> command_line(argv, argv + argc);
    add_training(temper, command_line);
    add_config(temper);
    add_tokenize(temper);
    add_convert(temper, command_line);
    add_merge(temper, command_line);
    add_score(temper, command_line);
    add_generate(temper, command_line);
    add_runs(temper, command_line);
    add_registry(temper);
    add_gate(temper);
    add_prompts(temper);
    add_bench(temper);
    add_features(temper, command_line);
    add_dataset(temper, command_line);
    add_search(temper);
    add_embed(temper, command_line);
    add_calibrate(temper, command_line);
    add_rerank(temper, command_line);
    add_eval(temper, command_line);
    const int code = temper.run(argc, argv);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) throw_error(ExitCode::io_error, "stdout: cannot write: {}", std::strerror(errno));
    return code;
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
    give_back_large_blocks();
    const bool json = wants_json(argc, argv);
    try {
        return run_commands(argc, argv);
    } catch (const std::bad_alloc&) {
        return report(json, ExitCode::internal, "out of memory");
    } catch (const std::exception& error) {
        return report(json, exit_code_of(error), error.what());
    }
}

}  // namespace temper
