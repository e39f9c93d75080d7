#include "runs/registry_mirror.h"

#include <chrono>
#include <map>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "io/durable.h"
#include "io/json_text.h"
#include "kernels/error.h"
#include "runs/trackers/mlflow_registry.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

constexpr const char *run_tag = "temper.run_id", *hash_tag = "temper.adapter_sha256", *gate_tag = "temper.gate";

// Two processes that both see a version missing would both make it.
class MirrorLock {
  public:
    MirrorLock(const fs::path& path, const Patience& patience) : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
        if (file_ < 0) throw_error(ExitCode::io_error, "{}: it cannot be opened", path.string());
        while (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
            if (patience.cancelled()) {
                ::close(file_);
                throw_error(ExitCode::run_locked, "{}: held by another process that mirrors", path.string());
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
    ~MirrorLock() { ::close(file_); }
    MirrorLock(const MirrorLock&) = delete;
    MirrorLock& operator=(const MirrorLock&) = delete;

  private:
    int file_;
};

std::string without_slash(std::string url) {
    while (url.ends_with('/')) url.pop_back();
    return url;
}

// What the run's tracker has written down, if it reports to this server; null where it does not.
Json tracker_state(const RegisteredModel& model, const MlflowRegistry& server) {
    const fs::path file = fs::path(model.adapter).parent_path() / "trackers" / "mlflow.json";
    std::error_code ignored;
    if (!fs::is_regular_file(file, ignored)) return nullptr;
    const Json state = parse_json(read_file(file, std::size_t(16) << 20), file.string());
    std::string place = member_text(state, "uri");
    if (place.empty() && state.is_object()) place = member_text(state.value("places", Json()), "mlflow_tracking_uri");
    return without_slash(place) == without_slash(server.shown()) ? state : Json();
}

// Where the adapter lies: among the run's artifacts on the server, if they are there. A version keeps this for ever, so a run that is still on its way is
// waited for.
Json source_of(MlflowRegistry& server, const RegisteredModel& model) {
    const Json state = tracker_state(model, server);
    const std::string elsewhere = "temper:/" + model.run_id + "/adapter";
    if (state.is_null()) return {{"source", elsewhere}};
    const std::string run_id = member_text(state, "run_id");
    if (member_text(state, "status") != "FINISHED")
        throw_error(ExitCode::io_error, "run {} has not reached the server whole: temper runs sync {} comes first", model.run_id,
                    fs::path(model.adapter).parent_path().string());
    const auto run = server.client().find(server.patience(), "runs/get?run_id=" + run_id);
    if (!run) return {{"source", elsewhere}};  // deleted there
    const bool sent = state.contains("files") && state["files"].is_object() && state["files"].contains("adapter/adapter_model.safetensors");
    const std::string artifacts = mlflow_text(mlflow_member(mlflow_member(*run, "run"), "info"), "artifact_uri");
    return {{"source", sent ? artifacts + "/adapter" : elsewhere}, {"run_id", run_id}};
}

// What the gate said of each version: of the verdicts that it was registered or moved with, one that let it pass counts.
std::map<std::int64_t, std::string> verdicts_of(const Registry& registry, const VersionStore& store, const std::string& name) {
    std::map<std::int64_t, std::string> verdicts;
    const auto take = [&](std::int64_t number, const Json& verdict) {
        std::string& said = verdicts[number];
        if (said.empty()) said = "not judged";
        if (verdict.is_object() && said != "passed") said = verdict.value("passed", Json()) == true ? "passed" : "stopped";
    };
    for (const std::int64_t number : store.versions()) take(number, registry.version(name, number).verdict);
    for (const std::string& alias : store.aliases())
        for (const Json& move : store.history(alias)) take(move.at("version").get<std::int64_t>(), move.value("verdict", Json()));
    return verdicts;
}

using Identity = std::pair<std::string, std::string>;  // run, bytes

class Mirroring {
  public:
    Mirroring(const Registry& registry, MlflowRegistry& server, RegistryMirror& result) : registry_(registry), server_(server), result_(result) {}

    void model(const std::string& name) {
        const VersionStore store = registry_.existing(name);
        const MirrorLock lock(store.folder() / ".mlflow.lock", server_.patience());
        const MlflowRegistered there = server_.model(name, {{"temper.registry", "true"}});
        if (there.is_prompt()) throw_error(ExitCode::usage, "{} is a prompt there, not a model; give the model another name", name);
        std::map<Identity, MlflowVersion> known;
        for (MlflowVersion& version : server_.versions(name, false)) known.emplace(Identity{version.tags[run_tag], version.tags[hash_tag]}, version);
        const std::map<std::int64_t, std::string> verdicts = verdicts_of(registry_, store, name);
        std::map<std::int64_t, std::string> numbers;  // ours, the server's
        for (const std::int64_t number : store.versions())
            attempt(fmt::format("{} version {}", name, number), [&] { numbers[number] = version(name, number, known, verdicts.at(number)); });
        for (const std::string& alias : store.aliases())
            attempt(name + "@" + alias, [&] { point(name, alias, store.alias(alias)->at("version"), numbers, there); });
    }

    void attempt(const std::string& what, const std::function<void()>& work) {
        try {
            work();
        } catch (const Error& error) {
            result_.problems.push_back(what + ": " + error.what());
        }
    }

  private:
    std::string version(const std::string& name, std::int64_t number, std::map<Identity, MlflowVersion>& known, const std::string& verdict) {
        const RegisteredModel model = registry_.version(name, number);
        const auto found = known.find({model.run_id, model.adapter_sha256});
        if (found == known.end()) {
            const TextPairs tags{{run_tag, model.run_id},       {hash_tag, model.adapter_sha256},  {"temper.version", std::to_string(number)},
                                 {"temper.model", model.model}, {"temper.adapter", model.adapter}, {gate_tag, verdict}};
            MlflowVersion made{server_.create_version(name, source_of(server_, model), tags), {{gate_tag, verdict}}};
            ++result_.created;
            return known.emplace(Identity{model.run_id, model.adapter_sha256}, std::move(made)).first->second.number;
        }
        ++result_.known;
        if (found->second.tags[gate_tag] != verdict) {
            server_.tag_version(name, found->second.number, gate_tag, verdict);
            found->second.tags[gate_tag] = verdict;
            ++result_.tags;
        }
        return found->second.number;
    }

    void point(const std::string& name, const std::string& alias, std::int64_t number, const std::map<std::int64_t, std::string>& numbers,
               const MlflowRegistered& there) {
        const auto version = numbers.find(number);
        if (version == numbers.end()) throw_error(ExitCode::io_error, "version {} is not there yet", number);
        const auto now = there.aliases.find(alias);
        if (now != there.aliases.end() && now->second == version->second) return;
        server_.point(name, alias, version->second);
        ++result_.aliases;
    }

    const Registry& registry_;
    MlflowRegistry& server_;
    RegistryMirror& result_;
};

}  // namespace

Json RegistryMirror::to_json() const {
    return {{"created", created}, {"known", known}, {"aliases", aliases}, {"tags", tags}, {"problems", problems}};
}

RegistryMirror mirror_registry(const Registry& registry, const std::vector<std::string>& names, const std::string& tracking_uri, double seconds) {
    MlflowRegistry server(tracking_uri, "registry sync", patience_of(seconds, 3));
    RegistryMirror result;
    Mirroring mirroring(registry, server, result);
    for (const std::string& name : names) mirroring.attempt(name, [&] { mirroring.model(name); });
    return result;
}

}  // namespace temper
