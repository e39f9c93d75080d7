// temper-serve: the command line.
#include <cstdio>
#include <new>

#include <CLI/CLI.hpp>

#include "io/jsonl.h"
#include "io/log.h"
#include "kernels/error.h"
#include "serve/server.h"

namespace temper {
namespace {

// How a setting that was written as an option, "--port 9", is written.
std::string setting_meant(const CLI::App& app, int argc, const char* const* argv) {
    const std::vector<std::string> extras = app.remaining();
    if (extras.empty() || !extras.front().starts_with("--")) return "";
    std::string setting = extras.front().substr(2);
    for (int i = 1; i + 1 < argc && setting.find('=') == std::string::npos; ++i)
        if (extras.front() == argv[i]) setting += std::string("=") + argv[i + 1];
    return "; settings are key=value: " + setting + (setting.find('=') == std::string::npos ? "=VALUE" : "");
}

int run_command_line(int argc, const char* const* argv) {
    CLI::App app("Serves a model with the adapter that a registry's alias stands for, over OpenAI's HTTP protocol.", "temper-serve");
    std::string path;
    std::vector<std::string> overrides;
    bool show = false, markdown = false;
    app.get_formatter()->column_width(34);
    app.add_option("--config", path, "Configuration; docs/serve.md shows one.")->option_text("FILE (required)");
    app.add_option("key=value", overrides, "Settings that win over the file's.")->option_text(" ");
    app.add_flag("--show", show, "Prints the settings as they are resolved, as JSON, and ends.");
    app.add_flag("--markdown", markdown, "Prints the table of settings that docs/serve.md has, and ends.");
    app.set_version_flag("--version", fmt::format("temper-serve {} ({}, {}, {})", TEMPER_VERSION, TEMPER_GIT, TEMPER_COMPILER, TEMPER_BUILD_TYPE));
    app.footer([] { return serve_help(); });
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& request) {  // help or version
        return app.exit(request);
    } catch (const CLI::ParseError& error) {
        throw_error(ExitCode::usage, "{}{}; see temper-serve --help", error.what(), setting_meant(app, argc, argv));
    }
    if (markdown) {
        std::printf("%s", serve_markdown().c_str());
        return 0;
    }
    if (path.empty()) throw_error(ExitCode::usage, "no configuration is given, expected --config FILE");
    std::vector<std::string> notes;
    const ServeConfig config = load_serve_config(path, overrides, &notes);
    for (const std::string& note : notes) log_info("{}", note);
    if (!show) return run_server(config);
    std::printf("%s\n", serve_json(config).dump(2).c_str());
    return 0;
}

int report(ExitCode code, const std::string& message) {
    console().line("temper-serve: error: " + message);
    return static_cast<int>(code);
}

}  // namespace
}  // namespace temper

int main(int argc, char** argv) {
    using namespace temper;
    try {
        return run_command_line(argc, argv);
    } catch (const std::bad_alloc&) {
        return report(ExitCode::internal, "out of memory");
    } catch (const std::exception& error) {
        return report(exit_code_of(error), error.what());
    }
}
