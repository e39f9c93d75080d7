// A run in MLflow. The server's run is found by the tag temper.run_id, so that an answer that got lost makes no second one, and a job that was requeued goes
// on in the first. MLFLOW_RUN_ID names a run that is there already, which a new run of ours goes on in. Figures go in the journal's order; where it is not certain whether a batch has arrived (a new process, any failure), the server is asked
// which of them it has before they are sent again.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runs/trackers/mlflow_client.h"
#include "runs/trackers/tracker.h"

namespace temper {

class MlflowTracker final : public Tracker {
  public:
    explicit MlflowTracker(const TrackingSettings& settings);
    void push(Push& push) override;
    std::string where() const override { return "MLflow at " + shown_url(client_.url()); }

  private:
    void find_run(Push& push);
    bool take_over(Push& push);
    std::string experiment_of(Push& push);
    std::optional<std::string> parent_run(Push& push);
    void look(Push& push);  // what the server has of the run
    void describe(Push& push);
    void send_tags(Push& push);
    void send_parameters(Push& push);
    void send_datasets(Push& push);
    void send_metrics(Push& push, MetricStream::Part part, const char* place, bool& certain);
    void send_final_figures(Push& push);
    void send_points(Push& push, const std::vector<Point>& points, bool& certain);
    std::vector<Point> missing(Push& push, const std::vector<Point>& points);
    void send_files(Push& push);
    void send_trace(Push& push);
    void send_status(Push& push);

    MlflowClient client_;
    std::string run_id_;
    bool looked_ = false;                                       // since this process began, or since the last failure
    bool computed_certain_ = false, measured_certain_ = false;  // what follows the place of this stream is not on the server
    std::map<std::string, std::int64_t> latest_;                // figure -> its last step on the server, when it was asked
    std::map<std::string, std::string> known_parameters_;
    Json known_datasets_ = Json::array();
    std::string artifact_root_;
};

}  // namespace temper
