// Kinds of network addresses.
#pragma once
#include <optional>
#include <string>

#include <sys/socket.h>

namespace temper {

// Whether an address is one of the internet: not of this machine, its link or a private network, nor a group's or a reserved one. An IPv6 address that
// carries one of IPv4 is what that one is.
bool is_public_address(const sockaddr& address);
// The same of a URL's host; nothing for a name ("example.org"), which a resolver knows. "localhost" is this machine.
std::optional<bool> is_public_host(const std::string& host);
// "192.168.0.1", "fe80::1"
std::string address_text(const sockaddr& address);

}  // namespace temper
