#include "io/http/network_address.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace temper {
namespace {

using V6 = std::array<std::uint8_t, 16>;

// The first `bits` of what is not the internet's (RFC 6890 and the registries that follow it).
struct V4Range {
    std::uint32_t first;
    int bits;
};
constexpr V4Range not_public_v4[] = {
    {0x00000000, 8},   // this network
    {0x0a000000, 8},   // private
    {0x64400000, 10},  // carriers' own
    {0x7f000000, 8},   // this machine
    {0xa9fe0000, 16},  // this link; where clouds keep their machines' metadata
    {0xac100000, 12},  // private
    {0xc0000000, 24},  // protocols' own
    {0xc0a80000, 16},  // private
    {0xc6120000, 15},  // measurements
    {0xe0000000, 4},   // groups
    {0xf0000000, 4},   // reserved, and all of a network
};

bool is_public_v4(std::uint32_t address) {
    return std::none_of(std::begin(not_public_v4), std::end(not_public_v4),
                        [&](const V4Range& range) { return ((address ^ range.first) >> (32 - range.bits)) == 0; });
}

std::uint32_t v4_at(const V6& address, std::size_t at) {
    std::uint32_t result = 0;
    for (std::size_t i = at; i < at + 4; ++i) result = result << 8 | address[i];
    return result;
}

bool begins(const V6& address, std::initializer_list<std::uint8_t> bytes) { return std::equal(bytes.begin(), bytes.end(), address.begin()); }

bool is_public_v6(const V6& address) {
    if (begins(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return is_public_v4(v4_at(address, 12));
    if (begins(address, {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return is_public_v4(v4_at(address, 12));  // NAT64
    if (begins(address, {0x20, 0x02})) return is_public_v4(v4_at(address, 2));                                       // 6to4
    if (begins(address, {0x20, 0x01, 0, 0})) return false;  // Teredo: an IPv4 address in disguise
    return (address[0] & 0xe0) == 0x20;  // 2000::/3: all that is given out; this machine, links, sites, private networks and groups are beyond it
}

}  // namespace

bool is_public_address(const sockaddr& address) {
    if (address.sa_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        return is_public_v4(ntohl(v4.sin_addr.s_addr));
    }
    if (address.sa_family != AF_INET6) return false;
    sockaddr_in6 v6{};
    std::memcpy(&v6, &address, sizeof v6);
    V6 bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return is_public_v6(bytes);
}

std::optional<bool> is_public_host(const std::string& host) {
    if (host == "localhost" || host.ends_with(".localhost")) return false;
    std::string text = host;
    if (text.starts_with('[')) text = text.substr(1, text.find_first_of("]%") - 1);  // without a zone
    in_addr v4{};
    if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return is_public_v4(ntohl(v4.s_addr));
    V6 v6{};
    if (inet_pton(AF_INET6, text.c_str(), v6.data()) == 1) return is_public_v6(v6);
    return {};
}

std::string address_text(const sockaddr& address) {
    char text[INET6_ADDRSTRLEN] = "";
    const char* const bytes = reinterpret_cast<const char*>(&address);
    const std::size_t offset = address.sa_family == AF_INET ? offsetof(sockaddr_in, sin_addr) : offsetof(sockaddr_in6, sin6_addr);
    if (inet_ntop(address.sa_family, bytes + offset, text, sizeof text) == nullptr) return "an address of another kind";
    return text;
}

}  // namespace temper
