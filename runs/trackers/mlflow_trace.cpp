// A finished run's trace in MLflow: its OTLP endpoint, with the experiment and the run that the trace belongs to.
#include <algorithm>

#include "io/json_text.h"
#include "runs/trackers/mlflow_tracker.h"
#include "runs/trackers/spans.h"

namespace temper {

void MlflowTracker::send_trace(Push& push) {
    if (push.state.value("trace", false)) return;
    Trace trace = trace_of(push.run);
    // A trace of its own even for a stage: MLflow wants a root in each.
    trace.spans.front().parent.clear();
    trace.id = trace.spans.front().id + trace.id.substr(0, 16);
    for (TraceSpan& span : trace.spans) {
        span.attributes["mlflow.spanType"] = "\"CHAIN\"";
        span.attributes["mlflow.spanInputs"] = Json{{"command", push.run.record().value("command", Json::array())}}.dump();
    }
    Json outputs = Json::object();
    for (const auto& [name, value] : push.run.figures()) outputs[name] = value;
    trace.spans.front().attributes["mlflow.spanOutputs"] = outputs.dump();
    const std::string experiment = push.state.value("experiment_id", "");
    const auto there = [&] {
        const Json query{{"locations", Json::array({{{"type", "MLFLOW_EXPERIMENT"}, {"mlflow_experiment", {{"experiment_id", experiment}}}}})},
                         {"filter", fmt::format("trace.run_id = '{}'", run_id_)},
                         {"max_results", 5}};
        const Json found = client_.http().call(push, "POST", client_.url() + "/api/3.0/mlflow/traces/search", query.dump());
        return found.contains("traces") && found["traces"].is_array() && !found["traces"].empty();
    };
    try {
        if (!there()) {
            const TrackerHttp::Headers headers{{"x-mlflow-experiment-id", experiment}, {"x-mlflow-run-id", run_id_}};
            client_.http().call(push, "POST", client_.url() + "/v1/traces", json_text(otlp_request(trace, trace.spans, {{"service.name", "temper"}})),
                                headers, true);
        }
        push.state["trace"] = true;
    } catch (const ServerError& error) {
        // A server from before 3.6, or one whose store keeps no traces.
        if (error.status() != 404 && error.status() != 405 && error.status() != 501) throw;
        push.state["trace"] = true;
        push.state["trace_note"] = error.what();
    }
    push.save();
}

}  // namespace temper
