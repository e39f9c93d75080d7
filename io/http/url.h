// Parts of a URL, as libcurl reads it.
#pragma once
#include <optional>
#include <string>

namespace temper {

struct Url {
    std::string text;    // whole, without user, password and fragment
    std::string origin;  // "https://example.org:8443": scheme and host in lower case, the port where it is not the usual one
    std::string target;  // path and query: "/a?b"
    std::string host;    // "example.org", "[::1]"
};

// Nothing for what is no http or https URL.
std::optional<Url> parse_url(const std::string& text);
// What `reference` (a Location header, a link) means on the page `base`.
std::optional<Url> resolve_url(const Url& base, const std::string& reference);

// Of one part of a path or query: what is no letter, digit, "-", ".", "_" or "~" becomes "%2F".
std::string url_escape(const std::string& text);

}  // namespace temper
