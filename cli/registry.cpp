// temper registry: versions of adapters, and the names that serve them.
#include "runs/registry.h"

#include <cstdio>
#include <memory>

#include <fmt/ranges.h>

#include "cli/command.h"
#include "cli/commands.h"
#include "io/environment.h"
#include "io/http/url.h"
#include "io/json_text.h"
#include "io/log.h"
#include "io/result_line.h"
#include "kernels/error.h"
#include "runs/default_places.h"
#include "runs/gate_verdict.h"
#include "runs/registry_mirror.h"
#include "runs/run_list.h"

namespace temper {
namespace {

struct Arguments {
    std::string registry = "registry", output_dir = default_output_dir(), name, run, alias, version, verdict, model, mlflow;
    bool json = false, again = false;
};

constexpr double mirror_seconds = 10, sync_seconds = 600;

void tell(const Arguments& a, const RegisteredModel& model, const std::string& what, const Json& mirror = nullptr,
          const Json& more = Json::object()) {
    if (!a.json) std::printf("%s\n", what.c_str());
    else {
        Json result = model.to_json();
        result.update(more);
        if (!mirror.is_null()) result["mlflow"] = mirror;
        result["status"] = "done";
        print_result(result);
    }
}

std::string server_of(const Arguments& a) { return a.mlflow.empty() ? environment_text("MLFLOW_TRACKING_URI") : a.mlflow; }

// What was done here, in MLflow as well where there is a server. It is done, whatever becomes of the mirror.
Json mirrored(const Arguments& a, const std::string& name) {
    const std::string server = server_of(a);
    if (a.mlflow.empty() && !parse_url(server)) return nullptr;
    const RegistryMirror mirror = mirror_registry(Registry(a.registry), {name}, server, mirror_seconds);
    for (const std::string& problem : mirror.problems) log_warning("MLflow: {}", problem);
    if (!mirror.problems.empty()) log_warning("the registry itself is changed, and temper registry sync mirrors the rest");
    return mirror.to_json();
}

std::string short_hash(const std::string& hash) { return hash.substr(0, 12); }

int add(const Arguments& a) {
    const Registry registry(a.registry);
    const Json verdict = a.verdict.empty() ? Json() : read_verdict(a.verdict);
    const RegisteredModel model = registry.add(a.name, find_run(a.output_dir, a.run).path, verdict);
    if (!a.alias.empty()) registry.point(a.name, a.alias, model.version);
    tell(a, model, fmt::format("{} version {}: {}{}", model.name, model.version, model.adapter, a.alias.empty() ? "" : ", now " + a.alias),
         mirrored(a, model.name));
    return 0;
}

int promote(const Arguments& a) {
    const Promotion done = Registry(a.registry).promote(a.name, a.alias, find_run(a.output_dir, a.run).path, read_verdict(a.verdict), a.again);
    const RegisteredModel& model = done.model;
    const std::string what = model.version == done.registered
                                 ? fmt::format("{}@{} is version {}: {}", model.name, a.alias, model.version, model.adapter)
                                 : fmt::format("{}@{} stays version {}: {}; version {} has the same bytes", model.name, a.alias, model.version,
                                               model.adapter, done.registered);
    const Json mirror = mirrored(a, model.name);
    tell(a, model, what, mirror, Json{{"registered", done.registered}, {"moved", done.moved}});
    return 0;
}

int alias(const Arguments& a) {
    const Registry registry(a.registry);
    const RegisteredModel model = registry.point(a.name, a.alias, registry.find(a.name, a.version).version);
    tell(a, model, fmt::format("{}@{} is version {}: {}", model.name, a.alias, model.version, model.adapter), mirrored(a, model.name));
    return 0;
}

int roll_back(const Arguments& a) {
    const RegisteredModel model = Registry(a.registry).roll_back(a.name, a.alias);
    tell(a, model, fmt::format("{}@{} is version {} again: {}", model.name, a.alias, model.version, model.adapter), mirrored(a, model.name));
    return 0;
}

int sync(const Arguments& a) {
    const Registry registry(a.registry);
    const RegistryMirror mirror = mirror_registry(registry, registry.names(), server_of(a), sync_seconds);
    for (const std::string& problem : mirror.problems) log_warning("{}", problem);
    if (a.json) {
        Json result = mirror.to_json();
        result["status"] = mirror.problems.empty() ? "done" : "incomplete";
        print_result(result);
    } else {
        std::printf("%lld versions created, %lld known already, %lld aliases moved\n", static_cast<long long>(mirror.created),
                    static_cast<long long>(mirror.known), static_cast<long long>(mirror.aliases));
    }
    return static_cast<int>(mirror.problems.empty() ? ExitCode::done : ExitCode::io_error);
}

// "tickets@production", "tickets:3" or, with an alias or version of its own, "tickets".
RegisteredModel find(const Registry& registry, const std::string& text) {
    const std::size_t mark = text.find_first_of("@:");
    if (mark == std::string::npos || mark + 1 == text.size()) {
        throw_error(ExitCode::usage, "registry: found \"{}\", expected NAME@ALIAS or NAME:VERSION, as in tickets@production", text);
    }
    return registry.find(text.substr(0, mark), text.substr(mark + 1));
}

int resolve(const Arguments& a) {
    const RegisteredModel model = find(Registry(a.registry), a.model);
    verify_adapter(model);
    tell(a, model, model.adapter);
    return 0;
}

int list(const Arguments& a) {
    const Registry registry(a.registry);
    Json models = Json::array();
    for (const std::string& name : registry.names()) {
        const VersionStore store = registry.store(name);
        const std::vector<std::int64_t> versions = store.versions();
        Json aliases = Json::object();
        std::string text;
        for (const std::string& alias : store.aliases()) {
            aliases[alias] = store.alias(alias)->at("version");
            text += fmt::format("  {} = {}", alias, aliases[alias].dump());
        }
        models.push_back(Json{{"name", name}, {"versions", versions.size()}, {"aliases", aliases}});
        if (!a.json) std::printf("%s: %zu version%s%s\n", name.c_str(), versions.size(), versions.size() == 1 ? "" : "s", text.c_str());
    }
    if (a.json) print_result(Json{{"status", "done"}, {"models", models}});
    else if (models.empty()) std::printf("%s: nothing is registered; see temper registry add --help\n", a.registry.c_str());
    return 0;
}

void show_model(const Registry& registry, const std::string& name) {
    const VersionStore store = registry.existing(name);
    for (const std::int64_t number : store.versions()) {
        const RegisteredModel model = registry.version(name, number);
        const std::vector<std::string> aliases = store.aliases_of(number);
        const char* const verdict = model.verdict.is_null() ? "not judged" : model.verdict.value("passed", false) ? "passed" : "stopped";
        fmt::print("{:>4}  {}  {:<12}  {}{}{}\n", number, short_hash(model.adapter_sha256), verdict, model.run_id, aliases.empty() ? "" : "  <- ",
                   fmt::join(aliases, ", "));
    }
    for (const std::string& alias : store.aliases()) {
        std::printf("%s:\n", alias.c_str());
        for (const Json& move : store.history(alias))
            std::printf("  %s  %-8s  version %s\n", move.value("moved_at", "").c_str(), move.value("action", "").c_str(),
                        move.at("version").dump().c_str());
    }
}

int show(const Arguments& a) {
    const Registry registry(a.registry);
    if (a.model.find_first_of("@:") != std::string::npos) {
        const RegisteredModel model = find(registry, a.model);
        if (a.json) print_result(model.to_json());
        else std::printf("%s\n", json_text(model.to_json(), 2).c_str());
        return 0;
    }
    if (!a.json) {
        show_model(registry, a.model);
        return 0;
    }
    const VersionStore store = registry.existing(a.model);
    Json result{{"name", a.model}, {"versions", Json::array()}, {"aliases", Json::object()}, {"history", Json::object()}};
    for (const std::int64_t number : store.versions()) result["versions"].push_back(store.version(number));
    for (const std::string& alias : store.aliases()) {
        result["aliases"][alias] = *store.alias(alias);
        result["history"][alias] = store.history(alias);
    }
    print_result(result);
    return 0;
}

}  // namespace

void add_registry(Command& temper) {
    auto a = std::make_shared<Arguments>();
    Command& registry = temper.command("registry", "Versions of adapters, and the names (production, candidate) that serve them.");
    Command& add_command = registry.command("add", "Registers a run's adapter as a new version.");
    Command& list_command = registry.command("list", "Models, with how many versions and which names they have.");
    Command& show_command = registry.command("show", "Versions and history of a model, or one version.");
    Command& alias_command = registry.command("alias", "Makes a name stand for a version; production moves by promote alone.");
    Command& resolve_command = registry.command("resolve", "The adapter directory that a name stands for, its bytes verified.");
    Command& promote_command = registry.command("promote", "Makes a name stand for a run's adapter, if a gate let it pass; else exit 3.");
    Command& rollback_command = registry.command("rollback", "Makes a name stand for the adapter that it stood for before.");
    Command& sync_command = registry.command("sync", "Mirrors all models, versions and names to MLflow's model registry, each version once.");
    for (Command* command : {&add_command, &promote_command, &alias_command, &rollback_command, &sync_command})
        command->option("--mlflow", a->mlflow, "URL", "The server that has it as well; MLFLOW_TRACKING_URI unless given.");
    for (Command* command : {&add_command, &promote_command}) {
        command->positional("RUN", a->run, "Path, id, or a part of the id that only one run has.");
        command->required("--name", a->name, "NAME", "The model.");
        command->option("--output-dir", a->output_dir, "DIR", "Where the runs lie.");
    }
    add_command.option("--alias", a->alias, "ALIAS", "Also makes this name stand for it.");
    add_command.option("--verdict", a->verdict, "FILE", "What temper gate --verdict wrote; kept with the version.");
    promote_command.required("--alias", a->alias, "ALIAS", "The name that moves.");
    promote_command.required("--verdict", a->verdict, "FILE", "What temper gate --verdict wrote of this adapter.");
    promote_command.flag("--again", a->again, "Also an adapter that the name was rolled back from.");
    alias_command.positional("NAME", a->name, "The model.");
    alias_command.positional("ALIAS", a->alias, "The name.");
    alias_command.positional("VERSION", a->version, "A number, a run's id, or another alias.");
    rollback_command.required("--name", a->name, "NAME", "The model.");
    rollback_command.required("--alias", a->alias, "ALIAS", "The name that moves back.");
    resolve_command.positional("MODEL", a->model, "NAME@ALIAS or NAME:VERSION.");
    show_command.positional("MODEL", a->model, "NAME, NAME@ALIAS or NAME:VERSION.");
    const std::pair<Command*, int (*)(const Arguments&)> commands[] = {
        {&add_command, add},         {&list_command, list},       {&show_command, show},          {&alias_command, alias},
        {&resolve_command, resolve}, {&promote_command, promote}, {&rollback_command, roll_back}, {&sync_command, sync}};
    for (const auto& [command, function] : commands) {
        command->option("--registry", a->registry, "DIR", "Where the registry lies.");
        command->flag("--json", a->json, "One object as the last line of stdout.");
        command->runs([a, run = function] {
            if (!a->mlflow.empty() && !parse_url(a->mlflow))  // before anything is changed
                throw_error(ExitCode::usage, "--mlflow: found \"{}\", expected the URL of an MLflow server", a->mlflow);
            return run(*a);
        });
    }
}

}  // namespace temper
