#include "runs/registry.h"

#include "io/durable.h"
#include "io/json_text.h"
#include "io/nearest.h"
#include "kernels/error.h"
#include "runs/plain_name.h"
#include "runs/run_record.h"

namespace fs = std::filesystem;

namespace temper {
namespace {

constexpr const char *weights_file = "adapter_model.safetensors", *config_file = "adapter_config.json";

// A path of a configuration, as the working directory has it; what is not there (a model's name elsewhere) stays as it was written.
std::string absolute_if_there(const std::string& path) {
    std::error_code error;
    return !path.empty() && fs::exists(path, error) ? fs::absolute(path).lexically_normal().string() : path;
}

// A file of the adapter is still what the run's record says of it.
void check_artifact(const RunRecord& record, const fs::path& adapter, const char* file, const std::string& sha256) {
    for (const Json& artifact : record.fields().value("artifacts", Json::array())) {
        if (member_text(artifact, "path") != std::string("adapter/") + file || member_text(artifact, "sha256") == sha256) continue;
        throw_error(ExitCode::bad_data, "registry: {}: SHA-256 {}, the run's record says {}: the file was changed after the run",
                    (adapter / file).string(), sha256.empty() ? "of no file" : sha256, member_text(artifact, "sha256"));
    }
}

// What is registered of a run, before it has a number.
RegisteredModel model_of_run(const std::string& name, const fs::path& run) {
    const RunRecord record = RunRecord::open(run / "run.json");
    if (record.status() != "finished") {
        throw_error(ExitCode::usage, "registry: run {} is {}, expected a finished one; continue it with --resume auto", run.string(),
                    record.status());
    }
    const fs::path adapter = fs::absolute(run / "adapter").lexically_normal();
    if (!fs::is_regular_file(adapter / weights_file)) {
        throw_error(ExitCode::missing_input, "registry: {}: no adapter_model.safetensors; name a run of temper sft or dpo", adapter.string());
    }
    RegisteredModel model;
    model.name = name;
    model.run_id = member_text(record.fields(), "run_id");
    model.model = absolute_if_there(member_text(record.fields().value("config", Json::object()), "model"));
    model.adapter = adapter.string();
    model.adapter_sha256 = adapter_sha256_of(adapter);
    model.adapter_config_sha256 = adapter_config_sha256_of(adapter);
    check_artifact(record, adapter, weights_file, model.adapter_sha256);
    check_artifact(record, adapter, config_file, model.adapter_config_sha256);
    return model;
}

RegisteredModel add_with(const VersionStore& store, const VersionStore::Writer& writer, RegisteredModel model) {
    for (const std::int64_t number : store.versions()) {
        RegisteredModel known = RegisteredModel::from_json(store.version(number), store.folder().string());
        if (known.run_id == model.run_id && known.adapter == model.adapter && known.same_adapter(model)) return known;
    }
    model.created_at = utc_now();
    model.version = writer.add(model.to_json());
    return model;
}

void check_verdict(const RegisteredModel& model, const std::string& alias, const Json& verdict, const std::optional<Json>& current) {
    if (verdict.value("passed", Json()) != true) {
        throw_error(ExitCode::gate_failed, "registry: the gate stopped {}: {} of {} stays as it is", model.run_id, alias, model.name);
    }
    const Json record = verdict.value("record", Json::object());
    if (member_text(record, "adapter_sha256") != model.adapter_sha256) {
        const std::string judged = member_text(record, "adapter_sha256");
        throw_error(ExitCode::gate_failed, "registry: the verdict judged {} (run {}), and {} has adapter {}: run the gate on this adapter",
                    judged.empty() ? "no adapter" : "adapter " + judged, member_text(record, "run_id"), model.run_id, model.adapter_sha256);
    }
    const std::string settings = member_text(record, "adapter_config_sha256");  // none in a verdict of an earlier temper
    if (!settings.empty() && settings != model.adapter_config_sha256) {
        throw_error(
            ExitCode::gate_failed,
            "registry: the verdict judged the adapter with other settings (adapter_config.json {}, and {} has {}): run the gate on this adapter",
            settings, model.run_id, model.adapter_config_sha256.empty() ? "none" : model.adapter_config_sha256);
    }
    const Json baseline = verdict.value("baseline", Json());
    if (!current || member_text(baseline, "source") != "run") return;
    const std::string now = member_text(*current, "adapter_sha256"), compared = member_text(baseline, "adapter_sha256");
    if (now == compared || now == model.adapter_sha256) return;
    throw_error(ExitCode::gate_failed,
                "registry: the verdict compares with {}, and {} of {} stands for version {} now: run the gate against that one",
                compared.empty() ? "the base model" : "adapter " + compared, alias, model.name, current->at("version").dump());
}

// An adapter that a person took away is not let in again by a night that makes the same one.
void check_not_rolled_back(const RegisteredModel& model, const std::string& alias, const VersionStore& store) {
    std::string taken_away;  // when
    std::optional<RegisteredModel> before;
    for (const Json& move : store.history(alias)) {
        RegisteredModel now = RegisteredModel::from_json(move, store.folder().string());
        if (now.same_adapter(model)) taken_away.clear();  // let in again since
        else if (before && before->same_adapter(model) && member_text(move, "action") == "rollback") taken_away = member_text(move, "moved_at");
        before = std::move(now);
    }
    if (taken_away.empty()) return;
    throw_error(
        ExitCode::gate_failed,
        "registry: {} of {} was rolled back from this adapter ({}) at {}: {} stays as it is; registry promote --again lets the adapter in all "
        "the same",
        alias, model.name, model.adapter_sha256, taken_away, alias);
}

// Its files are there as they were registered.
bool is_whole(const RegisteredModel& model) {
    try {
        verify_adapter(model);
        return true;
    } catch (const Error&) {
        return false;
    }
}

RegisteredModel model_at(const Json& move, const VersionStore& store) { return RegisteredModel::from_json(move, store.folder().string()); }

}  // namespace

bool RegisteredModel::same_adapter(const RegisteredModel& other) const {
    const bool known = !adapter_config_sha256.empty() && !other.adapter_config_sha256.empty();
    return adapter_sha256 == other.adapter_sha256 && (!known || adapter_config_sha256 == other.adapter_config_sha256);
}

Json RegisteredModel::to_json() const {
    return Json{{"name", name},
                {"version", version},
                {"run_id", run_id},
                {"model", model},
                {"adapter", adapter},
                {"adapter_sha256", adapter_sha256},
                {"adapter_config_sha256", adapter_config_sha256},
                {"created_at", created_at},
                {"verdict", verdict}};
}

RegisteredModel RegisteredModel::from_json(const Json& json, const std::string& place) {
    RegisteredModel model;
    const std::pair<const char*, std::string*> fields[] = {
        {"name", &model.name},       {"run_id", &model.run_id},         {"model", &model.model},
        {"adapter", &model.adapter}, {"created_at", &model.created_at}, {"adapter_sha256", &model.adapter_sha256}};
    for (const auto& [name, target] : fields) {
        if (!json.is_object() || !json.contains(name) || !json.at(name).is_string())
            throw_error(ExitCode::bad_data, "{}: no text \"{}\" in it, expected a version as temper registry writes it", place, name);
        *target = json.at(name).get<std::string>();
    }
    if (!json.contains("version") || !json.at("version").is_number_integer())
        throw_error(ExitCode::bad_data, "{}: no number \"version\" in it, expected a version as temper registry writes it", place);
    model.version = json.at("version").get<std::int64_t>();
    model.adapter_config_sha256 = member_text(json, "adapter_config_sha256");
    model.verdict = json.value("verdict", Json());
    return model;
}

std::string adapter_sha256_of(const fs::path& adapter) { return sha256_file(adapter / weights_file); }

std::string adapter_config_sha256_of(const fs::path& adapter) { return fs::exists(adapter / config_file) ? sha256_file(adapter / config_file) : ""; }

void add_adapter_data(RunRecord& record, const fs::path& adapter) {
    record.add_data("adapter", adapter / weights_file, adapter_sha256_of(adapter), -1);
    if (const std::string config = adapter_config_sha256_of(adapter); !config.empty())
        record.add_data("adapter_config", adapter / config_file, config, -1);
}

std::optional<RegisteredModel> resolve_alias(const fs::path& registry_dir, const std::string& name, const std::string& alias) {
    check_plain_name("model", name);
    check_plain_name("alias", alias);
    const std::optional<Json> pointer = VersionStore(registry_dir / name).alias(alias);
    if (!pointer) return std::nullopt;
    return RegisteredModel::from_json(*pointer, (registry_dir / name / "aliases" / (alias + ".json")).string());
}

void verify_adapter(const RegisteredModel& model) {
    const fs::path adapter = model.adapter;
    const auto verify = [&](const char* file, const std::string& registered) {
        const std::string now = sha256_file(adapter / file);
        if (now == registered) return;
        throw_error(ExitCode::bad_data, "{}: SHA-256 {}, registered as version {} of {} with {}: the file was changed since",
                    (adapter / file).string(), now, model.version, model.name, registered);
    };
    verify(weights_file, model.adapter_sha256);
    if (!model.adapter_config_sha256.empty()) verify(config_file, model.adapter_config_sha256);
}

bool is_guarded(const std::string& alias) { return alias == "production"; }

std::vector<std::string> Registry::names() const { return stores_under(folder_); }

VersionStore Registry::store(const std::string& name) const {
    check_plain_name("model", name);
    return VersionStore(folder_ / name);
}

VersionStore Registry::existing(const std::string& name) const {
    const VersionStore found = store(name);
    if (found.exists()) return found;
    const std::string nearest = nearest_name(name, names());
    throw_error(ExitCode::missing_input, "registry {}: no model {}{}", folder_.string(), name,
                nearest.empty() ? "; temper registry list shows what is there" : "; did you mean " + nearest + "?");
}

RegisteredModel Registry::version(const std::string& name, std::int64_t number) const {
    return RegisteredModel::from_json(existing(name).version(number), folder_.string());
}

RegisteredModel Registry::find(const std::string& name, const std::string& what) const {
    const VersionStore found = existing(name);
    if (what.find_first_not_of("0123456789") == std::string::npos && !what.empty() && what.size() < 10) return version(name, std::stoll(what));
    for (const std::int64_t number : found.versions()) {
        RegisteredModel known = version(name, number);
        if (known.run_id == what) return known;
    }
    if (auto model = resolve_alias(folder_, name, what)) return *model;
    const std::vector<std::string> aliases = found.aliases();
    throw_error(ExitCode::missing_input, "registry: {} has no version, run or alias {}; its aliases are: {}", name, what,
                aliases.empty() ? "none" : fmt::format("{}", fmt::join(aliases, ", ")));
}

RegisteredModel Registry::add(const std::string& name, const fs::path& run, const Json& verdict) const {
    const VersionStore target = store(name);
    RegisteredModel model = model_of_run(name, run);
    model.verdict = verdict;
    return add_with(target, VersionStore::Writer(target), std::move(model));
}

RegisteredModel Registry::point(const std::string& name, const std::string& alias, std::int64_t number) const {
    if (is_guarded(alias)) {
        throw_error(ExitCode::usage, "registry: {} moves through a gate alone; see temper registry promote, or rollback", alias);
    }
    const VersionStore target = existing(name);
    const VersionStore::Writer writer(target);
    const RegisteredModel model = version(name, number);
    verify_adapter(model);
    if (const auto current = target.alias(alias); !current || current->at("version") != number) writer.move(alias, model.to_json(), "alias");
    return model;
}

Promotion Registry::promote(const std::string& name, const std::string& alias, const fs::path& run, const Json& verdict, bool again) const {
    const VersionStore target = store(name);
    check_plain_name("alias", alias);
    RegisteredModel model = model_of_run(name, run);
    model.verdict = verdict;
    check_verdict(model, alias, verdict, target.alias(alias));
    const VersionStore::Writer writer(target);
    const std::optional<Json> current = target.alias(alias);
    check_verdict(model, alias, verdict, current);  // another promoter may have been faster
    if (!again) check_not_rolled_back(model, alias, target);
    model = add_with(target, writer, std::move(model));
    // The same promotion again, after a kill, or a night that made the adapter which is there: nothing to do.
    if (current)
        if (RegisteredModel now = model_at(*current, target); now.same_adapter(model) && is_whole(now)) return {std::move(now), model.version, false};
    model.verdict = verdict;
    writer.move(alias, model.to_json(), "promote");
    return {model, model.version, true};
}

RegisteredModel Registry::roll_back(const std::string& name, const std::string& alias) const {
    const VersionStore target = existing(name);
    const VersionStore::Writer writer(target);
    const Json earlier =
        writer.move_before(alias, [&](const Json& before, const Json& now) { return model_at(before, target).same_adapter(model_at(now, target)); });
    const RegisteredModel model = model_at(earlier, target);
    verify_adapter(model);
    writer.roll_back(alias, earlier);
    return model;
}

}  // namespace temper
