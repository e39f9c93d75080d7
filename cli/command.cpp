#include "cli/command.h"

#include <CLI/CLI.hpp>

#include "io/nearest.h"
#include "kernels/error.h"

namespace temper {

struct Command::Impl {
    std::unique_ptr<CLI::App> owned;  // the root only
    CLI::App* app = nullptr;
    std::vector<std::unique_ptr<Command>> commands;
    std::function<int()> run;

    int run_chosen() const;
};

int Command::Impl::run_chosen() const {
    for (const auto& command : commands)
        if (command->impl_->app->parsed()) return command->impl_->run_chosen();
    if (!run) throw_error(ExitCode::internal, "{}: nothing to run", app->get_name());
    return run();
}

namespace {

const CLI::App& chosen(const CLI::App& root) {
    const CLI::App* app = &root;
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return *app;
}

std::string chosen_path(const CLI::App& root) {
    std::string path = root.get_name();
    for (const CLI::App* app = &root; !app->get_subcommands().empty();) {
        app = app->get_subcommands().front();
        path += " " + app->get_name();
    }
    return path;
}

// What a person typed that no option or command takes, with the nearest one that exists.
std::string describe_extra(const CLI::App& root, const std::string& extra) {
    const CLI::App* app = &chosen(root);
    const std::string path = chosen_path(root);
    std::vector<std::string> known;
    const bool is_option = extra.starts_with('-');
    if (is_option) {
        for (const CLI::Option* option : app->get_options())
            for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    } else {
        for (const CLI::App* command : app->get_subcommands([](const CLI::App*) { return true; })) known.push_back(command->get_name());
    }
    const std::string nearest = nearest_name(extra, known);
    return fmt::format("{}: unknown {} {}{}", path,
                       is_option       ? "option"
                       : known.empty() ? "argument"
                                       : "command",
                       extra, nearest.empty() ? fmt::format("; see {} --help", path) : fmt::format("; did you mean {}?", nearest));
}

}  // namespace

Command::Command(const std::string& name, const std::string& summary) : impl_(std::make_unique<Impl>()) {
    impl_->owned = std::make_unique<CLI::App>(summary, name);
    impl_->app = impl_->owned.get();
    impl_->app->get_formatter()->column_width(34);
}

Command::Command(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Command::~Command() = default;

Command& Command::command(const std::string& name, const std::string& summary) {
    auto impl = std::make_unique<Impl>();
    impl->app = impl_->app->add_subcommand(name, summary);
    impl_->app->require_subcommand(1);
    impl_->commands.push_back(std::unique_ptr<Command>(new Command(std::move(impl))));
    return *impl_->commands.back();
}

void Command::option(const std::string& name, std::string& value, const std::string& what, const std::string& help) {
    CLI::Option* option = impl_->app->add_option(name, value, help)->option_text(what + (value.empty() ? "" : " [" + value + "]"));
    option->take_last();
}

void Command::option(const std::string& name, std::int64_t& value, const std::string& what, const std::string& help) {
    impl_->app->add_option(name, value, help)->option_text(fmt::format("{} [{}]", what, value));
}

void Command::option(const std::string& name, double& value, const std::string& what, const std::string& help) {
    impl_->app->add_option(name, value, help)->option_text(fmt::format("{} [{}]", what, value));
}

void Command::options(const std::string& name, std::vector<std::string>& values, const std::string& what, const std::string& help) {
    impl_->app->add_option(name, values, help)->option_text(what)->allow_extra_args(false);
}

void Command::required(const std::string& name, std::string& value, const std::string& what, const std::string& help) {
    impl_->app->add_option(name, value, help)->required()->option_text(what + " (required)");
}

void Command::flag(const std::string& name, bool& value, const std::string& help) { impl_->app->add_flag(name, value, help); }

void Command::choice(const std::string& name, std::string& value, const std::vector<std::string>& choices, const std::string& help) {
    impl_->app->add_option(name, value, help)->check(CLI::IsMember(choices))->option_text(fmt::format("{} [{}]", fmt::join(choices, "|"), value));
}

void Command::positional(const std::string& name, std::string& value, const std::string& help) {
    impl_->app->add_option(name, value, help)->required()->option_text(" ");
}

void Command::positionals(const std::string& name, std::vector<std::string>& values, const std::string& help) {
    impl_->app->add_option(name, values, help)->option_text(" ");
}

void Command::footer(std::function<std::string()> text) { impl_->app->footer(std::move(text)); }

void Command::version(std::function<std::string()> text) {
    impl_->app->add_flag_callback(
        "--version", [make = std::move(text)] { throw CLI::CallForVersion(make(), 0); }, "What this program was built from and runs on.");
}

void Command::runs(std::function<int()> run) { impl_->run = std::move(run); }

int Command::run(int argc, const char* const* argv) {
    CLI::App& app = *impl_->app;
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& request) {  // help or version
        return app.exit(request);
    } catch (const CLI::ParseError& error) {
        const std::vector<std::string> extras = app.remaining(true);
        if (!extras.empty()) throw_error(ExitCode::usage, "{}", describe_extra(app, extras.front()));
        throw_error(ExitCode::usage, "{}; see {} --help", error.what(), chosen_path(app));
    }
    return impl_->run_chosen();
}

}  // namespace temper
