// The server against bytes that are no request, or half of one, and answers that come in pieces or not at all.
#include "serve/http_server.h"

#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace temper {
namespace {

using namespace std::chrono_literals;

// A connection of a client that writes any bytes.
class Client {
  public:
    explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
        const timeval patience{10, 0};
        setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
    ~Client() { close(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    bool connected() const { return connected_; }
    void close() {
        if (socket_ >= 0) ::close(socket_);
        socket_ = -1;
    }
    Client& send(const std::string& bytes) {
        std::size_t sent = 0;
        while (sent < bytes.size()) {
            const auto n = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (n <= 0) break;
            sent += static_cast<std::size_t>(n);
        }
        return *this;
    }
    // What arrives until `end` stands there, or until the server closes.
    std::string receive(const std::string& end = "") {
        std::string text;
        char buffer[4096];
        while (end.empty() || text.find(end) == std::string::npos) {
            const auto n = ::recv(socket_, buffer, sizeof buffer, 0);
            if (n <= 0) break;
            text.append(buffer, static_cast<std::size_t>(n));
        }
        return text;
    }

  private:
    int socket_;
    bool connected_ = false;
};

class HttpServerTest : public ::testing::Test {
  protected:
    HttpServerTest() {
        options_.body_bytes = 4096;
        options_.seconds = 1;
        options_.connections = 8;
    }
    void start() {
        server_ = std::make_unique<HttpServer>(
            options_, [this](const std::shared_ptr<HttpExchange>& exchange) { handle(exchange); },
            [](int status, const std::string& message) { return "{\"error\": \"" + std::to_string(status) + " " + message + "\"}"; });
        server_->start();
    }
    void handle(const std::shared_ptr<HttpExchange>& exchange) {
        const HttpCall& call = exchange->call();
        if (call.path == "/echo") return exchange->answer(200, "text/plain", call.method + " " + call.body);
        if (call.path == "/throw") throw std::runtime_error("a fault");
        if (call.path == "/drop") return;
        if (call.path == "/slow") {
            std::this_thread::sleep_for(1s);
            return exchange->answer(200, "text/plain", "slow");
        }
        const std::lock_guard lock(mutex_);
        kept_.push_back(exchange);
    }
    // Exchanges that wait for the test's answer.
    std::shared_ptr<HttpExchange> kept(std::size_t index) {
        for (int i = 0; i < 500; ++i, std::this_thread::sleep_for(10ms)) {
            const std::lock_guard lock(mutex_);
            if (index < kept_.size()) return kept_[index];
        }
        return nullptr;
    }
    std::string ask(const std::string& bytes, const std::string& end = "") { return Client(server_->port()).send(bytes).receive(end); }
    ~HttpServerTest() override {
        if (server_) server_->stop();
        kept_.clear();
    }

    HttpServerOptions options_;
    std::unique_ptr<HttpServer> server_;
    std::mutex mutex_;
    std::vector<std::shared_ptr<HttpExchange>> kept_;
};

TEST_F(HttpServerTest, AnswersOneRequestAfterTheOther) {
    start();
    Client client(server_->port());
    for (const char* body : {"one", "two"}) {
        client.send("POST /echo?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n" + std::string(body));
        const std::string answer = client.receive(std::string("POST ") + body);
        EXPECT_EQ(answer.rfind("HTTP/1.1 200 OK\r\n", 0), 0u) << answer;
        EXPECT_NE(answer.find("Content-Length: 8\r\n"), std::string::npos) << answer;
    }
    // Two at once, and the last of a connection
    client.send("GET /echo HTTP/1.1\r\n\r\nGET /echo HTTP/1.1\r\nConnection: close\r\n\r\n");
    const std::string both = client.receive();
    EXPECT_NE(both.find("200", both.find("200") + 1), std::string::npos) << both;
    EXPECT_NE(both.find("Connection: close"), std::string::npos) << both;
}

TEST_F(HttpServerTest, RefusesWhatIsNoRequest) {
    start();
    const std::string long_header(20000, 'x');
    const std::pair<std::string, const char*> bad[] = {
        {"hello\r\n\r\n", "400"},
        {"GET /echo HTTP/9.9\r\n\r\n", "400"},
        {std::string("\x16\x03\x01\x02\0\1", 6) + "\r\n\r\n", "400"},
        {"GET /echo HTTP/1.1\r\nno colon\r\n\r\n", "400"},
        {"POST /echo HTTP/1.1\r\nContent-Length: -5\r\n\r\n", "400"},
        {"POST /echo HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", "400"},
        {"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
        {"POST /echo HTTP/1.1\r\nContent-Length: 5000\r\n\r\n" + std::string(5000, 'x'), "413"},
        {"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\n" + std::string(8192, 'x') + "\r\n0\r\n\r\n", "413"},
        {"GET /echo HTTP/1.1\r\nX: " + long_header + "\r\n\r\n", "431"},
    };
    for (const auto& [request, status] : bad) {
        const std::string answer = ask(request);
        EXPECT_EQ(answer.rfind("HTTP/1.1 " + std::string(status), 0), 0u) << request.substr(0, 60) << " -> " << answer;
        EXPECT_NE(answer.find("{\"error\": \"" + std::string(status)), std::string::npos) << answer;
    }
    EXPECT_NE(ask("GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n").find("200 OK"), std::string::npos);
}

TEST_F(HttpServerTest, TakesChunksAndExpectations) {
    start();
    EXPECT_NE(ask("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "POST abcde").find("200"),
              std::string::npos);
    Client client(server_->port());
    client.send("POST /echo HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(client.receive("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_NE(client.send("ok").receive("POST ok").find("200 OK"), std::string::npos);
    const std::string head = ask("HEAD /echo HTTP/1.1\r\nConnection: close\r\n\r\n");
    EXPECT_NE(head.find("Content-Length: 5"), std::string::npos) << head;
    EXPECT_EQ(head.substr(head.size() - 4), "\r\n\r\n");
}

TEST_F(HttpServerTest, ARequestThatDoesNotArriveIsGivenUp) {
    start();
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(ask("POST /echo HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc").rfind("HTTP/1.1 408", 0), 0u);
    EXPECT_EQ(ask("POST /ec").rfind("HTTP/1.1 408", 0), 0u);
    EXPECT_EQ(ask(""), "");  // an idle connection is closed without a word
    EXPECT_EQ(ask("\r\n"), "");
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 20s);
    for (int i = 0; i < 200 && server_->connections() > 0; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_EQ(server_->connections(), 0);
}

// The time between two requests is not the second one's.
TEST_F(HttpServerTest, ARequestHasItsTimeFromItsFirstByte) {
    start();
    Client client(server_->port());
    for (int i = 0; i < 2; ++i) {
        std::this_thread::sleep_for(700ms);
        client.send("POST /echo HTTP/1.1\r\nContent-Length: 2\r\n");
        std::this_thread::sleep_for(700ms);
        EXPECT_NE(client.send("\r\nok").receive("POST ok").find("200 OK"), std::string::npos);
    }
}

TEST_F(HttpServerTest, EmptyLinesBeforeARequestAreNothing) {
    start();
    Client client(server_->port());
    for (int i = 0; i < 3; ++i)
        EXPECT_NE(client.send("\r\nPOST /echo HTTP/1.1\r\nContent-Length: 2\r\n\r\nok\r\n").receive("POST ok").find("200 OK"), std::string::npos);
}

// A handler that takes its time over bodies holds up no request without one.
TEST_F(HttpServerTest, ALongHandlerHoldsUpNoOther) {
    start();
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 4; ++i) {
        clients.push_back(std::make_unique<Client>(server_->port()));
        clients.back()->send("POST /slow HTTP/1.1\r\nContent-Length: 2\r\n\r\nok");
    }
    std::this_thread::sleep_for(200ms);
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_NE(ask("GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n").find("200 OK"), std::string::npos);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 500ms);
    for (const auto& client : clients) EXPECT_NE(client->receive("slow").find("200 OK"), std::string::npos);
}

TEST_F(HttpServerTest, FaultsOfTheHandlerAreAnswered) {
    start();
    for (const char* path : {"/throw", "/drop"}) {
        const std::string answer = ask(std::string("GET ") + path + " HTTP/1.1\r\nConnection: close\r\n\r\n");
        EXPECT_EQ(answer.rfind("HTTP/1.1 500", 0), 0u) << answer;
    }
}

TEST_F(HttpServerTest, StreamsPieces) {
    start();
    Client client(server_->port());
    client.send("GET /wait HTTP/1.1\r\n\r\n");
    const auto exchange = kept(0);
    ASSERT_TRUE(exchange);
    exchange->begin("text/event-stream");
    exchange->piece("data: 1\n\n");
    EXPECT_NE(client.receive("9\r\ndata: 1\n\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
    exchange->piece(std::string(20, 'y'));
    exchange->end();
    EXPECT_EQ(client.receive("0\r\n\r\n"), "14\r\n" + std::string(20, 'y') + "\r\n0\r\n\r\n");
    // HTTP/1.0 has no chunks: the end of the connection is the end of the answer.
    Client old(server_->port());
    old.send("GET /wait HTTP/1.0\r\n\r\n");
    const auto second = kept(1);
    ASSERT_TRUE(second);
    second->begin("text/plain");
    second->piece("abc");
    second->end();
    const std::string answer = old.receive();
    EXPECT_EQ(answer.substr(answer.size() - 7), "\r\n\r\nabc") << answer;
}

TEST_F(HttpServerTest, AClientThatGoesIsNoticed) {
    start();
    Client client(server_->port());
    client.send("GET /wait HTTP/1.1\r\n\r\n");
    const auto exchange = kept(0);
    ASSERT_TRUE(exchange);
    EXPECT_FALSE(exchange->abandoned());
    client.close();
    for (int i = 0; i < 500 && !exchange->abandoned(); ++i) std::this_thread::sleep_for(10ms);
    EXPECT_TRUE(exchange->abandoned());
    exchange->answer(200, "text/plain", "to nobody");
}

TEST_F(HttpServerTest, AClientThatGoesBehindItsNextRequestIsNoticed) {
    start();
    Client client(server_->port());
    client.send("GET /wait HTTP/1.1\r\n\r\nGET /wait HTTP/1.1\r\n");
    const auto exchange = kept(0);
    ASSERT_TRUE(exchange);
    std::this_thread::sleep_for(300ms);
    EXPECT_FALSE(exchange->abandoned());
    client.close();
    for (int i = 0; i < 500 && !exchange->abandoned(); ++i) std::this_thread::sleep_for(10ms);
    EXPECT_TRUE(exchange->abandoned());
}

TEST_F(HttpServerTest, ConnectionsAreCounted) {
    start();
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 8; ++i) {
        clients.push_back(std::make_unique<Client>(server_->port()));
        clients.back()->send("GET /wait HTTP/1.1\r\n\r\n");
    }
    ASSERT_TRUE(kept(7));
    Client refused(server_->port());
    EXPECT_EQ(refused.receive("connections").rfind("HTTP/1.1 503", 0), 0u);
    // One that is told so, and does not go, takes nobody's place.
    EXPECT_EQ(server_->connections(), 8);
    clients.pop_back();
    for (int i = 0; i < 50 && server_->connections() > 7; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_NE(ask("GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n").find("200 OK"), std::string::npos);
    clients.clear();
    for (int i = 0; i < 500 && server_->connections() > 0; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_NE(ask("GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n").find("200 OK"), std::string::npos);
}

TEST_F(HttpServerTest, DrainsWhatIsUnderWay) {
    options_.seconds = 30;
    start();
    const int port = server_->port();
    Client idle(port), busy(port);
    idle.send("GET /echo HTTP/1.1\r\n\r\n").receive("GET ");
    busy.send("GET /wait HTTP/1.1\r\n\r\n");
    const auto exchange = kept(0);
    ASSERT_TRUE(exchange);
    server_->drain();
    EXPECT_EQ(idle.receive(), "");
    for (int i = 0; i < 500 && Client(port).connected(); ++i) std::this_thread::sleep_for(10ms);
    EXPECT_FALSE(Client(port).connected());
    EXPECT_GE(server_->connections(), 1);
    exchange->answer(200, "text/plain", "done");
    const std::string answer = busy.receive();
    EXPECT_NE(answer.find("Connection: close"), std::string::npos) << answer;
    EXPECT_EQ(answer.substr(answer.size() - 4), "done");
    for (int i = 0; i < 500 && server_->connections() > 0; ++i) std::this_thread::sleep_for(10ms);
    EXPECT_EQ(server_->connections(), 0);
}

}  // namespace
}  // namespace temper
