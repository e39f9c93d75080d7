// HTTP/1.1 for a few hundred connections: requests arrive whole and bounded in size and time, answers go out whole or piece by piece. It knows
// nothing of what is asked. Requests with a body are handled on threads of their own, so that reading a long one holds up neither bytes nor
// requests without a body.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace temper {

struct HttpCall {
    std::string method, path;  // without the query
    std::string body, authorization;
};

// One request and the way to its answer; any thread may answer, and the answer may outlive the handler. Dropped unanswered, it is a 500.
class HttpExchange {
  public:
    virtual ~HttpExchange() = default;
    const HttpCall& call() const { return call_; }
    virtual void answer(int status, const std::string& content_type, std::string body) = 0;
    // An answer piece by piece: begin (status 200), any number of pieces, end.
    virtual void begin(const std::string& content_type) = 0;
    virtual void piece(std::string text) = 0;
    virtual void end() = 0;
    bool abandoned() const { return abandoned_; }  // the client has gone: nobody reads the answer

  protected:
    HttpCall call_;
    std::atomic<bool> abandoned_{false};
};
using HttpHandler = std::function<void(const std::shared_ptr<HttpExchange>&)>;
// What a fault of HTTP itself (400, 408, 413, 431, 500, 503) is answered with, as JSON; called once for each, on any thread.
using HttpFault = std::function<std::string(int status, const std::string& message)>;

struct HttpServerOptions {
    std::string host = "127.0.0.1";
    int port = 0;  // 0: a free one
    std::size_t body_bytes = std::size_t(4) << 20;
    std::int64_t connections = 256;
    double seconds = 30;  // from a request's first byte until it is whole, between two requests, and until a client takes what is sent
    int threads = 2;
    int handler_threads = 2;
};

class HttpServer {
  public:
    // Has the address from here on, or io_error. Called on the server's threads, the handler must not wait for others.
    HttpServer(const HttpServerOptions& options, HttpHandler handler, HttpFault fault);
    ~HttpServer();
    void start();
    void stop();  // cuts off what is under way; exchanges that are left may be answered, to no effect, until the server is destroyed

    int port() const;
    std::int64_t connections() const;
    // Takes no further connection, closes those that are idle and, after their answer, the others.
    void drain();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace temper
