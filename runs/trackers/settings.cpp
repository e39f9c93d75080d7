#include "runs/trackers/settings.h"

#include <algorithm>

#include "io/environment.h"
#include "io/http/http.h"
#include "io/http/url.h"
#include "io/jsonl.h"
#include "io/nearest.h"
#include "kernels/error.h"

namespace temper {
namespace {

void fill(std::optional<std::string>& value, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        if (value) return;
        if (std::string text = environment_text(name); !text.empty()) value = std::move(text);
    }
}

bool has_a_place(const std::string& tracker, const TrackingSettings& s) {
    const auto is_server = [](const std::optional<std::string>& url) { return url && parse_url(*url); };
    if (tracker == "mlflow") return is_server(s.mlflow_tracking_uri);
    if (tracker == "clearml") return is_server(s.clearml_api_host) || (!s.clearml_api_host && s.clearml_project);
    if (tracker == "tensorboard") return s.tensorboard_dir.has_value();
    return is_server(s.otlp_endpoint);
}

void check_place(const std::string& tracker, const TrackingSettings& s) {
    const auto check_url = [](const char* name, const std::optional<std::string>& url, const char* advice) {
        if (url && !parse_url(*url)) throw_error(ExitCode::usage, "{}: expected an http or https URL, found '{}'{}", name, *url, advice);
    };
    if (tracker == "mlflow") {
        if (!s.mlflow_tracking_uri)
            throw_error(ExitCode::usage, "tracking.report_to: mlflow has no server: set tracking.mlflow_tracking_uri or MLFLOW_TRACKING_URI");
        check_url("MLflow's tracking URI", s.mlflow_tracking_uri, "; start `mlflow server` over that store and name its URL");
    } else if (tracker == "clearml") {
        check_url("ClearML's API host", s.clearml_api_host, "");
    } else if (tracker == "otlp") {
        if (!s.otlp_endpoint)
            throw_error(ExitCode::usage, "tracking.report_to: otlp has no collector: set tracking.otlp_endpoint or OTEL_EXPORTER_OTLP_ENDPOINT");
        check_url("the OTLP endpoint", s.otlp_endpoint, "");
    }
}

template <class Settings, class Visit> void each_place(Settings& s, const Visit& visit) {
    visit("mlflow_tracking_uri", s.mlflow_tracking_uri);
    visit("mlflow_experiment_name", s.mlflow_experiment_name);
    visit("mlflow_run_id", s.mlflow_run_id);
    visit("clearml_api_host", s.clearml_api_host);
    visit("clearml_files_host", s.clearml_files_host);
    visit("clearml_project", s.clearml_project);
    visit("tensorboard_dir", s.tensorboard_dir);
    visit("otlp_endpoint", s.otlp_endpoint);
}

}  // namespace

void check_tracking(const TrackingSettings& settings) {
    each_place(settings, [](const char* name, const std::optional<std::string>& value) {
        if (value && value->find("://") != std::string::npos && value->find('@') != std::string::npos)
            throw_error(ExitCode::usage, "tracking.{}: user and password belong into the environment (docs/trackers.md), not into the URL {}", name,
                        shown_url(*value));
    });
    chosen_trackers(with_environment(settings));
}

Json places_json(const TrackingSettings& settings) {
    Json json = Json::object();
    each_place(settings, [&](const char* name, const std::optional<std::string>& value) {
        if (value) json[name] = parse_url(*value) ? shown_url(*value) : *value;
    });
    return json;
}

void take_places(TrackingSettings& settings, const Json& places) {
    each_place(settings, [&](const char* name, std::optional<std::string>& value) {
        if (!value && places.is_object() && places.contains(name) && places[name].is_string()) value = places[name].get<std::string>();
    });
}

TrackingSettings with_environment(TrackingSettings s) {
    fill(s.mlflow_tracking_uri, {"MLFLOW_TRACKING_URI"});
    fill(s.mlflow_experiment_name, {"MLFLOW_EXPERIMENT_NAME"});
    fill(s.clearml_api_host, {"CLEARML_API_HOST"});
    fill(s.clearml_files_host, {"CLEARML_FILES_HOST"});
    fill(s.clearml_project, {"CLEARML_PROJECT"});
    fill(s.tensorboard_dir, {"TENSORBOARD_LOGGING_DIR"});
    if (!s.otlp_endpoint) {
        fill(s.otlp_endpoint, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"});
        if (std::string base = environment_text("OTEL_EXPORTER_OTLP_ENDPOINT"); !s.otlp_endpoint && !base.empty())
            s.otlp_endpoint = base + "/v1/traces";
    } else if (s.otlp_endpoint->find("/v1/traces") == std::string::npos) {
        *s.otlp_endpoint += "/v1/traces";
    }
    if (s.otlp_endpoint) {
        for (std::size_t at; (at = s.otlp_endpoint->find("//v1/traces")) != std::string::npos;) s.otlp_endpoint->erase(at, 1);
    }
    return s;
}

std::vector<std::string> chosen_trackers(const TrackingSettings& s) {
    static const std::vector<std::string> known = {"mlflow", "clearml", "tensorboard", "otlp"};
    const auto named = [&](const char* name) { return std::find(s.report_to.begin(), s.report_to.end(), name) != s.report_to.end(); };
    std::vector<std::string> names;
    for (const std::string& name : s.report_to)
        if (name != "auto" && name != "none" && std::find(known.begin(), known.end(), name) == known.end())
            throw_error(ExitCode::usage, "tracking.report_to: no tracker is called '{}'; the nearest is {}", name, nearest_name(name, known));
    if (named("none") && s.report_to.size() > 1) throw_error(ExitCode::usage, "tracking.report_to: none stands alone, or is left out");
    for (const std::string& name : known)
        if (named(name.c_str()) || (named("auto") && has_a_place(name, s))) names.push_back(name);
    for (const std::string& name : names) check_place(name, s);
    return names;
}

}  // namespace temper
