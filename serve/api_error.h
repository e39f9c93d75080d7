// A request that is refused or fails, in the shape of OpenAI's errors.
#pragma once
#include <string>

#include "io/jsonl.h"
#include "kernels/error.h"

namespace temper {

class ApiError : public Error {
  public:
    // param: the request's field that it is about.
    ApiError(int status, const std::string& message, std::string param = "", std::string code = "")
        : Error(ExitCode::bad_data, message), status_(status), param_(std::move(param)), code_(std::move(code)) {}

    int status() const { return status_; }
    // For the log: a request's own words are not in it.
    std::string note() const { return status_ < 500 ? code_ : what(); }
    // {"error": {"message", "type", "param", "code"}}
    Json body() const;

  private:
    int status_;
    std::string param_, code_;
};

template <class... Args> [[noreturn]] void refuse(const std::string& param, fmt::format_string<Args...> format, Args&&... args) {
    throw ApiError(400, fmt::format(format, std::forward<Args>(args)...), param);
}
ApiError not_found(const std::string& what);
ApiError overloaded(const std::string& message);  // 503
ApiError too_late();                              // 504
// What a message repeats of a request's own words: at most so many bytes, "..." in the place of the rest.
std::string shortened(std::string text, std::size_t most = 60);

}  // namespace temper
