#include "io/http/http.h"
#include "io/environment.h"
#include "io/http/network_address.h"
#include "io/text.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <curl/curl.h>
#include <sys/socket.h>

namespace temper {
namespace {

constexpr std::size_t max_header_bytes = std::size_t(256) << 10;

void initialise_once() {
    static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);  // a function's static: one thread runs it, the others wait
    if (result != CURLE_OK) throw_error(ExitCode::internal, "libcurl: {}", curl_easy_strerror(result));
}

std::string too_long(const HttpRequest& request) { return fmt::format("its body is longer than the {} bytes allowed", request.max_bytes); }

std::string not_public(const std::string& address) {
    return fmt::format(
        "{} is an address of this machine or of a private network, where another page may not lead; name the host itself if it is meant", address);
}

// An exchange under way: what libcurl's callbacks fill. They may not throw through it.
struct Exchange {
    const HttpRequest& request;
    const HttpClient::OnBody& on_body;  // may be empty
    CURL* curl;
    HttpResponse response;
    std::size_t received = 0, header_bytes = 0;
    std::string refused;     // why we ended it
    std::string not_public;  // an address that was not connected to
    std::exception_ptr thrown;

    bool header_line(std::string_view line) {
        header_bytes += line.size();
        if (header_bytes > max_header_bytes) {
            refused = fmt::format("its headers are longer than {} bytes", max_header_bytes);
            return false;
        }
        if (line.starts_with("HTTP/")) response.headers.clear();  // of a redirect, or a 1xx before the answer
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos)
            response.headers.emplace_back(ascii_lower(trimmed(line.substr(0, colon))), std::string(trimmed(line.substr(colon + 1))));
        return true;
    }

    bool body_piece(std::string_view piece) {
        if (piece.size() > request.max_bytes - received) {
            refused = too_long(request);
            return false;
        }
        received += piece.size();
        if (!on_body) {
            response.body.append(piece);
            return true;
        }
        take_status();
        on_body(response, piece);
        return true;
    }

    void take_status() {
        long status = 0;
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        response.status = static_cast<int>(status);
    }

    HttpResponse done() {
        char* url = nullptr;
        curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url);
        take_status();
        response.url = url != nullptr ? url : request.url;
        return std::move(response);
    }

    // Bytes taken: all of them, or none, which libcurl takes as an error.
    template <class Take> std::size_t guarded(std::size_t bytes, const Take& take) {
        try {
            return take() ? bytes : bytes + 1;  // +1: an empty piece that is refused, too
        } catch (...) {
            thrown = std::current_exception();
            return bytes + 1;
        }
    }
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* exchange) {
    auto& self = *static_cast<Exchange*>(exchange);
    return self.guarded(size * count, [&] { return self.body_piece({data, size * count}); });
}

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* exchange) {
    auto& self = *static_cast<Exchange*>(exchange);
    return self.guarded(size * count, [&] { return self.header_line({data, size * count}); });
}

int ask_cancelled(void* exchange, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    auto& self = *static_cast<Exchange*>(exchange);
    try {
        if (!self.request.cancelled || !self.request.cancelled()) return 0;
        self.refused = "it was cancelled";
    } catch (...) {
        self.thrown = std::current_exception();
    }
    return 1;
}

std::size_t give_file(char* data, std::size_t size, std::size_t count, void* file) {
    return std::fread(data, 1, size * count, static_cast<std::FILE*>(file));
}

// For a request that is sent again because its connection, kept from an earlier one, was dead.
int rewind_file(void* file, curl_off_t offset, int from) {
    return ::fseeko(static_cast<std::FILE*>(file), offset, from) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

curl_socket_t open_public_socket(void* exchange, curlsocktype, curl_sockaddr* address) {
    if (!is_public_address(address->addr)) {
        static_cast<Exchange*>(exchange)->not_public = address_text(address->addr);
        return CURL_SOCKET_BAD;  // libcurl goes on to the host's next address
    }
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// Whether the same request may succeed later: what the network or a busy server does, not what a URL or a limit says.
bool is_transient(CURLcode code) {
    switch (code) {
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
        case CURLE_PARTIAL_FILE:
        case CURLE_OPERATION_TIMEDOUT:
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
        case CURLE_GOT_NOTHING:
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM:
        case CURLE_AGAIN: return true;
        default: return false;
    }
}

void set_protocols(CURL* curl) {
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string part_of(CURLU* url, CURLUPart part) {
    char* text = nullptr;
    if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return {};
    std::string result = text;
    curl_free(text);
    return result;
}

std::string part_of(const std::string& url_text, CURLUPart part) {
    const Url url(curl_url(), curl_url_cleanup);
    if (curl_url_set(url.get(), CURLUPART_URL, url_text.c_str(), 0) != CURLUE_OK) return {};
    return part_of(url.get(), part);
}

// A proxy of the environment is for other machines.
bool is_this_machine(const std::string& url) {
    const std::string host = part_of(url, CURLUPART_HOST);
    return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

// Whether the environment names a proxy for these URLs, where libcurl looks for it: http_proxy in lower case alone.
bool has_proxy(const std::string& scheme) {
    for (const char* name :
         {scheme == "http" ? "http_proxy" : "https_proxy", scheme == "http" ? "http_proxy" : "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
        if (!environment_text(name).empty()) return true;
    return false;
}

long milliseconds(double seconds) { return static_cast<long>(std::min(seconds, 1e6) * 1000.0); }

void set_limits(CURL* curl, const HttpRequest& request) {
    set_protocols(curl);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, milliseconds(request.timeout));
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.connect_timeout));
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, request.max_redirects > 0 ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, static_cast<long>(request.max_redirects));
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(std::min<std::size_t>(request.max_bytes, std::size_t(1) << 62)));
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // a name server that hangs is not waited for
#endif
}

void set_trust(CURL* curl, const HttpRequest& request) {
    if (is_this_machine(request.url)) curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (!request.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, request.ca_file.c_str());
    if (request.verify_tls) return;
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
}

void set_callbacks(CURL* curl, Exchange& exchange) {
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, ask_cancelled);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &exchange);
}

void keep_public(CURL* curl, Exchange& exchange) {
    const HttpRequest& request = exchange.request;
    const std::string host = part_of(request.url, CURLUPART_HOST);
    if (!is_public_host(host).value_or(true))
        throw HttpError(fmt::format("{} {}: {}", request.method, shown_url(request.url), not_public(host)), false);
    if (has_proxy(part_of(request.url, CURLUPART_SCHEME))) {
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "");  // no exceptions
        return;
    }
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_public_socket);
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &exchange);
}

// What a request sends beside its body in memory; libcurl points into it until the handle is reset.
struct Outgoing {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{nullptr, std::fclose};
    std::unique_ptr<curl_mime, decltype(&curl_mime_free)> form{nullptr, curl_mime_free};
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> lines{nullptr, curl_slist_free_all};

    void add_line(const std::string& line) {
        curl_slist* const longer = curl_slist_append(lines.get(), line.c_str());
        static_cast<void>(lines.release());
        lines.reset(longer);
    }
};

void set_form(CURL* curl, const HttpRequest& request, Outgoing& outgoing) {
    outgoing.form.reset(curl_mime_init(curl));
    curl_mimepart* const part = curl_mime_addpart(outgoing.form.get());
    curl_mime_name(part, request.form_name.c_str());
    curl_mime_filedata(part, request.body_file.c_str());
    curl_mime_filename(part, request.form_name.c_str());
    curl_mime_type(part, "application/octet-stream");
    curl_easy_setopt(curl, CURLOPT_MIMEPOST, outgoing.form.get());
}

void set_file(CURL* curl, const HttpRequest& request, Outgoing& outgoing) {
    outgoing.file.reset(std::fopen(request.body_file.c_str(), "rbe"));
    const int failure = errno;
    if (!outgoing.file) throw_error(ExitCode::io_error, "{}: open: {}", request.body_file.string(), std::strerror(failure));
    if (!request.form_name.empty()) return set_form(curl, request, outgoing);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);  // PUT
    curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_file);
    curl_easy_setopt(curl, CURLOPT_READDATA, outgoing.file.get());
    curl_easy_setopt(curl, CURLOPT_SEEKFUNCTION, rewind_file);
    curl_easy_setopt(curl, CURLOPT_SEEKDATA, outgoing.file.get());
    curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(std::filesystem::file_size(request.body_file)));
}

void set_body(CURL* curl, const HttpRequest& request, Outgoing& outgoing) {
    if (!request.form_name.empty() || !request.body_file.empty()) return set_file(curl, request, outgoing);
    if (request.method == "HEAD") {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (request.method != "GET" || !request.body.empty()) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        if (request.method != "POST") curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
}

void set_headers(CURL* curl, const HttpRequest& request, Outgoing& outgoing) {
    curl_easy_setopt(curl, CURLOPT_USERAGENT, request.user_agent.c_str());
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");  // whatever libcurl unpacks
    outgoing.add_line("Expect:");                         // no round trip before a body
    for (const auto& [name, value] : request.headers) {
        if ((name + value).find_first_of("\r\n") != std::string::npos)
            throw HttpError(fmt::format("{} {}: header {}: it holds an end of line", request.method, shown_url(request.url), name), false);
        outgoing.add_line(name + ": " + value);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, outgoing.lines.get());
}

// Leaves nothing of a request in the handle; its connections stay.
struct Reset {
    CURL* curl;
    ~Reset() { curl_easy_reset(curl); }
};

}  // namespace

std::string shown_url(const std::string& url_text) {
    const Url url(curl_url(), curl_url_cleanup);
    if (curl_url_set(url.get(), CURLUPART_URL, url_text.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
        const std::size_t at = url_text.rfind('@');  // nothing of what may be a password
        return at == std::string::npos ? url_text : "…" + url_text.substr(at);
    }
    curl_url_set(url.get(), CURLUPART_USER, nullptr, 0);
    curl_url_set(url.get(), CURLUPART_PASSWORD, nullptr, 0);
    return part_of(url.get(), CURLUPART_URL);
}

std::optional<std::string> HttpResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return {};
}

struct HttpClient::Handle {
    CURL* curl = nullptr;
    ~Handle() { curl_easy_cleanup(curl); }
};

HttpClient::HttpClient() : handle_(std::make_unique<Handle>()) {
    initialise_once();
    handle_->curl = curl_easy_init();
    if (handle_->curl == nullptr) throw_error(ExitCode::internal, "libcurl: no handle");
}
HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;

HttpResponse HttpClient::send(const HttpRequest& request) { return send(request, {}); }

HttpResponse HttpClient::send(const HttpRequest& request, const OnBody& on_body) {
    CURL* curl = handle_->curl;
    Exchange exchange{request, on_body, curl, {}, 0, 0, {}, {}, {}};
    Outgoing outgoing;
    char reason[CURL_ERROR_SIZE] = "";
    const Reset reset{curl};  // first of all to go: the handle points into what stands above
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
    set_limits(curl, request);
    set_trust(curl, request);
    set_callbacks(curl, exchange);
    if (request.public_only) keep_public(curl, exchange);
    set_body(curl, request, outgoing);
    set_headers(curl, request, outgoing);

    const CURLcode code = curl_easy_perform(curl);
    if (exchange.thrown) std::rethrow_exception(exchange.thrown);
    if (code == CURLE_OK) return exchange.done();
    if (code == CURLE_FILESIZE_EXCEEDED) exchange.refused = too_long(request);
    if (code == CURLE_COULDNT_CONNECT && !exchange.not_public.empty()) exchange.refused = not_public(exchange.not_public);
    std::string why = !exchange.refused.empty() ? exchange.refused : reason[0] != '\0' ? reason : curl_easy_strerror(code);
    if (code == CURLE_UNSUPPORTED_PROTOCOL) why += "; http and https are followed";
    throw HttpError(fmt::format("{} {}: {}", request.method, shown_url(request.url), why), exchange.refused.empty() && is_transient(code));
}

}  // namespace temper
