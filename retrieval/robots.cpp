#include "retrieval/robots.h"
#include "io/text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

namespace temper {
namespace {

constexpr std::size_t most_bytes = 500 << 10;

// "temper" of "temper/1.0 (+http://…)": letters, '-' and '_'.
std::string product_of(std::string_view user_agent) {
    std::size_t end = 0;
    while (end < user_agent.size() &&
           (std::isalpha(static_cast<unsigned char>(user_agent[end])) != 0 || user_agent[end] == '-' || user_agent[end] == '_'))
        ++end;
    return ascii_lower(user_agent.substr(0, end));
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    const char low = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

// Escapes in one spelling: of letters, digits and "-._~" none, of the rest in capitals; bytes beyond ASCII escaped.
std::string canonical(std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto byte = static_cast<unsigned char>(text[i]);
        bool escaped = byte >= 0x80;
        if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
            byte = static_cast<unsigned char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
            escaped = !(byte < 0x80 && (std::isalnum(byte) != 0 || byte == '-' || byte == '.' || byte == '_' || byte == '~'));
            i += 2;
        }
        if (escaped) {
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += static_cast<char>(byte);
        }
    }
    return out;
}

// Of a pattern without escapes to undo: parts between stars follow one another, each as early as it can.
bool matches(std::string_view pattern, std::string_view target) {
    const bool to_end = pattern.ends_with('$');
    if (to_end) pattern.remove_suffix(1);
    const std::size_t first_star = pattern.find('*');
    const std::string_view head = pattern.substr(0, first_star);
    if (!target.starts_with(head)) return false;
    if (first_star == std::string_view::npos) return !to_end || target.size() == head.size();
    std::size_t at = head.size();
    for (std::size_t star = first_star; star != std::string_view::npos;) {
        const std::size_t next = pattern.find('*', star + 1);
        const std::string_view part = pattern.substr(star + 1, next == std::string_view::npos ? next : next - star - 1);
        if (next == std::string_view::npos && to_end) return target.size() >= at + part.size() && target.ends_with(part);
        const std::size_t found = target.find(part, at);
        if (found == std::string_view::npos) return false;
        at = found + part.size();
        star = next;
    }
    return true;
}

}  // namespace

bool matches_robots_rule(std::string_view pattern, std::string_view target) { return matches(canonical(pattern), canonical(target)); }

Robots::Robots(std::string_view text, std::string_view user_agent) {
    text = text.substr(0, most_bytes);
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    const std::string product = product_of(user_agent);
    struct Found {
        std::vector<Rule> rules;
        std::optional<double> delay;
    };
    Found own, any;
    bool named = false;                     // some group is ours
    bool for_own = false, for_any = false;  // the open group
    bool agents = false;                    // the line before was a User-agent
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of("\n\r"), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        line = trimmed(line.substr(0, line.find('#')));
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        const std::string key = ascii_lower(trimmed(line.substr(0, colon)));
        const std::string_view value = trimmed(line.substr(colon + 1));
        if (key == "user-agent") {
            if (!agents) for_own = for_any = false;
            agents = true;
            if (value == "*") for_any = true;
            else if (!product.empty() && product_of(value) == product) for_own = named = true;
            continue;
        }
        if (key != "allow" && key != "disallow" && key != "crawl-delay") continue;  // others belong to no group
        agents = false;
        for (Found* found : {for_own ? &own : nullptr, for_any ? &any : nullptr}) {
            if (found == nullptr) continue;
            if (key != "crawl-delay") {
                if (!value.empty()) found->rules.push_back({canonical(value), key == "allow"});
                continue;
            }
            double seconds = 0;
            const auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
            if (error == std::errc() && stop == value.data() + value.size() && std::isfinite(seconds) && seconds >= 0) found->delay = seconds;
        }
    }
    Found& chosen = named ? own : any;
    rules_ = std::move(chosen.rules);
    crawl_delay_ = chosen.delay;
}

bool Robots::allows(std::string_view target) const {
    if (target == "/robots.txt") return true;
    const std::string wanted = canonical(target);
    const Rule* best = nullptr;
    for (const Rule& rule : rules_) {
        if (best != nullptr && (rule.pattern.size() < best->pattern.size() || (rule.pattern.size() == best->pattern.size() && !rule.allow))) continue;
        if (matches(rule.pattern, wanted)) best = &rule;
    }
    return best == nullptr || best->allow;
}

}  // namespace temper
