#include "serve/system_prompt.h"

#include "io/log.h"
#include "kernels/error.h"

namespace temper {
namespace {

// A prompt that no request fits behind would make every one fail.
void check_fits(const LanguageModel& model, const SystemPrompt& prompt) {
    std::size_t tokens = 0;
    try {
        const Json messages = Json::array({{{"role", "system"}, {"content", prompt.text}}, {{"role", "user"}, {"content", ""}}});
        tokens = model.encode_chat(messages, Json::object()).size();
    } catch (const Error& error) {
        throw_error(ExitCode::usage, "system_prompt: {} version {}: {}", prompt.name, prompt.version, error.what());
    }
    if (tokens >= static_cast<std::size_t>(model.max_context()))
        throw_error(ExitCode::usage, "system_prompt: {} version {} has {} tokens with an empty question, expected fewer than max_context, {}",
                    prompt.name, prompt.version, tokens, model.max_context());
}

}  // namespace

SystemPrompt system_prompt_of(const Prompt& prompt) {
    SystemPrompt result{prompt.name, prompt.sha256(), "", prompt.version};
    if (!prompt.chat()) result.text = prompt.body.get<std::string>();
    else if (!prompt.body.empty() && prompt.body[0].at("role") == "system") result.text = prompt.body[0].at("content").get<std::string>();
    else throw_error(ExitCode::usage, "system_prompt: {} version {} does not begin with a turn of system", prompt.name, prompt.version);
    for (const char* mark : {"{{", "{%", "{#"})
        if (const std::size_t at = result.text.find(mark); at != std::string::npos)
            throw_error(ExitCode::usage, "system_prompt: {} version {} has \"{}\" in it, expected a fixed text: a chat gives no variables",
                        prompt.name, prompt.version, result.text.substr(at, 40));
    return result;
}

SystemPromptWatch::SystemPromptWatch(const ServeConfig& config, const Scheduler& scheduler, Metrics& metrics)
    : config_(config), scheduler_(scheduler), metrics_(metrics), served_(resolve()), watch_(config.registry.poll_seconds, [this] { look(); }) {}

std::shared_ptr<const SystemPrompt> SystemPromptWatch::now() const {
    const std::lock_guard lock(mutex_);
    return served_;
}

std::shared_ptr<const SystemPrompt> SystemPromptWatch::resolve() const {
    auto prompt = std::make_shared<const SystemPrompt>(system_prompt_of(PromptRegistry(config_.prompts).resolve(*config_.system_prompt)));
    check_fits(*scheduler_.model(), *prompt);
    return prompt;
}

void SystemPromptWatch::look() {
    const auto served = now();
    try {
        auto found = resolve();
        last_complaint_.clear();
        if (found->version == served->version && found->sha256 == served->sha256) return;
        log_info("system_prompt: {} version {}, {}, is given from here on", found->name, found->version, found->sha256.substr(0, 12));
        metrics_.prompt_reload(true);
        const std::lock_guard lock(mutex_);
        served_ = std::move(found);
    } catch (const std::exception& error) {
        metrics_.prompt_reload(false);
        if (error.what() == last_complaint_) return;  // once for as long as it stays the same
        last_complaint_ = error.what();
        log_error("system_prompt: version {} stays: {}", served->version, error.what());
    }
}

}  // namespace temper
