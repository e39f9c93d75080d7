#include "io/http.h"
#include "io/text.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <curl/curl.h>

namespace temper {
namespace {

constexpr std::size_t max_header_bytes = std::size_t(256) << 10;

void initialise_once() {
    static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);  // a function's static: one thread runs it, the others wait
    if (result != CURLE_OK) throw_error(ExitCode::internal, "libcurl: {}", curl_easy_strerror(result));
}

// An exchange under way: what libcurl's callbacks fill. They may not throw through it.
struct Exchange {
    const HttpRequest& request;
    const HttpClient::OnBody& on_body;  // may be empty
    CURL* curl;
    HttpResponse response;
    std::size_t received = 0, header_bytes = 0;
    std::string refused;  // why we ended it
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
            refused = fmt::format("its body is longer than the {} bytes allowed", request.max_bytes);
            return false;
        }
        received += piece.size();
        if (!on_body) {
            response.body.append(piece);
            return true;
        }
        long status = 0;
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        response.status = static_cast<int>(status);
        on_body(response, piece);
        return true;
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
    if (!self.request.cancelled || !self.request.cancelled()) return 0;
    self.refused = "it was cancelled";
    return 1;
}

std::size_t give_file(char* data, std::size_t size, std::size_t count, void* file) {
    return std::fread(data, 1, size * count, static_cast<std::FILE*>(file));
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

// A proxy of the environment is for other machines.
bool is_this_machine(const std::string& url_text) {
    const Url url(curl_url(), curl_url_cleanup);
    if (curl_url_set(url.get(), CURLUPART_URL, url_text.c_str(), 0) != CURLUE_OK) return false;
    const std::string host = part_of(url.get(), CURLUPART_HOST);
    return host == "localhost" || host == "[::1]" || host.starts_with("127.");
}

long milliseconds(double seconds) { return static_cast<long>(std::min(seconds, 1e6) * 1000.0); }

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
    curl_easy_reset(curl);  // keeps the connections
    Exchange exchange{request, on_body, curl, {}, 0, 0, {}, {}};
    char reason[CURL_ERROR_SIZE] = "";
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
    set_protocols(curl);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, request.user_agent.c_str());
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");  // whatever libcurl unpacks
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, milliseconds(request.timeout));
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.connect_timeout));
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, request.max_redirects > 0 ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, static_cast<long>(request.max_redirects));
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(std::min<std::size_t>(request.max_bytes, std::size_t(1) << 62)));
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &exchange);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, ask_cancelled);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &exchange);
    if (is_this_machine(request.url)) curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (!request.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, request.ca_file.c_str());
    if (!request.verify_tls) {
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
    }
#if LIBCURL_VERSION_NUM >= 0x075700
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // a name server that hangs is not waited for
#endif
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(request.body_file.empty() ? nullptr : std::fopen(request.body_file.c_str(), "rbe"),
                                                               [](std::FILE* f) { return f == nullptr ? 0 : std::fclose(f); });
    std::unique_ptr<curl_mime, decltype(&curl_mime_free)> form(nullptr, curl_mime_free);
    if (!request.form_name.empty()) {
        if (!file) throw_error(ExitCode::io_error, "{}: open: {}", request.body_file.string(), std::strerror(errno));
        form.reset(curl_mime_init(curl));
        curl_mimepart* const part = curl_mime_addpart(form.get());
        curl_mime_name(part, request.form_name.c_str());
        curl_mime_filedata(part, request.body_file.c_str());
        curl_mime_filename(part, request.form_name.c_str());
        curl_mime_type(part, "application/octet-stream");
        curl_easy_setopt(curl, CURLOPT_MIMEPOST, form.get());
    } else if (!request.body_file.empty()) {
        if (!file) throw_error(ExitCode::io_error, "{}: open: {}", request.body_file.string(), std::strerror(errno));
        curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);  // PUT
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_file);
        curl_easy_setopt(curl, CURLOPT_READDATA, file.get());
        curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(std::filesystem::file_size(request.body_file)));
    } else if (request.method == "HEAD") {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (request.method != "GET" || !request.body.empty()) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
        if (request.method != "POST") curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
    std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> lines(nullptr, curl_slist_free_all);
    const auto add_line = [&](const std::string& line) {
        curl_slist* longer = curl_slist_append(lines.get(), line.c_str());
        static_cast<void>(lines.release());
        lines.reset(longer);
    };
    add_line("Expect:");  // no round trip before a body
    for (const auto& [name, value] : request.headers) {
        if ((name + value).find_first_of("\r\n") != std::string::npos)
            throw HttpError(fmt::format("{} {}: header {}: it holds an end of line", request.method, shown_url(request.url), name), false);
        add_line(name + ": " + value);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines.get());

    const CURLcode code = curl_easy_perform(curl);
    if (exchange.thrown) std::rethrow_exception(exchange.thrown);
    const bool too_long = code == CURLE_FILESIZE_EXCEEDED;
    if (too_long) exchange.refused = fmt::format("its body is longer than the {} bytes allowed", request.max_bytes);
    if (code != CURLE_OK) {
        std::string why = !exchange.refused.empty() ? exchange.refused : reason[0] != '\0' ? reason : curl_easy_strerror(code);
        if (code == CURLE_UNSUPPORTED_PROTOCOL) why += "; http and https are followed";
        throw HttpError(fmt::format("{} {}: {}", request.method, shown_url(request.url), why), exchange.refused.empty() && is_transient(code));
    }
    long status = 0;
    char* url = nullptr;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &url);
    exchange.response.status = static_cast<int>(status);
    exchange.response.url = url != nullptr ? url : request.url;
    return std::move(exchange.response);
}

}  // namespace temper
