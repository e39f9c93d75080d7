// The fields of the section `tracking`, with their help.
#pragma once
#include "io/settings.h"
#include "runs/trackers/settings.h"

namespace temper {

template <class Visitor> void describe(Visitor& v, TrackingSettings& tracking) {
    v("report_to", tracking.report_to,
      "Trackers that the run is reported to, any number. auto is every one that these settings or the usual environment variables give a place: "
      "MLFLOW_TRACKING_URI, CLEARML_API_HOST or CLEARML_PROJECT, TENSORBOARD_LOGGING_DIR, OTEL_EXPORTER_OTLP_ENDPOINT (docs/trackers.md).",
      one_of({"auto", "none", "mlflow", "clearml", "tensorboard", "otlp"}))
        .differs("none");
    v("mlflow_tracking_uri", tracking.mlflow_tracking_uri, "MLflow server, http or https; null takes MLFLOW_TRACKING_URI.", not_empty());
    v("mlflow_experiment_name", tracking.mlflow_experiment_name, "Its experiment; null takes MLFLOW_EXPERIMENT_NAME, else temper.", not_empty());
    v("clearml_api_host", tracking.clearml_api_host,
      "ClearML's API server; null takes CLEARML_API_HOST. Without one the run is packed as an offline session that ClearML imports.", not_empty());
    v("clearml_files_host", tracking.clearml_files_host,
      "ClearML's file server, which gets the run's files; null takes CLEARML_FILES_HOST. Without one files stay here.", not_empty());
    v("clearml_project", tracking.clearml_project, "ClearML's project; null takes CLEARML_PROJECT, else temper.", not_empty());
    v("tensorboard_dir", tracking.tensorboard_dir,
      "Directory of TensorBoard's event files, a folder a run; null takes TENSORBOARD_LOGGING_DIR, else tensorboard/ in the run's directory.",
      not_empty());
    v("otlp_endpoint", tracking.otlp_endpoint, "OpenTelemetry collector for traces over HTTP; null takes OTEL_EXPORTER_OTLP_ENDPOINT.", not_empty());
    v("log_artifacts", tracking.log_artifacts, "Send the adapter, configuration, report and scores to trackers that keep files.");
    v("exit_seconds", tracking.exit_seconds,
      "How long a finished run may wait for its trackers; a stopped or failed one waits 2 seconds at most. What is left is sent by temper runs sync.",
      range(0, 3600))
        .unit("seconds");
}

}  // namespace temper
