#include "runs/trackers/mlflow_client.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "io/base64.h"
#include "io/environment.h"
#include "io/http/url.h"
#include "io/json_text.h"
#include "runs/trackers/tracker.h"

namespace temper {
namespace {

constexpr const char* absent = "RESOURCE_DOES_NOT_EXIST";

Json value_json(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
    return value;
}

Json pairs_json(const TextPairs& pairs, std::size_t begin, std::size_t end, std::size_t longest) {
    Json list = Json::array();
    for (std::size_t i = begin; i < end; ++i) list.push_back({{"key", mlflow_name(pairs[i].first)}, {"value", cut_text(pairs[i].second, longest)}});
    return list;
}

std::int64_t whole_number(const Json& json, const char* name) {
    if (!json.contains(name)) return 0;
    if (json[name].is_number()) return json[name].get<std::int64_t>();
    return json[name].is_string() ? std::strtoll(json[name].get_ref<const std::string&>().c_str(), nullptr, 10) : 0;  // JSON of protobuf
}

// An answer that has nothing but these members: a middlebox that says something else with status 200 has not passed the request on.
Json only(Json answer, std::initializer_list<const char*> members) {
    for (const auto& [name, value] : answer.items()) {
        const bool known = std::any_of(members.begin(), members.end(), [&, &key = name](const char* member) { return key == member; });
        if (!known)
            throw ServerError(fmt::format("an answer of the MLflow server has '{}', which it never has here; is this the right server?", name), 200,
                              "", 0);
    }
    return answer;
}

}  // namespace

std::string cut_text(const std::string& text, std::size_t most) {
    if (text.size() <= most) return text;
    std::size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return text.substr(0, end);
}

std::string mlflow_name(const std::string& text) {
    std::string name = cut_text(text, mlflow_longest_key);
    for (char& c : name) {
        const bool fine =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == ' ' || c == '/';
        if (!fine) c = '_';
    }
    return name;
}

const Json& mlflow_member(const Json& answer, const char* name) {
    if (!answer.is_object() || !answer.contains(name))
        throw ServerError(
            fmt::format("an answer of the MLflow server has no '{}': {}; is this the right server?", name, answer.dump().substr(0, 120)), 200, "", 0);
    return answer[name];
}

std::string mlflow_text(const Json& answer, const char* name) {
    const Json& value = mlflow_member(answer, name);
    return value.is_string() ? value.get<std::string>() : value.dump();
}

MlflowClient::MlflowClient(std::string url) : url_(std::move(url)) {
    while (url_.ends_with('/')) url_.pop_back();
    TrackerHttp::Headers headers;
    if (const std::string user = environment_text("MLFLOW_TRACKING_USERNAME"); !user.empty())
        headers.emplace_back("Authorization", "Basic " + encode_base64(user + ":" + environment_text("MLFLOW_TRACKING_PASSWORD")));
    else if (const std::string token = environment_text("MLFLOW_TRACKING_TOKEN"); !token.empty())
        headers.emplace_back("Authorization", "Bearer " + token);
    http_.set_headers(std::move(headers));
    http_.trust(environment_text("MLFLOW_TRACKING_SERVER_CERT_PATH"), environment_text("MLFLOW_TRACKING_INSECURE_TLS") != "true");
}

Json MlflowClient::get(const Patience& patience, const std::string& path) { return http_.call(patience, "GET", api(path), ""); }

Json MlflowClient::post(const Patience& patience, const std::string& path, const Json& body) {
    return http_.call(patience, "POST", api(path), json_text(body));
}

std::optional<Json> MlflowClient::find(const Patience& patience, const std::string& path) {
    try {
        return get(patience, path);
    } catch (const ServerError& error) {
        if (error.code() == absent) return std::nullopt;
        throw;
    }
}

std::string MlflowClient::experiment(const Patience& patience, const std::string& name) {
    const std::string by_name = "experiments/get-by-name?experiment_name=" + url_escape(name);
    if (const auto found = find(patience, by_name)) return mlflow_text(mlflow_member(*found, "experiment"), "experiment_id");
    try {
        return mlflow_text(post(patience, "experiments/create", {{"name", name}}), "experiment_id");
    } catch (const ServerError& error) {
        if (error.code() != "RESOURCE_ALREADY_EXISTS") throw;  // another job was first
    }
    return mlflow_text(mlflow_member(get(patience, by_name), "experiment"), "experiment_id");
}

std::optional<std::string> MlflowClient::find_run(const Patience& patience, const std::string& experiment, const std::string& tag,
                                                  const std::string& value) {
    const Json query{{"experiment_ids", {experiment}},
                     {"filter", fmt::format("tags.`{}` = '{}'", tag, value)},
                     {"order_by", {"attributes.start_time ASC"}},
                     {"max_results", 1}};
    const Json answer = only(post(patience, "runs/search", query), {"runs", "next_page_token"});
    if (!answer.contains("runs") || answer["runs"].empty()) return std::nullopt;  // protobuf leaves empty lists out
    return mlflow_text(mlflow_member(answer["runs"][0], "info"), "run_id");
}

std::string MlflowClient::create_run(const Patience& patience, const std::string& experiment, const std::string& name, std::int64_t start,
                                     const TextPairs& tags) {
    const Json answer = post(patience, "runs/create",
                             {{"experiment_id", experiment},
                              {"run_name", name},
                              {"start_time", start},
                              {"tags", pairs_json(tags, 0, std::min(tags.size(), mlflow_most_pairs), mlflow_longest_tag)}});
    return mlflow_text(mlflow_member(mlflow_member(answer, "run"), "info"), "run_id");
}

Json MlflowClient::run(const Patience& patience, const std::string& run_id) {
    return mlflow_member(get(patience, "runs/get?run_id=" + url_escape(run_id)), "run");
}

void MlflowClient::log_batch(const Patience& patience, const Json& batch) { only(post(patience, "runs/log-batch", batch), {}); }

void MlflowClient::log_metrics(const Patience& patience, const std::string& run_id, const std::vector<Point>& points) {
    for (std::size_t begin = 0; begin < points.size(); begin += mlflow_most_metrics) {
        Json metrics = Json::array();
        for (std::size_t i = begin; i < std::min(points.size(), begin + mlflow_most_metrics); ++i)
            metrics.push_back({{"key", mlflow_name(points[i].name)},
                               {"value", value_json(points[i].value)},
                               {"timestamp", points[i].time},
                               {"step", points[i].step}});
        log_batch(patience, {{"run_id", run_id}, {"metrics", std::move(metrics)}});
    }
}

void MlflowClient::log_parameters(const Patience& patience, const std::string& run_id, const TextPairs& parameters) {
    for (std::size_t begin = 0; begin < parameters.size(); begin += mlflow_most_pairs)
        log_batch(patience,
                  {{"run_id", run_id},
                   {"params", pairs_json(parameters, begin, std::min(parameters.size(), begin + mlflow_most_pairs), mlflow_longest_parameter)}});
}

void MlflowClient::set_tags(const Patience& patience, const std::string& run_id, const TextPairs& tags) {
    for (std::size_t begin = 0; begin < tags.size(); begin += mlflow_most_pairs)
        log_batch(patience,
                  {{"run_id", run_id}, {"tags", pairs_json(tags, begin, std::min(tags.size(), begin + mlflow_most_pairs), mlflow_longest_tag)}});
}

std::vector<int> MlflowClient::count_metrics(const Patience& patience, const std::string& run_id, const std::string& name,
                                             const std::vector<std::int64_t>& steps) {
    std::map<std::int64_t, int> counts;
    for (const std::int64_t step : steps) counts[step] = 0;
    std::string page;
    do {
        const Json answer = get(patience, fmt::format("metrics/get-history?run_id={}&metric_key={}&max_results=10000{}", url_escape(run_id),
                                                      url_escape(mlflow_name(name)), page.empty() ? "" : "&page_token=" + url_escape(page)));
        if (answer.contains("metrics") && answer["metrics"].is_array())
            for (const Json& metric : answer["metrics"])
                if (const auto wanted = counts.find(whole_number(metric, "step")); wanted != counts.end()) ++wanted->second;
        page = answer.contains("next_page_token") && answer["next_page_token"].is_string() ? answer["next_page_token"].get<std::string>() : "";
    } while (!page.empty());
    std::vector<int> result;
    for (const std::int64_t step : steps) result.push_back(counts[step]);
    return result;
}

}  // namespace temper
