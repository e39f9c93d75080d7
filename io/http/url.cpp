#include "io/http/url.h"

#include <algorithm>
#include <cctype>
#include <memory>

#include <curl/curl.h>
#include <fmt/format.h>

namespace temper {
namespace {

using Handle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(url, which, &text, flags) != CURLUE_OK || text == nullptr) return "";
    std::string value(text);
    curl_free(text);
    return value;
}

std::optional<Url> parts_of(CURLU* url) {
    std::string scheme = part(url, CURLUPART_SCHEME), host = part(url, CURLUPART_HOST);
    for (std::string* name : {&scheme, &host})
        std::transform(name->begin(), name->end(), name->begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if ((scheme != "http" && scheme != "https") || host.empty()) return std::nullopt;
    Url result;
    const std::string port = part(url, CURLUPART_PORT), query = part(url, CURLUPART_QUERY), path = part(url, CURLUPART_PATH);
    const bool usual = port.empty() || port == (scheme == "http" ? "80" : "443");
    result.origin = scheme + "://" + host + (usual ? "" : ":" + port);
    result.target = (path.empty() ? "/" : path) + (query.empty() ? "" : "?" + query);
    result.text = result.origin + result.target;
    result.host = host;
    return result;
}

}  // namespace

std::optional<Url> parse_url(const std::string& text) {
    const Handle url(curl_url(), &curl_url_cleanup);
    if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE) != CURLUE_OK) return std::nullopt;
    return parts_of(url.get());
}

std::optional<Url> resolve_url(const Url& base, const std::string& reference) {
    const Handle url(curl_url(), &curl_url_cleanup);
    if (!url || curl_url_set(url.get(), CURLUPART_URL, base.text.c_str(), 0) != CURLUE_OK) return std::nullopt;
    if (curl_url_set(url.get(), CURLUPART_URL, reference.c_str(), CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE) != CURLUE_OK) return std::nullopt;
    return parts_of(url.get());
}

std::string url_escape(const std::string& text) {
    std::string result;
    for (const char c : text) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) result += c;
        else result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return result;
}

}  // namespace temper
