#include "serve/generation_answer.h"

#include <chrono>
#include <random>

#include "io/json_text.h"

namespace temper {
namespace {

std::string random_id(const char* prefix) {
    thread_local std::mt19937_64 random{std::random_device{}()};
    return fmt::format("{}-{:016x}{:016x}", prefix, random(), random());
}

std::int64_t unix_seconds() { return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count(); }

}  // namespace

ServedAnswer::ServedAnswer(ServedCall call, const GenerationRequest& request, std::shared_ptr<const LanguageModel> model, std::int64_t prompt_tokens,
                           Metrics& metrics)
    : call_(std::move(call)),
      chat_(request.chat),
      stream_(request.stream),
      include_usage_(request.include_usage),
      looks_(request.stream || !request.stop.empty()),
      model_name_(request.model),
      id_(random_id(request.chat ? "chatcmpl" : "cmpl")),
      fingerprint_(model->fingerprint() + (request.given_prompt.empty() ? "" : "-p" + request.given_prompt.substr(0, 12))),
      created_(unix_seconds()),
      prompt_tokens_(prompt_tokens),
      model_(std::move(model)),
      text_(model_->tokenizer(), request.stop),
      metrics_(metrics) {}

bool ServedAnswer::wanted() {
    if (done_) return false;
    done_ = call_.gone();
    if (!done_ && call_.late()) failed(too_late());
    return !done_;
}

bool ServedAnswer::token(const Generated& so_far, bool last) {
    if (++made_ == 1) metrics_.first_token(call_.seconds());
    if (!looks_ && !last) return true;
    const std::string piece = text_.add({so_far.ids.data(), so_far.ids.size()}, last);
    const bool ends = last || text_.stopped();
    if (stream_) {
        begin();
        if (!piece.empty()) text_event(piece, nullptr);
    }
    if (ends) finish(so_far.ended || text_.stopped() ? "stop" : "length");
    return !ends;
}

void ServedAnswer::failed(const ApiError& error) {
    if (done_) return;
    if (!begun_) {
        call_.fail(error);
    } else {  // the status is out: the error is an event
        call_.done(error.status(), error.note());
        event(error.body());
        call_.exchange().end();
    }
    done_ = true;
}

// What all answers of a kind open with.
Json ServedAnswer::head(bool chunk) const {
    const char* const object = !chat_ ? "text_completion" : chunk ? "chat.completion.chunk" : "chat.completion";
    return {{"id", id_}, {"object", object}, {"created", created_}, {"model", model_name_}, {"system_fingerprint", fingerprint_}};
}

Json ServedAnswer::usage() const {
    return {{"prompt_tokens", prompt_tokens_}, {"completion_tokens", made_}, {"total_tokens", prompt_tokens_ + made_}};
}

Json ServedAnswer::whole(const std::string& reason) const {
    Json choice = {{"index", 0}};
    if (chat_) choice["message"] = {{"role", "assistant"}, {"content", text_.text()}, {"refusal", nullptr}};
    else choice["text"] = text_.text();
    choice["logprobs"] = nullptr;
    choice["finish_reason"] = reason;
    Json answer = head(false);
    answer["choices"] = Json::array({choice});
    answer["usage"] = usage();
    return answer;
}

void ServedAnswer::begin() {
    if (begun_) return;
    begun_ = true;
    call_.exchange().begin("text/event-stream; charset=utf-8");
    if (!chat_) return;
    Json first = head(true);
    first["choices"] =
        Json::array({{{"index", 0}, {"delta", {{"role", "assistant"}, {"content", ""}}}, {"logprobs", nullptr}, {"finish_reason", nullptr}}});
    if (include_usage_) first["usage"] = nullptr;
    event(first);
}

void ServedAnswer::event(const Json& event) { call_.exchange().piece("data: " + json_text(event) + "\n\n"); }

void ServedAnswer::text_event(const std::string& text, const Json& reason) {
    Json choice = {{"index", 0}};
    if (!chat_) choice["text"] = text;
    else choice["delta"] = text.empty() ? Json::object() : Json{{"content", text}};
    choice["logprobs"] = nullptr;
    choice["finish_reason"] = reason;
    Json chunk = head(true);
    chunk["choices"] = Json::array({choice});
    if (include_usage_) chunk["usage"] = nullptr;
    event(chunk);
}

void ServedAnswer::finish(const std::string& reason) {
    metrics_.tokens("prompt", prompt_tokens_);
    metrics_.tokens("generated", made_);
    const std::string note = fmt::format("{} + {} tokens, {}, {}", prompt_tokens_, made_, reason, fingerprint_);
    if (!stream_) {
        call_.answer(200, whole(reason), note);
        done_ = true;
        return;
    }
    text_event("", reason);
    if (include_usage_) {
        Json last = head(true);
        last["choices"] = Json::array();
        last["usage"] = usage();
        event(last);
    }
    call_.done(200, note);
    call_.exchange().piece("data: [DONE]\n\n");
    call_.exchange().end();
    done_ = true;
}

}  // namespace temper
