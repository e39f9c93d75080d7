// The calls of ClearML's API server that a run needs. Each is one attempt.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runs/trackers/tracker_http.h"

namespace temper {

class ClearmlClient {
  public:
    // CLEARML_API_ACCESS_KEY and CLEARML_API_SECRET_KEY from the environment.
    explicit ClearmlClient(std::string url);
    const std::string& url() const { return url_; }

    std::string project(const Patience& patience, const std::string& name);  // its id; made where there is none
    std::optional<std::string> find_task(const Patience& patience, const std::string& tag);
    std::string create_task(const Patience& patience, const Json& task);
    void add_events(const Patience& patience, const Json& events);                             // an array
    Json call(const Patience& patience, const std::string& endpoint, const Json& parameters);  // "tasks.started"; the answer's data
    // To the file server, where it replaces a file of this name ("project/run.task/artifacts/...").
    void upload(const Patience& patience, const std::string& files_url, const std::string& name, const std::filesystem::path& file);

  private:
    void log_in(const Patience& patience);
    Json send(const Patience& patience, const std::string& endpoint, const std::string& body, const std::string& authorization);

    std::string url_, token_;
    TrackerHttp http_;
};

}  // namespace temper
