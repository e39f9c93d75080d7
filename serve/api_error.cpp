#include "serve/api_error.h"

#include "io/unicode.h"

namespace temper {
namespace {

const char* type_of(int status) {
    if (status == 401) return "authentication_error";
    if (status == 404) return "not_found_error";
    return status < 500 ? "invalid_request_error" : "server_error";
}

}  // namespace

Json ApiError::body() const {
    const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
    return {{"error", {{"message", what()}, {"type", type_of(status_)}, {"param", or_null(param_)}, {"code", or_null(code_)}}}};
}

ApiError not_found(const std::string& what) { return {404, what, "", "not_found"}; }
ApiError overloaded(const std::string& message) { return {503, message, "", "overloaded"}; }
ApiError too_late() { return {504, "the answer was not done in the time that limits.answer_seconds gives", "", "timeout"}; }

std::string shortened(std::string text, std::size_t most) {
    if (text.size() <= most) return text;
    std::size_t end = most - 3;
    while (end > 0 && tok::is_continuation(text[end])) --end;
    return text.replace(end, std::string::npos, "...");
}

}  // namespace temper
