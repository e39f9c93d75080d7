#include "serve/api.h"

#include <random>

#include "io/log.h"
#include "io/machine.h"
#include "serve/embedding_answer.h"
#include "serve/embedding_request.h"
#include "serve/generation_answer.h"
#include "serve/generation_request.h"

namespace temper {
namespace {

// As long for every key of that length: the time tells nothing of where a wrong one differs.
bool same_key(const std::string& given, const std::string& wanted) {
    unsigned difference = given.size() == wanted.size() ? 0 : 1;
    for (std::size_t i = 0; i < given.size() && i < wanted.size(); ++i)
        difference |= static_cast<unsigned>(static_cast<unsigned char>(given[i] ^ wanted[i]));
    return difference == 0;
}

// The name of a path in metrics: paths of strangers are one.
std::string endpoint_of(const std::string& path) {
    for (const char* known : {"/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models", "/health", "/metrics"})
        if (path == known) return known;
    return path.starts_with("/v1/models/") ? "/v1/models" : "other";
}

void need_method(const HttpCall& call, const std::string& method) {
    if (call.method == method || (method == "GET" && call.method == "HEAD")) return;
    throw ApiError(405, fmt::format("{} takes {}, not {}", call.path.substr(0, 100), method, call.method.substr(0, 20)), "", "method_not_allowed");
}

int hexadecimal(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

// "a%2Fb" is "a/b"; a % without two digits behind it stays.
std::string percent_decoded(const std::string& text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool digits = text[i] == '%' && i + 2 < text.size() && hexadecimal(text[i + 1]) >= 0 && hexadecimal(text[i + 2]) >= 0;
        result += digits ? static_cast<char>(hexadecimal(text[i + 1]) * 16 + hexadecimal(text[i + 2])) : text[i];
        if (digits) i += 2;
    }
    return result;
}

std::uint64_t random_seed() {
    thread_local std::random_device device;
    return std::uint64_t(device()) << 32 | device();
}

}  // namespace

Api::Api(const ServeConfig& config, std::string api_key, Scheduler* scheduler, EmbeddingService* embeddings, Metrics& metrics)
    : config_(config),
      api_key_(std::move(api_key)),
      scheduler_(scheduler),
      embeddings_(embeddings),
      metrics_(metrics),
      created_(std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count()) {}

void Api::handle(const std::shared_ptr<HttpExchange>& exchange) {
    const ServedCall call(exchange, endpoint_of(exchange->call().path), config_.limits.answer_seconds, metrics_);
    try {
        route(call);
    } catch (const ApiError& error) {
        call.fail(error);
    } catch (const std::exception& error) {
        log_error("{}: {}", exchange->call().path.substr(0, 100), error.what());
        call.fail({500, "internal error"});
    }
}

void Api::route(const ServedCall& call) {
    const HttpCall& http = call.exchange().call();
    const std::string& path = http.path;
    if (path == "/health" || path == "/metrics") {
        need_method(http, "GET");
        return path == "/health" ? health(call) : metrics(call);
    }
    if (!path.starts_with("/v1/")) throw not_found(fmt::format("there is no {}; the endpoints are under /v1", path.substr(0, 100)));
    check_key(http);
    if (path == "/v1/chat/completions" || path == "/v1/completions") {
        need_method(http, "POST");
        return generate(call, path == "/v1/chat/completions");
    }
    if (path == "/v1/embeddings") {
        need_method(http, "POST");
        return embed(call);
    }
    if (path == "/v1/models" || path.starts_with("/v1/models/")) {
        need_method(http, "GET");
        return path == "/v1/models" ? list_models(call) : show_model(call, percent_decoded(path.substr(std::string("/v1/models/").size())));
    }
    throw not_found(fmt::format("there is no {}: /v1/chat/completions, /v1/completions, /v1/embeddings and /v1/models are", path.substr(0, 100)));
}

void Api::check_key(const HttpCall& call) const {
    if (api_key_.empty()) return;
    constexpr std::string_view scheme = "Bearer ";
    if (call.authorization.starts_with(scheme) && same_key(call.authorization.substr(scheme.size()), api_key_)) return;
    throw ApiError(401, "the key is missing or wrong: send Authorization: Bearer KEY", "", "invalid_api_key");
}

namespace {

ApiError no_such_model(const std::string& asked, const std::string& known) {
    return {404, fmt::format("the model '{}' does not exist here: {}", shortened(asked, 200), known), "model", "model_not_found"};
}

// The most that the answer may have; ApiError 400 when it does not fit behind the prompt.
std::int64_t answer_limit(const GenerationRequest& request, std::int64_t prompt, std::int64_t context) {
    const std::int64_t room = context - prompt;
    if (room >= 1 && request.max_tokens.value_or(1) <= room) return request.max_tokens.value_or(room);
    const std::string asked = request.max_tokens ? fmt::format(" and {} of the answer", *request.max_tokens) : "";
    throw ApiError(400, fmt::format("at most {} tokens fit, the request has {} of the prompt{}", context, prompt, asked),
                   request.chat ? "messages" : "prompt", "context_length_exceeded");
}

}  // namespace

void Api::generate(const ServedCall& call, bool chat) {
    const std::string& body = call.exchange().call().body;
    GenerationRequest request = chat ? parse_chat_request(body) : parse_completion_request(body);
    if (scheduler_ == nullptr || request.model != config_.generation_id())
        throw no_such_model(request.model, scheduler_ == nullptr ? "no model is served that generates" : config_.generation_id() + " is served");
    if (chat && system_prompt_ != nullptr && !request.brings_system_message()) {
        const auto prompt = system_prompt_->now();
        request.messages.insert(request.messages.begin(), Json{{"role", "system"}, {"content", prompt->text}});
        request.given_prompt = prompt->sha256;
    }
    GenerationJob job;
    job.model = scheduler_->model();
    job.prompt = chat ? job.model->encode_chat(request.messages, request.variables) : job.model->encode_text(request.prompt);
    if (job.prompt.empty()) refuse(chat ? "messages" : "prompt", "the prompt has no token");
    const auto prompt_tokens = static_cast<std::int64_t>(job.prompt.size());
    job.max_new_tokens = answer_limit(request, prompt_tokens, job.model->max_context());
    job.sampling = {request.temperature, request.top_k, request.top_p, request.seed ? *request.seed : random_seed()};
    job.answer = std::make_shared<ServedAnswer>(call, request, job.model, prompt_tokens, metrics_);
    scheduler_->submit(std::move(job));
}

void Api::embed(const ServedCall& call) {
    const EmbeddingRequest request = parse_embedding_request(call.exchange().call().body);
    if (embeddings_ == nullptr || request.model != config_.embedding_id())
        throw no_such_model(request.model,
                            embeddings_ == nullptr ? "no embedding model is served; set embedding_model" : config_.embedding_id() + " is served");
    const std::int64_t dimensions = request.dimensions.value_or(embeddings_->dimensions());
    if (dimensions > embeddings_->dimensions())
        refuse("dimensions", "dimensions: {}, the model's vectors have {}", dimensions, embeddings_->dimensions());
    TokenRows rows = embeddings_->encode(request.input);
    const auto tokens = static_cast<std::int64_t>(rows.ids.size());
    auto answer = std::make_shared<ServedVectors>(call, request, *embeddings_, dimensions, tokens, metrics_);
    embeddings_->submit(std::move(rows), std::move(answer));
}

Json Api::model_object(const std::string& id) const { return {{"id", id}, {"object", "model"}, {"created", created_}, {"owned_by", "temper"}}; }

void Api::list_models(const ServedCall& call) const {
    Json data = Json::array();
    if (scheduler_ != nullptr) data.push_back(model_object(config_.generation_id()));
    if (embeddings_ != nullptr) data.push_back(model_object(config_.embedding_id()));
    call.answer(200, {{"object", "list"}, {"data", std::move(data)}});
}

void Api::show_model(const ServedCall& call, const std::string& id) const {
    const bool known = (scheduler_ != nullptr && id == config_.generation_id()) || (embeddings_ != nullptr && id == config_.embedding_id());
    if (!known) throw no_such_model(id, "GET /v1/models lists them");
    call.answer(200, model_object(id));
}

void Api::health(const ServedCall& call) const {
    Json state = {{"status", draining_ ? "draining" : "ok"}};
    if (scheduler_ != nullptr) {
        const auto model = scheduler_->model();
        state["model"] = config_.generation_id();
        state["version"] = model->version();
        state["adapter_sha256"] = model->adapter_sha256();
    }
    if (system_prompt_ != nullptr) {
        const auto prompt = system_prompt_->now();
        state["system_prompt"] = {{"name", prompt->name}, {"version", prompt->version}, {"sha256", prompt->sha256}};
    }
    if (embeddings_ != nullptr) state["embedding_model"] = config_.embedding_id();
    call.answer(draining_ ? 503 : 200, state);
}

void Api::metrics(const ServedCall& call) const {
    MetricsNow now;
    if (scheduler_ != nullptr) {
        const auto model = scheduler_->model();
        now.waiting = scheduler_->waiting();
        now.running = scheduler_->running();
        now.versions = scheduler_->versions();
        now.model = config_.generation_id();
        now.version = model->version();
        now.adapter_sha256 = model->adapter_sha256();
    }
    if (system_prompt_ != nullptr) {
        const auto prompt = system_prompt_->now();
        now.prompt = prompt->name, now.prompt_version = prompt->version, now.prompt_sha256 = prompt->sha256;
    }
    if (embeddings_ != nullptr) now.embedding_model = config_.embedding_id();
    now.connections = connections_ ? connections_() : 0;
    now.uptime_seconds = seconds_since_process_start();
    now.peak_memory_bytes = peak_memory_bytes();
    call.exchange().answer(200, "text/plain; version=0.0.4; charset=utf-8", metrics_.text(now));
}

}  // namespace temper
