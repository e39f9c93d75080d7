#include "runs/trackers/clearml_client.h"

#include "io/base64.h"
#include "io/environment.h"
#include "io/json_text.h"
#include "runs/trackers/tracker.h"

namespace temper {
namespace {

std::string id_of(const Json& data, const std::string& what) {
    if (!data.contains("id") || !data["id"].is_string())
        throw ServerError(fmt::format("ClearML's answer to {} has no id: {}", what, data.dump().substr(0, 120)), 200, "", 0);
    return data["id"].get<std::string>();
}

std::string escaped_pattern(const std::string& text) {
    std::string pattern = "^";
    for (const char c : text) {
        if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) pattern += '\\';
        pattern += c;
    }
    return pattern + "$";
}

}  // namespace

ClearmlClient::ClearmlClient(std::string url) : url_(std::move(url)) {
    while (url_.ends_with('/')) url_.pop_back();
}

Json ClearmlClient::send(const Patience& patience, const std::string& endpoint, const std::string& body, const std::string& authorization) {
    const Json answer = http_.call(patience, "POST", url_ + "/" + endpoint, body.empty() ? "{}" : body, {{"Authorization", authorization}});
    const Json meta = answer.value("meta", Json::object());
    if (!meta.is_object() || meta.value("result_code", 0) != 200 || !answer.contains("data"))
        throw ServerError(fmt::format("{}/{}: result {}: {}", shown_url(url_), endpoint, meta.is_object() ? meta.value("result_code", 0) : 0,
                                      meta.is_object() ? meta.value("result_msg", "is this ClearML's API server?") : ""),
                          200, "", 0);
    return answer["data"];
}

void ClearmlClient::log_in(const Patience& patience) {
    const std::string key = environment_text("CLEARML_API_ACCESS_KEY"), secret = environment_text("CLEARML_API_SECRET_KEY");
    const Json data = send(patience, "auth.login", "", "Basic " + encode_base64(key + ":" + secret));
    if (!data.contains("token") || !data["token"].is_string()) throw ServerError(shown_url(url_) + "/auth.login: no token in the answer", 200, "", 0);
    token_ = data["token"].get<std::string>();
}

Json ClearmlClient::call(const Patience& patience, const std::string& endpoint, const Json& parameters) {
    if (token_.empty()) log_in(patience);
    try {
        return send(patience, endpoint, json_text(parameters), "Bearer " + token_);
    } catch (const ServerError& error) {
        if (error.status() == 401) token_.clear();  // it has a lifetime; the next push logs in again
        throw;
    }
}

std::string ClearmlClient::project(const Patience& patience, const std::string& name) {
    const Json data = call(patience, "projects.get_all", {{"name", escaped_pattern(name)}, {"only_fields", {"id", "name"}}});
    for (const Json& project : data.value("projects", Json::array()))
        if (project.value("name", "") == name) return id_of(project, "projects.get_all");
    return id_of(call(patience, "projects.create", {{"name", name}, {"description", ""}}), "projects.create");
}

std::optional<std::string> ClearmlClient::find_task(const Patience& patience, const std::string& tag) {
    const Json data = call(patience, "tasks.get_all", {{"tags", {tag}}, {"only_fields", {"id", "created"}}, {"order_by", {"created"}}});
    if (!data.contains("tasks") || !data["tasks"].is_array()) throw ServerError("ClearML's answer to tasks.get_all has no list of tasks", 200, "", 0);
    if (data["tasks"].empty()) return std::nullopt;
    return id_of(data["tasks"][0], "tasks.get_all");
}

std::string ClearmlClient::create_task(const Patience& patience, const Json& task) {
    return id_of(call(patience, "tasks.create", task), "tasks.create");
}

void ClearmlClient::upload(const Patience& patience, const std::string& files_url, const std::string& name, const std::filesystem::path& file) {
    if (token_.empty()) log_in(patience);
    try {
        const std::string answer = http_.post_file(patience, files_url, file, name, {{"Authorization", "Bearer " + token_}});
        if (!answer.starts_with('['))  // the names that it has kept
            throw ServerError(fmt::format("{}: the answer to a file is no list of files; is this ClearML's file server?", shown_url(files_url)), 200,
                              "", 0);
    } catch (const ServerError& error) {
        if (error.status() == 401) token_.clear();
        throw;
    }
}

void ClearmlClient::add_events(const Patience& patience, const Json& events) {
    if (token_.empty()) log_in(patience);
    std::string lines;
    for (const Json& event : events) lines += json_text(event) + "\n";
    if (lines.empty()) return;
    try {
        send(patience, "events.add_batch", lines, "Bearer " + token_);
    } catch (const ServerError& error) {
        if (error.status() == 401) token_.clear();
        throw;
    }
}

}  // namespace temper
