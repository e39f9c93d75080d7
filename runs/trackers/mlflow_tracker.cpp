#include "runs/trackers/mlflow_tracker.h"

#include <algorithm>
#include <set>

#include "io/durable.h"
#include "io/environment.h"
#include "io/http/url.h"
#include "io/json_text.h"
#include "io/log.h"

namespace temper {
namespace {

// "preempted" is a run that waits for its job to be queued again.
std::string mlflow_status(const std::string& status) {
    if (status == "finished") return "FINISHED";
    if (status == "failed") return "FAILED";
    if (status == "preempted") return "SCHEDULED";
    return "RUNNING";
}

std::string digest_of(const Json& json) { return sha256_hex(json_text(json)).substr(0, 16); }

}  // namespace

MlflowTracker::MlflowTracker(const TrackingSettings& settings) : client_(settings.mlflow_tracking_uri.value_or("")) {}

void MlflowTracker::push(Push& push) {
    find_run(push);
    if (!looked_) look(push);
    looked_ = false;  // until all of this has gone well
    describe(push);
    send_metrics(push, MetricStream::Part::computed, "computed", computed_certain_);
    send_metrics(push, MetricStream::Part::measured, "measured", measured_certain_);
    if (push.run.finished()) {
        send_final_figures(push);
        if (push.settings.log_artifacts) send_files(push);
        send_trace(push);
    }
    send_status(push);
    looked_ = true;
}

void MlflowTracker::look(Push& push) {
    Json run;
    try {
        run = client_.run(push, run_id_);
    } catch (const ServerError& error) {
        if (error.code() != "RESOURCE_DOES_NOT_EXIST") throw;
        log_warning("mlflow: {} does not know run {} any more: it is sent anew", where(), run_id_);
        push.state = Json::object();
        push.save();
        run_id_.clear();
        find_run(push);
        run = client_.run(push, run_id_);
    }
    artifact_root_ = mlflow_text(mlflow_member(run, "info"), "artifact_uri");
    latest_.clear();
    known_parameters_.clear();
    known_datasets_ = Json::array();
    if (const Json data = run.value("data", Json::object()); data.is_object()) {
        for (const Json& metric : data.value("metrics", Json::array())) latest_[mlflow_text(metric, "key")] = std::stoll(mlflow_text(metric, "step"));
        for (const Json& parameter : data.value("params", Json::array()))
            known_parameters_[mlflow_text(parameter, "key")] = mlflow_text(parameter, "value");
    }
    if (const Json inputs = run.value("inputs", Json::object()); inputs.is_object()) known_datasets_ = inputs.value("dataset_inputs", Json::array());
}

void MlflowTracker::describe(Push& push) {
    send_tags(push);
    if (push.run.text("config_hash").empty() || push.run.parameters().empty()) return;  // the job has not said yet
    const std::string described = digest_of(Json{push.run.parameters(), push.run.record().value("data", Json())});
    if (member_text(push.state, "described") == described) return;
    look(push);
    send_parameters(push);
    send_datasets(push);
    push.state["described"] = described;
    push.save();
}

void MlflowTracker::send_tags(Push& push) {
    TextPairs tags = push.run.tags();
    const Json& environment = push.run.record().value("environment", Json::object());
    if (!push.state.value("taken_over", false)) {  // else who began it has named it
        tags.emplace_back("mlflow.runName", push.run.name());
        tags.emplace_back("mlflow.source.type", "LOCAL");
        tags.emplace_back("mlflow.source.name", "temper " + push.run.kind());
        if (const std::string user = environment_text("USER"); !user.empty()) tags.emplace_back("mlflow.user", user);
    }
    if (environment.is_object() && environment.contains("git") && environment["git"].is_string())
        tags.emplace_back("mlflow.source.git.commit", environment["git"].get<std::string>());
    std::string parent = member_text(push.state, "parent_run");
    if (parent.empty() && !push.state.value("taken_over", false) && !push.run.parent().empty()) {
        parent = parent_run(push).value_or("");
        if (!parent.empty()) push.state["parent_run"] = parent;
    }
    if (!parent.empty()) tags.emplace_back("mlflow.parentRunId", parent);
    const std::string digest = digest_of(Json(tags));
    if (member_text(push.state, "tags") == digest) return;
    client_.set_tags(push, run_id_, tags);
    push.state["tags"] = digest;
    push.save();
}

// A parameter of MLflow's never changes: those of the first attempt stay (a later one may have other threads), and what is there is not sent again.
void MlflowTracker::send_parameters(Push& push) {
    TextPairs parameters = push.run.parameters();
    std::set<std::string> sent;
    std::erase_if(parameters, [&](const auto& pair) {
        const std::string name = mlflow_name(pair.first);
        return known_parameters_.count(name) != 0 || !sent.insert(name).second;
    });
    client_.log_parameters(push, run_id_, parameters);
}

void MlflowTracker::send_datasets(Push& push) {
    Json datasets = Json::array();
    for (const Json& data : push.run.record().value("data", Json::array())) {
        const std::string path = data.value("path", ""), role = data.value("role", "");
        const std::string name = std::filesystem::path(path).filename().string(), digest = data.value("sha256", "").substr(0, 36);
        const bool known = std::any_of(known_datasets_.begin(), known_datasets_.end(), [&](const Json& input) {
            const Json dataset = input.value("dataset", Json::object());
            return dataset.value("name", "") == name && dataset.value("digest", "") == digest;
        });
        if (known || digest.empty()) continue;
        Json dataset{{"name", name}, {"digest", digest}, {"source_type", "local"}, {"source", Json{{"uri", path}}.dump()}};
        if (data.contains("rows") && data["rows"].is_number()) dataset["profile"] = Json{{"num_rows", data["rows"]}}.dump();
        const std::string context = role == "train" ? "training" : role == "eval" ? "evaluation" : role;
        datasets.push_back({{"dataset", dataset}, {"tags", {{{"key", "mlflow.data.context"}, {"value", context}}}}});
    }
    if (!datasets.empty()) client_.post(push, "runs/log-inputs", {{"run_id", run_id_}, {"datasets", datasets}});
}

void MlflowTracker::send_metrics(Push& push, MetricStream::Part part, const char* place, bool& certain) {
    MetricStream stream(push.run.journal(), part, push.state.value(place, Json()));
    const std::int64_t end = part == MetricStream::Part::measured ? push.run.settled() : std::numeric_limits<std::int64_t>::max();
    while (true) {
        const std::vector<Point> points = stream.next(mlflow_most_metrics - 100, end, push.times, push.run.time("updated_at"));
        if (stream.contradicted() && !push.state.value("contradicted", false)) {
            log_warning(
                "mlflow: step {} was computed again with other figures than those sent, by another build or instruction set; the first ones stay",
                stream.last_step());
            push.state["contradicted"] = true;
        }
        const Json after = stream.place();
        if (points.empty()) {
            if (push.state.value(place, Json()) != after) push.state[place] = after;  // rows without a figure; saved with the next ones
            return;
        }
        send_points(push, points, certain);
        std::set<std::string> names;
        for (const Json& name : push.state.value("names", Json::array())) names.insert(name.get<std::string>());
        for (const Point& point : points)
            if (names.size() < 4096) names.insert(point.name);
        push.state["names"] = names;
        push.state["last_step"] = std::max(push.state.value("last_step", std::int64_t(0)), stream.last_step());
        push.state[place] = after;
        push.save();
    }
}

// What only the record knows: the figures of an evaluation, of the whole run.
void MlflowTracker::send_final_figures(Push& push) {
    if (push.state.value("final", false)) return;
    std::set<std::string> names;
    for (const Json& name : push.state.value("names", Json::array())) names.insert(name.get<std::string>());
    std::vector<Point> points;
    for (const auto& [name, value] : push.run.figures())
        if (names.count(name) == 0) points.push_back({name, push.state.value("last_step", std::int64_t(0)), value, push.run.time("finished_at")});
    bool certain = false;
    if (!points.empty()) send_points(push, points, certain);
    push.state["final"] = true;
    push.save();
}

// A batch of which nothing was there is the end of what has arrived: those that follow need not be asked for.
void MlflowTracker::send_points(Push& push, const std::vector<Point>& points, bool& certain) {
    const std::vector<Point> absent = certain ? points : missing(push, points);
    certain = false;
    if (!absent.empty()) client_.log_metrics(push, run_id_, absent);
    certain = absent.size() == points.size();
}

std::vector<Point> MlflowTracker::missing(Push& push, const std::vector<Point>& points) {
    look(push);
    std::map<std::string, std::vector<std::int64_t>> steps;
    for (const Point& point : points) steps[point.name].push_back(point.step);
    std::map<std::pair<std::string, std::int64_t>, int> there;
    for (const auto& [name, wanted] : steps) {
        const auto latest = latest_.find(mlflow_name(name));
        if (latest == latest_.end() || latest->second < *std::min_element(wanted.begin(), wanted.end())) continue;
        const std::vector<int> counts = client_.count_metrics(push, run_id_, name, wanted);
        for (std::size_t i = 0; i < wanted.size(); ++i) there[{name, wanted[i]}] = counts[i];
    }
    std::vector<Point> absent;
    for (const Point& point : points)
        if (int& count = there[{point.name, point.step}]; count > 0) --count;
        else absent.push_back(point);
    return absent;
}

// Files where the server passes them on to its store; a store of its own kind (s3://, file:) is not ours to write.
void MlflowTracker::send_files(Push& push) {
    static const std::string scheme = "mlflow-artifacts:";
    if (artifact_root_.empty()) look(push);
    if (!artifact_root_.starts_with(scheme)) {
        push.state["files"] = "not sent: the server keeps them at " + artifact_root_ + ", which it does not pass on";
        return;
    }
    if (!push.state.contains("files") || !push.state["files"].is_object()) push.state["files"] = Json::object();
    std::string root = artifact_root_.substr(scheme.size());
    if (root.starts_with("//")) root = root.substr(std::min(root.find('/', 2), root.size()));
    while (root.starts_with('/')) root.erase(0, 1);
    for (const TrackedRun::File& file : push.run.files()) {
        const std::string sha256 = file.sha256.empty() ? sha256_file(file.path) : file.sha256;
        if (push.state["files"].value(file.name, "") == sha256) continue;
        std::string escaped;
        for (const std::filesystem::path& part : std::filesystem::path(file.name)) escaped += "/" + url_escape(part.string());
        client_.http().put_file(push, client_.url() + "/api/2.0/mlflow-artifacts/artifacts/" + root + escaped, file.path);
        push.state["files"][file.name] = sha256;
        push.save();
    }
}

void MlflowTracker::send_status(Push& push) {
    const std::string status = mlflow_status(push.run.status());
    if (member_text(push.state, "status") == status) return;
    Json update{{"run_id", run_id_}, {"status", status}};
    if (const std::int64_t end = push.run.time("finished_at"); end > 0 && status != "SCHEDULED") update["end_time"] = end;
    client_.post(push, "runs/update", update);
    push.state["status"] = status;
    push.save();
}

std::unique_ptr<Tracker> make_mlflow_tracker(const TrackingSettings& settings) { return std::make_unique<MlflowTracker>(settings); }

}  // namespace temper
