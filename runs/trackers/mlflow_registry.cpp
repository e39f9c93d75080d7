#include "runs/trackers/mlflow_registry.h"

#include "io/http/url.h"

namespace temper {
namespace {

const Json& list_of(const Json& object, const char* name) {
    static const Json nothing = Json::array();
    return object.is_object() && object.contains(name) && object[name].is_array() ? object[name] : nothing;
}

std::map<std::string, std::string> pairs_of(const Json& list, const char* key, const char* value) {
    std::map<std::string, std::string> pairs;
    for (const Json& one : list)
        pairs[mlflow_text(one, key)] = one.contains(value) ? mlflow_text(one, value) : "";  // protobuf leaves empty texts out
    return pairs;
}

Json tags_json(const TextPairs& tags) {
    Json list = Json::array();
    for (const auto& [key, value] : tags) list.push_back({{"key", key}, {"value", value}});
    return list;
}

}  // namespace

bool MlflowRegistered::is_prompt() const {
    const auto found = tags.find(mlflow_prompt_tag);
    return found != tags.end() && found->second == "true";
}

MlflowRegistry::MlflowRegistry(const std::string& url, const std::string& setting, Patience patience) : client_(url), patience_(std::move(patience)) {
    if (!parse_url(url))
        throw_error(ExitCode::usage, "{}: found {}, expected the URL of an MLflow server; give --mlflow, or set MLFLOW_TRACKING_URI", setting,
                    url.empty() ? "no server" : "\"" + url + "\"");
}

MlflowRegistered MlflowRegistry::model(const std::string& name, const TextPairs& tags) {
    const std::string question = "registered-models/get?name=" + url_escape(name);
    auto found = client_.find(patience_, question);
    if (!found) {
        try {
            client_.post(patience_, "registered-models/create", {{"name", name}, {"tags", tags_json(tags)}});
        } catch (const ServerError& error) {
            if (error.code() != "RESOURCE_ALREADY_EXISTS") throw;  // another process was first
        }
        found = client_.get(patience_, question);
    }
    const Json& model = mlflow_member(*found, "registered_model");
    return {pairs_of(list_of(model, "tags"), "key", "value"), pairs_of(list_of(model, "aliases"), "alias", "version")};
}

std::vector<MlflowVersion> MlflowRegistry::versions(const std::string& name, bool prompts) {
    std::vector<MlflowVersion> versions;
    std::string page;
    // Without the tag in the filter the server leaves prompts out.
    const std::string filter = "name='" + name + "'" + (prompts ? fmt::format(" AND tags.`{}` = 'true'", mlflow_prompt_tag) : "");
    do {
        const Json answer = client_.get(patience_, fmt::format("model-versions/search?filter={}&max_results=1000{}", url_escape(filter),
                                                               page.empty() ? "" : "&page_token=" + url_escape(page)));
        for (const Json& version : list_of(answer, "model_versions"))
            versions.push_back({mlflow_text(version, "version"), pairs_of(list_of(version, "tags"), "key", "value")});
        page = answer.contains("next_page_token") ? mlflow_text(answer, "next_page_token") : "";
    } while (!page.empty());
    return versions;
}

std::string MlflowRegistry::create_version(const std::string& name, Json body, const TextPairs& tags) {
    body["name"] = name;
    body["tags"] = tags_json(tags);
    return mlflow_text(mlflow_member(client_.post(patience_, "model-versions/create", body), "model_version"), "version");
}

void MlflowRegistry::point(const std::string& name, const std::string& alias, const std::string& version) {
    client_.post(patience_, "registered-models/alias", {{"name", name}, {"alias", alias}, {"version", version}});
}

void MlflowRegistry::tag_version(const std::string& name, const std::string& version, const std::string& key, const std::string& value) {
    client_.post(patience_, "model-versions/set-tag", {{"name", name}, {"version", version}, {"key", key}, {"value", value}});
}

}  // namespace temper
