#include "runs/prompts_mirror.h"

#include <map>

#include "kernels/error.h"
#include "runs/mlflow_rest.h"

namespace temper {
namespace {

constexpr const char* hash_tag = "temper.sha256";

Json tag(const std::string& key, const std::string& value) { return Json{{"key", key}, {"value", value}}; }

const Json& list_of(const Json& object, const char* name) {
    static const Json nothing = Json::array();
    return object.is_object() && object.contains(name) && object[name].is_array() ? object[name] : nothing;
}

// A member of what the server says, as text; empty where it is not there.
std::string text_of(const Json& thing, const char* name) {
    const Json value = thing.is_object() ? thing.value(name, Json()) : Json();
    return value.is_string() ? value.get<std::string>() : value.is_null() ? "" : value.dump();
}

std::string tag_of(const Json& thing, const std::string& key) {
    for (const Json& one : list_of(thing, "tags"))
        if (text_of(one, "key") == key) return text_of(one, "value");
    return "";
}

// The registered model that holds a prompt, made where there is none.
Json prompt_of(MlflowRest& server, const std::string& name) {
    auto found = server.find("registered-models/get", {{"name", name}});
    if (!found) {
        server.post("registered-models/create", {{"name", name}, {"tags", {tag("mlflow.prompt.is_prompt", "true")}}});
        found = server.get("registered-models/get", {{"name", name}});
    }
    const Json model = found->value("registered_model", Json::object());
    if (tag_of(model, "mlflow.prompt.is_prompt") != "true")
        throw_error(ExitCode::usage, "{}: {} is a registered model there, not a prompt; give the prompt another name", server.shown(), name);
    return model;
}

// The server's versions by their hash. Without the tag in the filter it leaves prompts out.
std::map<std::string, std::string> versions_of(MlflowRest& server, const std::string& name) {
    std::map<std::string, std::string> versions;
    std::string page;
    do {
        MlflowRest::Query query{{"filter", "name='" + name + "' AND tags.`mlflow.prompt.is_prompt` = 'true'"}, {"max_results", "1000"}};
        if (!page.empty()) query.emplace_back("page_token", page);
        const Json answer = server.get("model-versions/search", query);
        for (const Json& version : list_of(answer, "model_versions"))
            if (const std::string hash = tag_of(version, hash_tag); !hash.empty()) versions.emplace(hash, text_of(version, "version"));
        page = text_of(answer, "next_page_token");
    } while (!page.empty());
    return versions;
}

// A version needs a source, and of a prompt the server takes the one alone that its own client sends.
void create(MlflowRest& server, const Prompt& prompt) {
    Json tags = Json::array({tag("mlflow.prompt.is_prompt", "true"), tag("_mlflow_prompt_type", prompt.chat() ? "chat" : "text"),
                             tag("mlflow.prompt.text", prompt.chat() ? prompt.body.dump() : prompt.body.get<std::string>()),
                             tag(hash_tag, prompt.sha256()), tag("temper.version", std::to_string(prompt.version))});
    for (const auto& [key, value] : prompt.tags) tags.push_back(tag(key, value));
    server.post("model-versions/create", {{"name", prompt.name}, {"source", "dummy-source"}, {"description", prompt.description}, {"tags", tags}});
}

}  // namespace

PromptMirror mirror_prompts(const PromptRegistry& registry, const std::string& tracking_uri) {
    if (!tracking_uri.starts_with("http://") && !tracking_uri.starts_with("https://"))
        throw_error(ExitCode::usage, "prompts sync: found {}, expected the URL of an MLflow server; give --mlflow, or set MLFLOW_TRACKING_URI",
                    tracking_uri.empty() ? "no server" : "\"" + tracking_uri + "\"");
    MlflowRest server(tracking_uri);
    PromptMirror mirror;
    for (const std::string& name : registry.names()) {
        const VersionStore store = registry.store(name);
        const Json model = prompt_of(server, name);
        std::map<std::string, std::string> there = versions_of(server, name);
        for (const std::int64_t number : store.versions()) {
            const Prompt prompt = registry.version(name, number);
            if (there.contains(prompt.sha256())) {
                ++mirror.known;
                continue;
            }
            create(server, prompt);
            ++mirror.created;
            there = versions_of(server, name);
            if (!there.contains(prompt.sha256()))
                throw_error(ExitCode::io_error, "{}: {} version {} is not there after it was created; is this MLflow's server?", server.shown(), name,
                            number);
        }
        std::map<std::string, std::string> pointed;
        for (const Json& alias : list_of(model, "aliases")) pointed[text_of(alias, "alias")] = text_of(alias, "version");
        for (const std::string& alias : store.aliases()) {
            const std::int64_t number = store.alias(alias)->at("version");
            const std::string version = there.at(registry.version(name, number).sha256());
            if (pointed[alias] == version) continue;
            server.post("registered-models/alias", {{"name", name}, {"alias", alias}, {"version", version}});
            ++mirror.aliases;
        }
    }
    return mirror;
}

}  // namespace temper
