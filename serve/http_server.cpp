#include "serve/http_server.h"

#include <mutex>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include "io/log.h"
#include "kernels/error.h"
#include "serve/http_connection.h"

namespace temper {

namespace asio = boost::asio;
using asio::ip::tcp;

struct HttpServer::Impl {
    explicit Impl(const HttpServerOptions& options)
        : context(options.threads),
          acceptor(asio::make_strand(context)),
          pause(acceptor.get_executor()),
          handlers(static_cast<std::size_t>(options.handler_threads)) {
        shared->options = options;
        shared->handlers = &handlers;
    }

    void listen() {
        const HttpServerOptions& options = shared->options;
        boost::system::error_code error;
        tcp::resolver resolver(context);
        const auto found = resolver.resolve(options.host, std::to_string(options.port), tcp::resolver::passive, error);
        if (error) throw_error(ExitCode::io_error, "{}: {}", options.host, error.message());
        const tcp::endpoint endpoint = *found.begin();
        acceptor.open(endpoint.protocol(), error);
        if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor.bind(endpoint, error);
        if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
        if (error) throw_error(ExitCode::io_error, "cannot listen on {}:{}: {}", options.host, options.port, error.message());
    }

    void accept() {
        acceptor.async_accept(asio::make_strand(context), [this](const boost::system::error_code& error, tcp::socket socket) {
            if (!acceptor.is_open() || error == asio::error::operation_aborted) return;
            if (error) {  // no file descriptor is left, say
                pause.expires_after(std::chrono::milliseconds(100));
                pause.async_wait([this](const boost::system::error_code&) { accept(); });
                return;
            }
            take(std::move(socket));
            accept();
        });
    }

    void take(tcp::socket socket) {
        if (shared->connections >= shared->options.connections) return refuse(std::move(socket));
        const auto connection = std::make_shared<HttpConnection>(std::move(socket), shared, shared->connections);
        std::erase_if(known, [](const auto& one) { return one.expired(); });
        known.push_back(connection);
        connection->start();
    }

    // While as many are being told, further ones are closed without a word.
    void refuse(tcp::socket socket) {
        if (shared->refused < shared->options.connections) std::make_shared<HttpConnection>(std::move(socket), shared, shared->refused)->refuse();
    }

    // Clients whose connection the system has already made are still taken.
    void take_last() {
        boost::system::error_code error;
        acceptor.cancel(error);
        acceptor.non_blocking(true, error);
        while (!error) {
            tcp::socket socket(asio::make_strand(context));
            acceptor.accept(socket, error);
            if (!error) take(std::move(socket));
        }
        acceptor.close(error);
    }

    asio::io_context context;
    tcp::acceptor acceptor;  // on a strand of its own, as are:
    asio::steady_timer pause;
    std::vector<std::weak_ptr<HttpConnection>> known;

    std::shared_ptr<HttpShared> shared = std::make_shared<HttpShared>();
    std::vector<std::thread> threads;
    asio::thread_pool handlers;  // goes first: what waits in it holds connections
};

HttpServer::HttpServer(const HttpServerOptions& options, HttpHandler handler, HttpFault fault) : impl_(std::make_unique<Impl>(options)) {
    impl_->shared->handler = std::move(handler);
    impl_->shared->fault = std::move(fault);
    impl_->listen();
}

void HttpServer::start() {
    impl_->accept();
    for (int i = 0; i < impl_->shared->options.threads; ++i) impl_->threads.emplace_back([impl = impl_.get()] { impl->context.run(); });
}

HttpServer::~HttpServer() { stop(); }

void HttpServer::stop() {
    impl_->context.stop();
    for (std::thread& thread : impl_->threads) thread.join();
    impl_->threads.clear();
    impl_->handlers.stop();
    impl_->handlers.join();
}

int HttpServer::port() const { return impl_->acceptor.local_endpoint().port(); }
std::int64_t HttpServer::connections() const { return impl_->shared->connections; }

void HttpServer::drain() {
    impl_->shared->draining = true;
    asio::post(impl_->acceptor.get_executor(), [impl = impl_.get()] {
        impl->take_last();
        for (const auto& one : impl->known)
            if (const auto connection = one.lock()) connection->close_if_idle();
    });
}

}  // namespace temper
