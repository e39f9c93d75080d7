// MLflow's REST interface (3.x; the calls are those of 2.x as well), one call a method. Each is one attempt.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runs/trackers/metric_stream.h"
#include "runs/trackers/tracked_run.h"
#include "runs/trackers/tracker_http.h"

namespace temper {

// What MLflow takes in one call and in one text.
inline constexpr std::size_t mlflow_most_metrics = 1000, mlflow_most_pairs = 100, mlflow_longest_key = 250, mlflow_longest_parameter = 6000,
                             mlflow_longest_tag = 8000;
std::string mlflow_name(const std::string& text);                 // with the characters that a key may have, within its length
std::string cut_text(const std::string& text, std::size_t most);  // of whole characters

class MlflowClient {
  public:
    // User and password in the URL, or MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN; MLFLOW_TRACKING_SERVER_CERT_PATH and _INSECURE_TLS.
    explicit MlflowClient(std::string url);
    const std::string& url() const { return url_; }

    std::string experiment(const Patience& patience, const std::string& name);  // its id; made where there is none
    // The oldest run of the experiment with this tag; none where there is no such run.
    std::optional<std::string> find_run(const Patience& patience, const std::string& experiment, const std::string& tag, const std::string& value);
    std::string create_run(const Patience& patience, const std::string& experiment, const std::string& name, std::int64_t start,
                           const TextPairs& tags);
    Json run(const Patience& patience, const std::string& run_id);  // {"info", "data", "inputs"}; ServerError with code RESOURCE_DOES_NOT_EXIST
    // Any number; in order.
    void log_metrics(const Patience& patience, const std::string& run_id, const std::vector<Point>& points);
    void log_parameters(const Patience& patience, const std::string& run_id, const TextPairs& parameters);
    void set_tags(const Patience& patience, const std::string& run_id, const TextPairs& tags);
    // How often the server has a figure of this name at each of the steps.
    std::vector<int> count_metrics(const Patience& patience, const std::string& run_id, const std::string& name,
                                   const std::vector<std::int64_t>& steps);

    Json get(const Patience& patience, const std::string& path);
    Json post(const Patience& patience, const std::string& path, const Json& body);
    // An answer that says RESOURCE_DOES_NOT_EXIST is none.
    std::optional<Json> find(const Patience& patience, const std::string& path);
    TrackerHttp& http() { return http_; }
    std::string api(const std::string& path) const { return url_ + "/api/2.0/mlflow/" + path; }

  private:
    void log_batch(const Patience& patience, const Json& batch);
    std::string url_;
    TrackerHttp http_;
};

// Members of an answer; ServerError naming the member when they are not there, since then it is no answer of MLflow's.
const Json& mlflow_member(const Json& answer, const char* name);
std::string mlflow_text(const Json& answer, const char* name);

}  // namespace temper
