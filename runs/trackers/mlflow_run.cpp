// Which of MLflow's runs a run of ours is: the one that its state names, that has its tag, that MLFLOW_RUN_ID names, or a new one.
#include "io/durable.h"
#include "io/environment.h"
#include "io/http/url.h"
#include "io/json_text.h"
#include "runs/trackers/mlflow_tracker.h"

namespace temper {
namespace {

constexpr const char* run_tag = "temper.run_id";

}  // namespace

void MlflowTracker::find_run(Push& push) {
    if (!run_id_.empty()) return;
    if (run_id_ = member_text(push.state, "run_id"); !run_id_.empty()) return;
    if (take_over(push)) return;
    const std::string experiment = experiment_of(push);
    const auto found = client_.find_run(push, experiment, run_tag, push.run.id());
    const std::string run_id =
        found ? *found : client_.create_run(push, experiment, push.run.name(), push.run.time("created_at"), {{run_tag, push.run.id()}});
    push.state["uri"] = shown_url(client_.url());
    push.state["experiment_id"] = experiment;
    push.state["run_id"] = run_id;
    push.save();
    run_id_ = run_id;
}

std::string MlflowTracker::experiment_of(Push& push) {
    if (const std::string inside = member_text(push.state, "nested_in_experiment"); !inside.empty()) return inside;
    const std::string name = push.settings.mlflow_experiment_name.value_or("temper"), id = environment_text("MLFLOW_EXPERIMENT_ID");
    const bool by_id = !push.settings.mlflow_experiment_name && !id.empty();
    return by_id ? id : client_.experiment(push, name);
}

// A run that somebody has begun for us. The first of ours that comes takes it; those that find it taken are nested in it, as are stages of a run of ours
// in that one.
bool MlflowTracker::take_over(Push& push) {
    const std::string given = push.settings.mlflow_run_id.value_or("");
    if (given.empty() || !push.run.text("parent_run_id").empty()) return false;
    const auto answer = client_.find(push, "runs/get?run_id=" + url_escape(given));
    if (!answer) throw_error(ExitCode::usage, "MLFLOW_RUN_ID: {} has no run {}; unset the variable, or name a run of this server", where(), given);
    const Json &run = mlflow_member(*answer, "run"), &info = mlflow_member(run, "info");
    if (info.value("lifecycle_stage", "active") != "active")
        throw_error(ExitCode::usage, "MLFLOW_RUN_ID: run {} was deleted; restore it, or unset the variable", given);
    std::string owner;
    for (const Json& tag : run.value("data", Json::object()).value("tags", Json::array()))
        if (mlflow_text(tag, "key") == run_tag) owner = mlflow_text(tag, "value");
    const std::string experiment = mlflow_text(info, "experiment_id");
    if (!owner.empty() && owner != push.run.id()) {
        push.state["nested_in_experiment"] = experiment;
        push.state["parent_run"] = given;
        return false;
    }
    if (owner.empty()) client_.set_tags(push, given, {{run_tag, push.run.id()}});
    push.state["uri"] = shown_url(client_.url());
    push.state["experiment_id"] = experiment;
    push.state["run_id"] = given;
    push.state["taken_over"] = true;
    push.save();
    run_id_ = given;
    return true;
}

// The MLflow run of the run that this one is a stage of: its own tracker has written it down beside us, else the server knows.
std::optional<std::string> MlflowTracker::parent_run(Push& push) {
    const std::filesystem::path file = push.run.directory().parent_path() / push.run.parent() / "trackers" / "mlflow.json";
    if (std::filesystem::exists(file)) {
        try {
            const Json state = parse_json(read_file(file, std::size_t(16) << 20), file.string());
            if (state.contains("run_id") && state["run_id"].is_string()) return state["run_id"].get<std::string>();
        } catch (const Error&) {
            // The server is asked.
        }
    }
    return client_.find_run(push, member_text(push.state, "experiment_id"), run_tag, push.run.parent());
}

}  // namespace temper
