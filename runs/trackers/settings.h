// Where a run is reported to. Declared once; the section `tracking` of a training configuration, and the environment of every command.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace temper {

using Json = nlohmann::ordered_json;

struct TrackingSettings {
    std::vector<std::string> report_to = {"auto"};  // auto | none | mlflow | clearml | tensorboard | otlp
    std::optional<std::string> mlflow_tracking_uri, mlflow_experiment_name;
    std::optional<std::string> mlflow_run_id;  // no setting: what MLFLOW_RUN_ID said as the job began
    std::optional<std::string> clearml_api_host, clearml_files_host, clearml_project;
    std::optional<std::string> tensorboard_dir;
    std::optional<std::string> otlp_endpoint;
    bool log_artifacts = true;
    double exit_seconds = 10;
};

// What the environment says where the settings are silent: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME, CLEARML_API_HOST, CLEARML_FILES_HOST,
// CLEARML_PROJECT, TENSORBOARD_LOGGING_DIR, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT.
TrackingSettings with_environment(TrackingSettings settings);

// The trackers that settings (with the environment) choose, by name. `auto` is every one that has a place to report to. usage: a name that no tracker
// has, a tracker that is named and has no place, or one that it cannot report to (an MLflow store that is no server; auto passes those over).
std::vector<std::string> chosen_trackers(const TrackingSettings& settings);

// usage: a password in a URL, which the record and the log would show; and what chosen_trackers refuses.
void check_tracking(const TrackingSettings& settings);

// The places alone, without passwords, as a tracker's state keeps them; and back, where the settings name none.
Json places_json(const TrackingSettings& settings);
void take_places(TrackingSettings& settings, const Json& places);

}  // namespace temper
