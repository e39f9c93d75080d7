// One connection of the server: reads a request, waits for its answer, writes it, and so on. Everything runs on the connection's strand.
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "serve/http_server.h"

namespace temper {

// What the connections of a server share.
struct HttpShared {
    HttpServerOptions options;
    HttpHandler handler;
    HttpFault fault;
    boost::asio::thread_pool* handlers = nullptr;
    std::atomic<std::int64_t> connections{0}, refused{0};  // open; refused ones are told so, and are not among the others
    std::atomic<bool> draining{false};
};

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
  public:
    // count: which of the shared counts it is in while it is open.
    HttpConnection(boost::asio::ip::tcp::socket socket, std::shared_ptr<HttpShared> shared, std::atomic<std::int64_t>& count);
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
    void await_request();
    void read_header();
    void read_body();
    void drop_empty_lines();
    void allow(double seconds);
    void end_patience();
    void on_read_error(const Error& error);
    void handle();
    void watch();
    void watch_later();
    bool client_has_gone();
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
    std::atomic<std::int64_t>& count_;
    boost::beast::tcp_stream stream_;
    boost::asio::steady_timer timer_;  // of a read, or of the next look at whether the client has gone
    std::uint64_t turn_ = 0;           // of the timer: what an earlier one brings is nothing
    boost::beast::flat_buffer buffer_;
    std::optional<Parser> parser_;
    std::weak_ptr<Exchange> exchange_;
    std::uint64_t number_ = 0;  // of the exchange under way
    bool answering_ = false, writing_ = false, keep_alive_ = true, chunked_ = false, head_only_ = false, faulty_ = false, left_ = false;
    bool begun_ = false, late_ = false;  // bytes of a request have come; it took too long
    std::deque<Output> outputs_;
    std::string bytes_;  // being written
};

}  // namespace temper
