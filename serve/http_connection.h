// One connection of the server: reads a request, waits for its answer, writes it, and so on. Everything runs on the connection's strand.
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "serve/http_server.h"

namespace temper {

// What the connections of a server share.
struct HttpShared {
    HttpServerOptions options;
    HttpHandler handler;
    HttpFault fault;
    std::atomic<std::int64_t> connections{0};
    std::atomic<bool> draining{false};
};

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
  public:
    HttpConnection(boost::asio::ip::tcp::socket socket, std::shared_ptr<HttpShared> shared);
    ~HttpConnection();
    void start();
    void refuse();         // too many connections
    void close_if_idle();  // no request has begun to arrive

  private:
    class Exchange;
    using Error = boost::beast::error_code;
    using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
    // What an exchange asks for, in order.
    struct Output {
        enum class Kind : std::uint8_t { whole, begin, piece, end } kind = Kind::whole;
        int status = 200;
        std::string content_type, text;
    };

    void read();
    void read_body();
    void on_read_error(const Error& error);
    void handle();
    void watch();
    void output(std::uint64_t exchange, Output output);
    void write_next();
    void write_head(bool chunked, std::optional<std::size_t> length, const Output& output);
    void on_written(const Error& error);
    void finish_answer();
    void fault(int status, const std::string& message);
    void linger();
    void close();
    void leave();
    void expire(double seconds);

    std::shared_ptr<HttpShared> shared_;
    boost::beast::tcp_stream stream_;
    boost::beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    std::weak_ptr<Exchange> exchange_;
    std::uint64_t number_ = 0;  // of the exchange under way
    bool answering_ = false, writing_ = false, keep_alive_ = true, chunked_ = false, head_only_ = false, faulty_ = false, left_ = false;
    std::deque<Output> outputs_;
    std::string bytes_;  // being written
};

}  // namespace temper
