#include "serve/generation_request.h"

#include "serve/api_error.h"
#include "serve/request_fields.h"

namespace temper {
namespace {

constexpr std::size_t most_stops = 4, longest_stop = 1024, most_variables = 64;

// A content is text, or a list of parts that are texts.
std::string content_of(const Json& content, const std::string& place) {
    if (content.is_string()) return content.get<std::string>();
    if (!content.is_array()) refuse("messages", "{}.content is {}, expected text or a list of text parts", place, content.type_name());
    std::string text;
    for (const Json& part : content) {
        const bool is_text = part.is_object() && part.value("type", Json()) == "text" && part.contains("text") && part.at("text").is_string();
        if (!is_text) refuse("messages", "{}.content has a part that is no {{\"type\": \"text\", \"text\": ...}}: the model reads text alone", place);
        text += part.at("text").get<std::string>();
    }
    return text;
}

Json message_of(const Json& message, const std::string& place) {
    if (!message.is_object()) refuse("messages", "{} is {}, expected an object", place, message.type_name());
    Json result = Json::object();
    for (const auto& [name, value] : message.items()) {
        if (value.is_null() && name != "content") continue;
        if (name == "role" || name == "name") {
            if (!value.is_string()) refuse("messages", "{}.{} is {}, expected text", place, name, value.type_name());
            result[name] = value == "developer" && name == "role" ? Json("system") : value;
        } else if (name == "content") {
            result[name] = content_of(value, place);
        } else if (name != "refusal" && name != "annotations") {
            refuse("messages", "{}.{} is not supported", place, shortened(name));
        }
    }
    for (const char* name : {"role", "content"})
        if (!result.contains(name)) refuse("messages", "{}.{} is missing", place, name);
    const std::string role = result["role"].get<std::string>();
    if (role != "system" && role != "user" && role != "assistant")
        refuse("messages", "{}.role is '{}', expected system, developer, user or assistant", place, shortened(role));
    return result;
}

Json read_messages(RequestFields& fields) {
    const Json* messages = fields.find("messages");
    if (messages == nullptr) refuse("messages", "messages is missing");
    if (!messages->is_array() || messages->empty()) refuse("messages", "messages: expected a list with at least one message");
    Json result = Json::array();
    for (std::size_t i = 0; i < messages->size(); ++i) result.push_back(message_of((*messages)[i], fmt::format("messages[{}]", i)));
    return result;
}

std::vector<std::string> read_stops(RequestFields& fields) {
    std::vector<std::string> stops;
    const Json* value = fields.find("stop");
    if (value == nullptr) return stops;
    const Json list = value->is_array() ? *value : Json::array({*value});
    for (const Json& stop : list) {
        if (!stop.is_string() || stop.get_ref<const std::string&>().empty() || stop.get_ref<const std::string&>().size() > longest_stop)
            refuse("stop", "stop: expected a text of 1 to {} bytes, or a list of such", longest_stop);
        stops.push_back(stop.get<std::string>());
    }
    if (stops.size() > most_stops) refuse("stop", "stop: {} texts, expected at most {}", stops.size(), most_stops);
    return stops;
}

// What both kinds of request have.
void read_common(RequestFields& fields, GenerationRequest& request) {
    request.model = fields.required_text("model");
    request.max_tokens = fields.integer("max_tokens", 1, std::int64_t(1) << 31);
    request.temperature = fields.number("temperature", 0, 2).value_or(1.0);
    request.top_p = fields.number("top_p", 0, 1).value_or(1.0);
    request.top_k = fields.integer("top_k", 0, std::int64_t(1) << 31).value_or(0);
    if (const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX)) request.seed = static_cast<std::uint64_t>(*seed);
    request.stop = read_stops(fields);
    request.stream = fields.flag("stream").value_or(false);
    if (const Json* options = fields.find("stream_options")) {
        if (!request.stream) refuse("stream_options", "stream_options: it needs stream: true");
        RequestFields inner(options->dump());
        request.include_usage = inner.flag("include_usage").value_or(false);
        inner.ignore("include_obfuscation");
        inner.refuse_others();
    }
    fields.only("n", {1});
    fields.only("frequency_penalty", {0});
    fields.only("presence_penalty", {0});
    fields.only("logit_bias", {Json::object()});
    for (const char* name : {"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"})
        fields.ignore(name);
}

}  // namespace

bool GenerationRequest::brings_system_message() const {
    for (const Json& message : messages)
        if (message.at("role") == "system") return true;
    return false;
}

GenerationRequest parse_chat_request(std::string_view body) {
    RequestFields fields(body);
    GenerationRequest request;
    request.messages = read_messages(fields);
    read_common(fields, request);
    if (const auto limit = fields.integer("max_completion_tokens", 1, std::int64_t(1) << 31)) {
        if (request.max_tokens && *request.max_tokens != *limit)
            refuse("max_completion_tokens", "max_tokens and max_completion_tokens are both given, and differ");
        request.max_tokens = limit;
    }
    if (const Json* variables = fields.find("chat_template_kwargs")) {
        if (!variables->is_object()) refuse("chat_template_kwargs", "chat_template_kwargs: expected an object");
        if (variables->size() > most_variables)
            refuse("chat_template_kwargs", "chat_template_kwargs: {} names, expected at most {}", variables->size(), most_variables);
        request.variables = *variables;
    }
    fields.only("logprobs", {false});
    fields.only("top_logprobs", {0});
    fields.only("response_format", {Json::object({{"type", "text"}})});
    fields.only("modalities", {Json::array({"text"})});
    fields.only("tools", {Json::array()});
    fields.only("tool_choice", {"none", "auto"});
    fields.only("store", {false});
    fields.ignore("parallel_tool_calls");
    fields.refuse_others();
    return request;
}

GenerationRequest parse_completion_request(std::string_view body) {
    RequestFields fields(body);
    GenerationRequest request;
    request.chat = false;
    const Json* prompt = fields.find("prompt");
    if (prompt == nullptr) refuse("prompt", "prompt is missing");
    const Json& one = prompt->is_array() && prompt->size() == 1 ? prompt->front() : *prompt;
    if (!one.is_string()) refuse("prompt", "prompt: expected one text");
    request.prompt = one.get<std::string>();
    read_common(fields, request);
    if (!request.max_tokens) request.max_tokens = 16;  // OpenAI's default of this endpoint
    fields.only("best_of", {1});
    fields.only("echo", {false});
    fields.only("logprobs", {});
    fields.only("suffix", {""});
    fields.refuse_others();
    return request;
}

}  // namespace temper
