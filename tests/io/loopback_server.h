// An HTTP server of one test on a free port of this machine: each request goes to a function, whose text is sent back byte for byte.
#pragma once
#include <atomic>
#include <cstring>
#include <functional>
#include <list>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace temper::testing {

class LoopbackServer {
  public:
    struct Request {
        std::string method, target, head, body;
    };
    // The whole answer, head included; the connection is closed behind it, unless it says "Connection: keep-alive". Called on the server's threads,
    // several at once.
    using Answer = std::function<std::string(const Request&)>;

    explicit LoopbackServer(Answer answer) : answer_(std::move(answer)) {
        listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
            ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
            throw std::runtime_error(std::strerror(errno));
        port_ = ntohs(address.sin_port);
        acceptor_ = std::thread([this] { accept_all(); });
    }
    ~LoopbackServer() {
        ::shutdown(listener_, SHUT_RDWR);
        acceptor_.join();
        for (std::thread& thread : connections_) thread.join();
        ::close(listener_);
    }
    LoopbackServer(const LoopbackServer&) = delete;
    LoopbackServer& operator=(const LoopbackServer&) = delete;

    std::string url(const std::string& target = "/") const { return fmt::format("http://127.0.0.1:{}{}", port_, target); }
    int requests() const { return requests_; }

    static std::string answer(int status, const std::string& body, const std::string& headers = "") {
        return fmt::format("HTTP/1.1 {} X\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n{}", status, headers, body.size(), body);
    }

  private:
    void accept_all() {
        while (true) {
            const int connection = ::accept(listener_, nullptr, nullptr);
            if (connection < 0) return;
            connections_.emplace_back([this, connection] {
                while (serve(connection)) {}
                ::close(connection);
            });
        }
    }

    // Whether it waits for another request.
    bool serve(int connection) {
        std::string bytes;
        std::size_t head = std::string::npos;
        const auto receive = [&] {
            char buffer[4096];
            const ssize_t got = ::recv(connection, buffer, sizeof buffer, 0);
            if (got > 0) bytes.append(buffer, static_cast<std::size_t>(got));
            return got > 0;
        };
        while ((head = bytes.find("\r\n\r\n")) == std::string::npos)
            if (!receive()) return false;
        Request request;
        request.head = bytes.substr(0, head);
        const std::size_t first = request.head.find(' '), second = request.head.find(' ', first + 1);
        request.method = request.head.substr(0, first);
        request.target = request.head.substr(first + 1, second - first - 1);
        const std::size_t length_at = request.head.find("Content-Length: ");
        const std::size_t length = length_at == std::string::npos ? 0 : std::stoul(request.head.substr(length_at + 16));
        while (bytes.size() < head + 4 + length)
            if (!receive()) return false;
        request.body = bytes.substr(head + 4, length);
        ++requests_;
        const std::string text = answer_(request);
        for (std::size_t sent = 0; sent < text.size();) {
            const ssize_t now = ::send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
            if (now <= 0) return false;
            sent += static_cast<std::size_t>(now);
        }
        if (text.find("Connection: keep-alive") != std::string::npos) return true;
        ::shutdown(connection, SHUT_WR);
        return false;
    }

    Answer answer_;
    int listener_ = -1, port_ = 0;
    std::atomic<int> requests_{0};
    std::thread acceptor_;
    std::list<std::thread> connections_;
};

}  // namespace temper::testing
