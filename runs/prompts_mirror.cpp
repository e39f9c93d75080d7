#include "runs/prompts_mirror.h"

#include <map>

#include "kernels/error.h"
#include "runs/trackers/mlflow_registry.h"

namespace temper {
namespace {

constexpr const char* hash_tag = "temper.sha256";
constexpr double longest_seconds = 600;
constexpr int attempts = 5;

// The registered model that holds a prompt, made where there is none.
MlflowRegistered prompt_of(MlflowRegistry& server, const std::string& name) {
    MlflowRegistered model = server.model(name, {{mlflow_prompt_tag, "true"}});
    if (!model.is_prompt())
        throw_error(ExitCode::usage, "{}: {} is a registered model there, not a prompt; give the prompt another name", server.shown(), name);
    return model;
}

// The server's versions by their hash.
std::map<std::string, std::string> versions_of(MlflowRegistry& server, const std::string& name) {
    std::map<std::string, std::string> versions;
    for (const MlflowVersion& version : server.versions(name, true))
        if (const auto hash = version.tags.find(hash_tag); hash != version.tags.end()) versions.emplace(hash->second, version.number);
    return versions;
}

// A version needs a source, and of a prompt the server takes the one alone that its own client sends.
std::string create(MlflowRegistry& server, const Prompt& prompt) {
    TextPairs tags{{mlflow_prompt_tag, "true"},
                   {"_mlflow_prompt_type", prompt.chat() ? "chat" : "text"},
                   {"mlflow.prompt.text", prompt.chat() ? prompt.body.dump() : prompt.body.get<std::string>()},
                   {hash_tag, prompt.sha256()},
                   {"temper.version", std::to_string(prompt.version)}};
    tags.insert(tags.end(), prompt.tags.begin(), prompt.tags.end());
    return server.create_version(prompt.name, {{"source", "dummy-source"}, {"description", prompt.description}}, tags);
}

}  // namespace

PromptMirror mirror_prompts(const PromptRegistry& registry, const std::string& tracking_uri) {
    MlflowRegistry server(tracking_uri, "prompts sync", patience_of(longest_seconds, attempts));
    PromptMirror mirror;
    for (const std::string& name : registry.names()) {
        const VersionStore store = registry.store(name);
        MlflowRegistered model = prompt_of(server, name);
        std::map<std::string, std::string> there = versions_of(server, name);
        for (const std::int64_t number : store.versions()) {
            const Prompt prompt = registry.version(name, number);
            if (there.contains(prompt.sha256())) {
                ++mirror.known;
                continue;
            }
            there[prompt.sha256()] = create(server, prompt);
            ++mirror.created;
        }
        for (const std::string& alias : store.aliases()) {
            const std::int64_t number = store.alias(alias)->at("version");
            const std::string version = there.at(registry.version(name, number).sha256());
            if (model.aliases[alias] == version) continue;
            server.point(name, alias, version);
            ++mirror.aliases;
        }
    }
    return mirror;
}

}  // namespace temper
