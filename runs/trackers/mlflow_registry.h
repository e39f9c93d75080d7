// MLflow's registered models, which hold its prompts as well. What is there is read before anything is made: a call may be repeated at any time.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "runs/trackers/mlflow_client.h"

namespace temper {

struct MlflowVersion {
    std::string number;  // the server's own
    std::map<std::string, std::string> tags;
};

struct MlflowRegistered {
    std::map<std::string, std::string> tags, aliases;  // an alias and the number of its version
    bool is_prompt() const;
};

inline constexpr const char* mlflow_prompt_tag = "mlflow.prompt.is_prompt";

// Errors are the client's: ServerError, HttpError.
class MlflowRegistry {
  public:
    // usage unless the URL is one of http or https; `setting` is what the message calls it.
    MlflowRegistry(const std::string& url, const std::string& setting, Patience patience);

    MlflowClient& client() { return client_; }
    const Patience& patience() const { return patience_; }
    std::string shown() const { return shown_url(client_.url()); }

    MlflowRegistered model(const std::string& name, const TextPairs& tags);  // made, with these tags, where there is none
    std::vector<MlflowVersion> versions(const std::string& name, bool prompts);
    // Its number. body: source, and if known run_id, description.
    std::string create_version(const std::string& name, Json body, const TextPairs& tags);
    void point(const std::string& name, const std::string& alias, const std::string& version);
    void tag_version(const std::string& name, const std::string& version, const std::string& key, const std::string& value);

  private:
    MlflowClient client_;
    Patience patience_;
};

}  // namespace temper
