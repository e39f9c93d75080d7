// A run in ClearML: on its server where one is named, else as an offline session in trackers/ of the run's directory. On the server a scalar is known by
// task, metric, variant and iteration, so that one sent twice, after an answer that got lost, is one; the task itself is found by a tag.
#include "io/durable.h"
#include "io/http/url.h"
#include "io/json_text.h"
#include "runs/trackers/clearml_archive.h"
#include "runs/trackers/clearml_client.h"
#include "runs/trackers/clearml_events.h"
#include "runs/trackers/tracker.h"

namespace temper {
namespace {

class ClearmlOffline final : public Tracker {
  public:
    void push(Push& push) override {
        if (push.run.status() == "running") return;
        const std::string file = clearml_offline_id(push.run) + ".zip";
        const std::filesystem::path path = push.run.directory() / "trackers" / file;
        const std::string version = push.run.text("updated_at");
        if (push.state.value("version", "") == version && std::filesystem::exists(path)) return;
        write_clearml_archive(push, path);
        push.state["archive"] = file;
        push.state["version"] = version;
        push.save();
    }
    std::string where() const override { return "ClearML's offline session in trackers/"; }
};

std::string escaped_path(const std::string& path) {
    std::string result;
    for (const std::filesystem::path& part : std::filesystem::path(path)) result += (result.empty() ? "" : "/") + url_escape(part.string());
    return result;
}

class ClearmlServer final : public Tracker {
  public:
    explicit ClearmlServer(const std::string& url) : client_(url) {}

    void push(Push& push) override {
        find_task(push);
        describe(push);
        send(push, MetricStream::Part::computed, "computed");
        send(push, MetricStream::Part::measured, "measured");
        if (push.run.finished() && !push.state.value("final", false)) {
            client_.add_events(push, clearml_single_values(push.run, task_));
            push.state["final"] = true;
            push.save();
        }
        if (push.run.finished() && push.settings.log_artifacts) send_files(push);
        send_status(push);
    }
    std::string where() const override { return "ClearML at " + shown_url(client_.url()); }

  private:
    void find_task(Push& push) {
        if (!task_.empty()) return;
        task_ = push.state.value("task", "");
        if (!task_.empty()) return;
        const std::string project = client_.project(push, push.settings.clearml_project.value_or("temper"));
        const auto found = client_.find_task(push, clearml_run_tag(push.run));
        const std::string task = found ? *found
                                       : client_.create_task(push, {{"name", push.run.name()},
                                                                    {"type", clearml_type(push.run)},
                                                                    {"project", project},
                                                                    {"tags", clearml_tags(push.run)},
                                                                    {"comment", push.run.id()}});
        push.state["task"] = task;
        push.save();
        task_ = task;
    }

    void describe(Push& push) {
        const Json parameters = clearml_parameters(push.run);
        const std::string digest = sha256_hex(json_text(parameters)).substr(0, 16);
        if (parameters.empty() || push.state.value("described", "") == digest) return;
        client_.call(push, "tasks.edit_hyper_params",
                     {{"task", task_}, {"hyperparams", parameters}, {"replace_hyperparams", "section"}, {"force", true}});
        push.state["described"] = digest;
        push.save();
    }

    void send(Push& push, MetricStream::Part part, const char* place) {
        MetricStream stream(push.run.journal(), part, push.state.value(place, Json()));
        const std::int64_t end = part == MetricStream::Part::measured ? push.run.settled() : std::numeric_limits<std::int64_t>::max();
        for (std::vector<Point> points; !(points = stream.next(1000, end, push.times, push.run.time("updated_at"))).empty();) {
            client_.add_events(push, clearml_events(points, task_));
            push.state[place] = stream.place();
            push.save();
        }
    }

    // A file that is sent again, after an answer that got lost, replaces itself, and so does its entry among the task's artifacts.
    void send_files(Push& push) {
        std::string host = push.settings.clearml_files_host.value_or("");
        while (host.ends_with('/')) host.pop_back();
        if (!parse_url(host)) {  // a store of another kind (s3://) is not ours to write
            push.state["files"] =
                host.empty() ? "not sent: no file server is named (CLEARML_FILES_HOST)" : "not sent: " + host + " is no http or https server";
            return;
        }
        if (!push.state.contains("files") || !push.state["files"].is_object()) push.state["files"] = Json::object();
        const std::string folder = push.settings.clearml_project.value_or("temper") + "/" + push.run.name() + "." + task_ + "/artifacts/";
        for (const TrackedRun::File& file : push.run.files()) {
            const std::string sha256 = file.sha256.empty() ? sha256_file(file.path) : file.sha256;
            if (push.state["files"].value(file.name, "") == sha256) continue;
            const std::string name = folder + file.name + "/" + file.path.filename().string();
            client_.upload(push, host, name, file.path);
            client_.call(push, "tasks.add_or_update_artifacts",
                         {{"task", task_},
                          {"artifacts", Json::array({clearml_artifact(push.run, file, host + "/" + escaped_path(name), sha256)})},
                          {"force", true}});
            push.state["files"][file.name] = sha256;
            push.save();
        }
    }

    void send_status(Push& push) {
        const std::string status = push.run.status();
        if (push.state.value("status", "") == status) return;
        const char* endpoint = status == "finished"    ? "tasks.completed"
                               : status == "failed"    ? "tasks.failed"
                               : status == "preempted" ? "tasks.stopped"
                                                       : "tasks.started";
        client_.call(push, endpoint,
                     {{"task", task_}, {"force", true}, {"status_reason", status}, {"status_message", push.run.text("message").substr(0, 1000)}});
        push.state["status"] = status;
        push.save();
    }

    ClearmlClient client_;
    std::string task_;
};

}  // namespace

std::unique_ptr<Tracker> make_clearml_tracker(const TrackingSettings& settings) {
    if (settings.clearml_api_host) return std::make_unique<ClearmlServer>(*settings.clearml_api_host);
    return std::make_unique<ClearmlOffline>();
}

}  // namespace temper
