#include "serve/http_connection.h"

#include <poll.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "io/log.h"

namespace temper {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

class HttpConnection::Exchange final : public HttpExchange {
  public:
    Exchange(std::shared_ptr<HttpConnection> connection, std::uint64_t number, HttpCall call) : connection_(std::move(connection)), number_(number) {
        call_ = std::move(call);
    }
    ~Exchange() override {
        if (!begun_) answer(500, "application/json", connection_->shared_->fault(500, "the request was dropped"));
        else if (!ended_) end();
    }

    void answer(int status, const std::string& content_type, std::string body) override {
        begun_ = ended_ = true;
        send({Output::Kind::whole, status, content_type, std::move(body)});
    }
    void begin(const std::string& content_type) override {
        begun_ = true;
        send({Output::Kind::begin, 200, content_type, {}});
    }
    void piece(std::string text) override {
        if (!text.empty()) send({Output::Kind::piece, 200, {}, std::move(text)});
    }
    void end() override {
        ended_ = true;
        send({Output::Kind::end, 200, {}, {}});
    }
    void abandon() { abandoned_ = true; }

  private:
    void send(Output output) {
        asio::post(connection_->stream_.get_executor(), [connection = connection_, number = number_, output = std::move(output)]() mutable {
            connection->output(number, std::move(output));
        });
    }
    std::shared_ptr<HttpConnection> connection_;
    std::uint64_t number_;
    bool begun_ = false, ended_ = false;
};

HttpConnection::HttpConnection(asio::ip::tcp::socket socket, std::shared_ptr<HttpShared> shared, std::atomic<std::int64_t>& count)
    : shared_(std::move(shared)), count_(count), stream_(std::move(socket)), timer_(stream_.get_executor()) {
    ++count_;
}

HttpConnection::~HttpConnection() { leave(); }

// Whoever still holds an exchange holds the connection, but not its place.
void HttpConnection::leave() {
    if (!left_) --count_;
    left_ = true;
}

void HttpConnection::start() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
        Error ignored;
        self->stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
        self->read();
    });
}

void HttpConnection::refuse() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] { self->fault(503, "too many connections: ask again later"); });
}

void HttpConnection::close_if_idle() {
    asio::dispatch(stream_.get_executor(), [self = shared_from_this()] {
        if (!self->answering_ && self->parser_ && !self->begun_ && self->buffer_.size() == 0) self->close();
    });
}

void HttpConnection::expire(double seconds) { stream_.expires_after(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000.0))); }

// Reads that take longer are cancelled. The stream's own timer would close the connection, and no answer could say why.
void HttpConnection::allow(double seconds) {
    late_ = false;
    timer_.expires_after(std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000.0)));
    timer_.async_wait([weak = weak_from_this(), turn = ++turn_](const Error& error) {
        const auto self = weak.lock();
        if (error || !self || self->turn_ != turn) return;
        self->late_ = true;
        self->stream_.cancel();
    });
}

void HttpConnection::end_patience() {
    ++turn_;
    timer_.cancel();
}

void HttpConnection::read() {
    if (shared_->draining) return close();
    parser_.emplace();
    parser_->header_limit(16 << 10);
    parser_->body_limit(shared_->options.body_bytes);
    begun_ = false;
    stream_.expires_never();
    allow(shared_->options.seconds);
    await_request();
}

// A request has its time from its first byte on, however long the connection was idle before.
void HttpConnection::await_request() {
    drop_empty_lines();
    if (buffer_.size() > 0) {
        begun_ = true;
        allow(shared_->options.seconds);
        return read_header();
    }
    stream_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](const Error& error, std::size_t size) {
        if (error || self->late_) return self->on_read_error(error);
        self->buffer_.commit(size);
        self->await_request();
    });
}

// Before a request they are nothing (RFC 9112, 2.2): there are clients that send one behind a body.
void HttpConnection::drop_empty_lines() {
    const auto data = buffer_.data();
    const auto* const bytes = static_cast<const char*>(data.data());
    std::size_t empty = 0;
    while (empty < data.size() && (bytes[empty] == '\r' || bytes[empty] == '\n')) ++empty;
    buffer_.consume(empty);
}

void HttpConnection::read_header() {
    http::async_read_header(stream_, buffer_, *parser_, [self = shared_from_this()](const Error& error, std::size_t) {
        if (error || self->late_) return self->on_read_error(error);
        if (!beast::iequals(self->parser_->get()[http::field::expect], "100-continue")) return self->read_body();
        self->bytes_ = "HTTP/1.1 100 Continue\r\n\r\n";
        asio::async_write(self->stream_, asio::buffer(self->bytes_), [self](const Error& failed, std::size_t) {
            if (failed || self->late_) self->close();
            else self->read_body();
        });
    });
}

void HttpConnection::read_body() {
    http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](const Error& error, std::size_t) {
        if (error) self->on_read_error(error);
        else self->handle();
    });
}

void HttpConnection::on_read_error(const Error& error) {
    end_patience();
    if (late_ && begun_) return fault(408, fmt::format("the request did not arrive whole within {} s", shared_->options.seconds));
    if (error == http::error::body_limit) return fault(413, fmt::format("the body has more than {} bytes", shared_->options.body_bytes));
    if (error == http::error::header_limit) return fault(431, "the request's headers are too long");
    const bool malformed = error.category() == make_error_code(http::error::bad_method).category() && error != http::error::end_of_stream &&
                           error != http::error::partial_message;
    if (malformed) return fault(400, "this is no HTTP request: " + error.message());
    close();  // the client has gone, or nothing came
}

void HttpConnection::handle() {
    end_patience();
    Parser::value_type message = parser_->release();
    keep_alive_ = message.keep_alive();
    head_only_ = message.method() == http::verb::head;
    chunked_ = message.version() >= 11;
    answering_ = true;
    const std::string target(message.target());
    HttpCall call{std::string(message.method_string()), target.substr(0, target.find('?')), std::move(message.body()),
                  std::string(message[http::field::authorization])};
    const auto exchange = std::make_shared<Exchange>(shared_from_this(), ++number_, std::move(call));
    exchange_ = exchange;
    watch();
    const auto give = [shared = shared_, exchange] {
        try {
            shared->handler(exchange);
        } catch (const std::exception& error) {
            log_error("{} {}: {}", exchange->call().method, exchange->call().path, error.what());
            exchange->answer(500, "application/json", shared->fault(500, "internal error"));
        }
    };
    if (exchange->call().body.empty()) give();
    else asio::post(*shared_->handlers, give);
}

// While an answer is made nothing is read, so that a client who goes is seen by what its socket says.
void HttpConnection::watch() {
    stream_.socket().async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this(), number = number_](const Error& error) {
        if (error || !self->answering_ || self->number_ != number) return;
        if (!self->client_has_gone()) return self->watch_later();
        if (const auto exchange = self->exchange_.lock()) exchange->abandon();
        self->close();
    });
}

// The next request's bytes have come already, and until they are read the socket stays readable: a look now and then is enough.
void HttpConnection::watch_later() {
    timer_.expires_after(std::chrono::milliseconds(200));
    timer_.async_wait([weak = weak_from_this(), turn = ++turn_](const Error& error) {
        const auto self = weak.lock();
        if (!error && self && self->turn_ == turn && self->answering_) self->watch();
    });
}

bool HttpConnection::client_has_gone() {
    pollfd state{stream_.socket().native_handle(), POLLRDHUP, 0};
    return ::poll(&state, 1, 0) > 0;  // errors and hang-ups are told without being asked for
}

void HttpConnection::output(std::uint64_t exchange, Output output) {
    if (exchange != number_ || !answering_ || !stream_.socket().is_open()) return;
    outputs_.push_back(std::move(output));
    if (!writing_) write_next();
}

void HttpConnection::write_next() {
    bytes_.clear();
    bool ends = false;
    // All that waits goes out at once.
    while (!outputs_.empty()) {
        const Output output = std::move(outputs_.front());
        outputs_.pop_front();
        ends = output.kind == Output::Kind::whole || output.kind == Output::Kind::end;
        if (output.kind == Output::Kind::whole) {
            write_head(false, output.text.size(), output);
            if (!head_only_) bytes_ += output.text;
        } else if (output.kind == Output::Kind::begin) {
            if (!chunked_) keep_alive_ = false;
            write_head(chunked_, {}, output);
        } else if (output.kind == Output::Kind::piece) {
            bytes_ += chunked_ ? fmt::format("{:x}\r\n{}\r\n", output.text.size(), output.text) : output.text;
        } else if (chunked_) {
            bytes_ += "0\r\n\r\n";
        }
    }
    writing_ = true;
    expire(shared_->options.seconds);
    asio::async_write(stream_, asio::buffer(bytes_), [self = shared_from_this(), ends](const Error& error, std::size_t) {
        self->writing_ = false;
        if (error) return self->on_written(error);
        if (ends) self->finish_answer();
        else if (!self->outputs_.empty()) self->write_next();
        else self->stream_.expires_never();
    });
}

void HttpConnection::write_head(bool chunked, std::optional<std::size_t> length, const Output& output) {
    if (shared_->draining) keep_alive_ = false;
    http::response<http::empty_body> head(static_cast<http::status>(output.status), 11);
    head.set(http::field::content_type, output.content_type);
    if (chunked) head.set(http::field::transfer_encoding, "chunked");
    if (chunked || !length) head.set(http::field::cache_control, "no-cache");
    if (length) head.content_length(*length);
    if (output.status == 503) head.set(http::field::retry_after, "1");
    if (output.status == 401) head.set(http::field::www_authenticate, "Bearer");
    head.keep_alive(keep_alive_);
    std::ostringstream text;
    text << head.base();
    bytes_ += text.str();
}

void HttpConnection::on_written(const Error&) {
    if (const auto exchange = exchange_.lock()) exchange->abandon();
    close();
}

void HttpConnection::finish_answer() {
    answering_ = false;
    end_patience();
    Error ignored;
    stream_.socket().cancel(ignored);  // the watch
    if (keep_alive_) return read();
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    if (!faulty_) return close();
    stream_.expires_after(std::chrono::seconds(2));
    linger();
}

// An answer without a request that was understood; the connection ends with it.
void HttpConnection::fault(int status, const std::string& message) {
    faulty_ = answering_ = true;
    keep_alive_ = false;
    ++number_;
    output(number_, {Output::Kind::whole, status, "application/json", shared_->fault(status, message)});
}

// Closed at once, a connection with unread bytes would be reset, and the client might lose the answer: they are read, for two seconds.
void HttpConnection::linger() {
    buffer_.consume(buffer_.size());
    stream_.async_read_some(buffer_.prepare(64 << 10), [self = shared_from_this()](const Error& error, std::size_t) {
        if (error) self->close();
        else self->linger();
    });
}

void HttpConnection::close() {
    answering_ = false;
    end_patience();
    Error ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
    stream_.socket().close(ignored);
    leave();
}

}  // namespace temper
