// Questions to an MLflow server's REST interface, one at a time.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/http.h"
#include "io/jsonl.h"

namespace temper {

class MlflowRest {
  public:
    // http or https; user and password in the URL, or MLFLOW_TRACKING_USERNAME and _PASSWORD, or MLFLOW_TRACKING_TOKEN.
    explicit MlflowRest(std::string url);
    std::string shown() const { return shown_url(url_); }

    using Query = std::vector<std::pair<std::string, std::string>>;
    // The server's answer, an object. A refusal is an Error (missing_input for what the server does not have, else io_error) with its words; what is
    // only busy is asked again.
    Json get(const std::string& path, const Query& query);
    std::optional<Json> find(const std::string& path, const Query& query);  // none: RESOURCE_DOES_NOT_EXIST
    Json post(const std::string& path, const Json& body);                   // once: the caller knows whether it may be repeated

  private:
    HttpRequest request(const std::string& method, const std::string& path) const;
    std::string url_, authorization_;
    HttpClient client_;
};

}  // namespace temper
