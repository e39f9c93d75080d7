// HTTP requests by libcurl: http and https alone, bounded in time, size and redirects. Every failure below HTTP (no connection, a cut body, a
// limit met) is an HttpError that names the method, the URL and the reason; a status of 400 and more is an answer like any other.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/error.h"

namespace temper {

struct HttpRequest {
    std::string method = "GET";
    std::string url;                                           // a password in it is never shown in messages
    std::vector<std::pair<std::string, std::string>> headers;  // of one's own; Authorization goes to the first host only
    std::string body;
    std::filesystem::path body_file;  // sent in place of body, as it is read; not empty means PUT
    std::string form_name;            // not empty: body_file is the one file, of this name, of a form (multipart/form-data), by POST
    std::string ca_file;              // certificates to trust in place of the system's
    bool verify_tls = true;
    double timeout = 60;                            // seconds, of the whole exchange; 0: none
    double connect_timeout = 10;                    // seconds
    std::size_t max_bytes = std::size_t(64) << 20;  // of the unpacked body
    int max_redirects = 5;                          // 0: a redirect is the answer
    std::string user_agent = "temper";
    // Refuses what leads to this machine, its link or a private network, by the address that is connected to. Where the environment names a proxy, that
    // connects, also where no_proxy says otherwise; then only a host that is written as an address is refused.
    bool public_only = false;
    std::function<bool()> cancelled;  // asked about once a second and as bytes arrive; true ends the exchange
};

struct HttpResponse {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers;        // of the last answer, in its order; names in lower case
    std::string body;                                                // empty where the body was streamed
    std::string url;                                                 // after redirects
    std::optional<std::string> header(std::string_view name) const;  // the first of that name, which is given in lower case
};

// io_error.
class HttpError : public Error {
  public:
    HttpError(const std::string& message, bool transient) : Error(ExitCode::io_error, message), transient_(transient) {}
    bool transient() const { return transient_; }  // the same request may succeed later

  private:
    bool transient_;
};

// Keeps its connections open between requests. One thread at a time; clients of several threads are independent.
class HttpClient {
  public:
    HttpClient();
    ~HttpClient();
    HttpClient(HttpClient&&) noexcept;

    HttpResponse send(const HttpRequest& request);
    // Gives the body away piece by piece as it arrives, of whatever status; what on_body throws is thrown here.
    using OnBody = std::function<void(const HttpResponse& so_far, std::string_view piece)>;
    HttpResponse send(const HttpRequest& request, const OnBody& on_body);

  private:
    struct Handle;
    std::unique_ptr<Handle> handle_;
};

// The URL without user and password, for messages.
std::string shown_url(const std::string& url);

}  // namespace temper
