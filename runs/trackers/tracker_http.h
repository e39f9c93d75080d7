// Requests to tracking servers: one attempt each unless said otherwise, bounded by the time that is left, and answers that are checked, since what a proxy, a captive portal or
// half a server sends with status 200 is no answer.
#pragma once
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "io/http/http.h"
#include "io/jsonl.h"

namespace temper {

// How long there is time.
struct Patience {
    std::function<bool()> cancelled;       // true when the time is over
    std::function<double()> seconds_left;  // until then
    int attempts = 1;                      // of what only asks (GET), where the server is busy or the connection fails
};
Patience patience_of(double seconds, int attempts = 1);  // from now

// A server's refusal; io_error.
class ServerError : public Error {
  public:
    ServerError(const std::string& message, int status, std::string code, double wait)
        : Error(ExitCode::io_error, message), status_(status), code_(std::move(code)), wait_(wait) {}
    int status() const { return status_; }
    const std::string& code() const { return code_; }  // MLflow's error_code, "" where there is none
    double wait() const { return wait_; }              // seconds that it asks for

  private:
    int status_;
    std::string code_;
    double wait_;
};
double wait_asked_by(const std::exception& error);  // 0 for any other error

class TrackerHttp {
  public:
    using Headers = std::vector<std::pair<std::string, std::string>>;
    TrackerHttp() = default;
    explicit TrackerHttp(Headers headers) : headers_(std::move(headers)) {}
    void set_headers(Headers headers) { headers_ = std::move(headers); }
    void trust(std::string ca_file, bool verify_tls) {
        ca_file_ = std::move(ca_file);
        verify_tls_ = verify_tls;
    }

    // The object that the server answers, status 200 to 299 (an empty body is an empty object where empty_is_fine). ServerError, HttpError.
    Json call(const Patience& patience, const std::string& method, const std::string& url, const std::string& body, Headers more = {},
              bool empty_is_fine = false);
    // Status 200 to 299, whatever the body. The file is sent as it is read.
    void put_file(const Patience& patience, const std::string& url, const std::filesystem::path& file);
    // The same as a form of one file, by POST; what the server answers.
    std::string post_file(const Patience& patience, const std::string& url, const std::filesystem::path& file, const std::string& form_name,
                          Headers more);

  private:
    HttpResponse send(const Patience& patience, HttpRequest request);
    HttpClient client_;
    Headers headers_;
    std::string ca_file_;
    bool verify_tls_ = true;
};

}  // namespace temper
