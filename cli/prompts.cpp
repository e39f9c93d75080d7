// temper prompts: prompts under names, with versions and aliases.
#include "runs/prompts.h"

#include <cstdio>
#include <memory>

#include <fmt/ranges.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "io/environment.h"
#include "io/result_line.h"
#include "kernels/error.h"
#include "runs/default_places.h"
#include "runs/prompts_mirror.h"

namespace temper {
namespace {

struct Arguments {
    std::string prompts = default_prompts_dir(), prompt, other, alias, mlflow;
    std::vector<std::string> files;
    bool json = false;
};

std::string line_of(const Prompt& prompt) { return fmt::format("{} version {}  {}", prompt.name, prompt.version, prompt.sha256().substr(0, 12)); }

void tell(const Arguments& a, const Prompt& prompt, const std::string& text) {
    if (!a.json) std::printf("%s\n", text.c_str());
    else {
        Json result = prompt.to_json();
        result["status"] = "done";
        print_result(result);
    }
}

int add(const Arguments& a) {
    const PromptRegistry registry(a.prompts);
    std::vector<Prompt> prompts;
    for (const std::string& file : a.files) prompts.push_back(read_prompt(file));  // all are read before the first is kept
    if (prompts.empty()) throw_error(ExitCode::usage, "prompts add: give one YAML file or more");
    for (Prompt& prompt : prompts) {
        prompt = registry.add(std::move(prompt));
        if (!a.alias.empty()) registry.point(prompt.name, a.alias, prompt.version);
        tell(a, prompt, line_of(prompt) + (a.alias.empty() ? "" : "  <- " + a.alias));
    }
    return 0;
}

int list(const Arguments& a) {
    const PromptRegistry registry(a.prompts);
    Json all = Json::array();
    for (const std::string& name : registry.names()) {
        const VersionStore store = registry.store(name);
        for (const std::int64_t number : store.versions()) {
            const Prompt prompt = registry.version(name, number);
            const std::vector<std::string> aliases = store.aliases_of(number);
            all.push_back({{"name", name},
                           {"version", number},
                           {"sha256", prompt.sha256()},
                           {"created_at", prompt.created_at},
                           {"description", prompt.description},
                           {"aliases", aliases}});
            if (!a.json) fmt::print("{}  {}{}{}\n", line_of(prompt), prompt.description, aliases.empty() ? "" : "  <- ", fmt::join(aliases, ", "));
        }
    }
    if (a.json) print_result(Json{{"status", "done"}, {"prompts", all}});
    else if (all.empty()) std::printf("%s: no prompts; see temper prompts add --help\n", a.prompts.c_str());
    return 0;
}

int show(const Arguments& a) {
    const Prompt prompt = PromptRegistry(a.prompts).resolve(a.prompt);
    tell(a, prompt, fmt::format("# version {}, SHA-256 {}, {}\n{}", prompt.version, prompt.sha256(), prompt.created_at, prompt.yaml()));
    return 0;
}

int diff(const Arguments& a) {
    const PromptRegistry registry(a.prompts);
    const Prompt left = registry.resolve(a.prompt), right = registry.resolve(a.other);
    const std::string text = prompt_diff(left, right);
    if (a.json) print_result(Json{{"status", "done"}, {"equal", text.empty()}, {"diff", text}, {"left", left.to_json()}, {"right", right.to_json()}});
    else std::printf("- %s\n+ %s\n%s", line_of(left).c_str(), line_of(right).c_str(), text.empty() ? "the same\n" : text.c_str());
    return 0;
}

int alias(const Arguments& a) {
    const PromptRegistry registry(a.prompts);
    const Prompt found = registry.resolve(a.prompt), prompt = registry.point(found.name, a.alias, found.version);
    tell(a, prompt, fmt::format("{}@{} is version {}", prompt.name, a.alias, prompt.version));
    return 0;
}

int sync(const Arguments& a) {
    const PromptMirror mirror = mirror_prompts(PromptRegistry(a.prompts), a.mlflow.empty() ? environment_text("MLFLOW_TRACKING_URI") : a.mlflow);
    if (a.json) print_result(Json{{"status", "done"}, {"created", mirror.created}, {"known", mirror.known}, {"aliases", mirror.aliases}});
    else
        std::printf("%lld versions created, %lld known already, %lld aliases moved\n", static_cast<long long>(mirror.created),
                    static_cast<long long>(mirror.known), static_cast<long long>(mirror.aliases));
    return 0;
}

}  // namespace

void add_prompts(Command& temper) {
    auto a = std::make_shared<Arguments>();
    Command& prompts = temper.command("prompts", "Prompts under names, with versions and aliases (production, candidate).");
    Command& add_command = prompts.command("add", "Registers prompts from YAML files; a text that a version has already is that version.");
    Command& list_command = prompts.command("list", "Every version of every prompt.");
    Command& show_command = prompts.command("show", "One prompt as YAML.");
    Command& diff_command = prompts.command("diff", "What differs between two versions.");
    Command& alias_command = prompts.command("alias", "Makes a name stand for a version.");
    Command& sync_command = prompts.command("sync", "Mirrors all prompts to MLflow's prompt registry, each version once.");
    sync_command.option("--mlflow", a->mlflow, "URL", "The server; MLFLOW_TRACKING_URI unless given.");
    const char* const which = "NAME, NAME@ALIAS, NAME:VERSION or NAME#SHA256; a name alone is its newest version.";
    add_command.positionals("FILES", a->files, "YAML: name, and template or messages; optional description, tags.");
    add_command.option("--alias", a->alias, "ALIAS", "Also makes this name stand for it.");
    show_command.positional("PROMPT", a->prompt, which);
    diff_command.positional("PROMPT", a->prompt, which);
    diff_command.positional("OTHER", a->other, "The same.");
    alias_command.positional("PROMPT", a->prompt, which);
    alias_command.positional("ALIAS", a->alias, "The name.");
    const std::pair<Command*, int (*)(const Arguments&)> commands[] = {{&add_command, add},   {&list_command, list},   {&show_command, show},
                                                                       {&diff_command, diff}, {&alias_command, alias}, {&sync_command, sync}};
    for (const auto& [command, function] : commands) {
        command->option("--prompts", a->prompts, "DIR", "Where the prompts lie.");
        command->flag("--json", a->json, "One object as the last line of stdout.");
        command->runs([a, run = function] { return run(*a); });
    }
}

}  // namespace temper
