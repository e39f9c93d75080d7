// The client against a server of this process: answers, limits, redirects, cut bodies; retries and the rate of requests by a clock of the test.
#include "io/http/http.h"

#include <chrono>
#include <thread>

#include <gtest/gtest.h>
#include <netdb.h>

#include "io/http/http_retry.h"
#include "io/http/network_address.h"
#include "io/http/url.h"
#include "tests/io/loopback_server.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

using testing::LoopbackServer;

HttpRequest get(const std::string& url) {
    HttpRequest request;
    request.url = url;
    return request;
}

TEST(Http, SendsMethodHeadersAndBody) {
    const LoopbackServer server([](const LoopbackServer::Request& request) {
        return LoopbackServer::answer(201, request.method + " " + request.target + "|" + request.head + "|" + request.body, "X-Name:  value \r\n");
    });
    HttpRequest request = get(server.url("/a/b?c=d"));
    request.method = "PUT";
    request.headers = {{"Content-Type", "application/json"}};
    request.body = std::string("{\"a\": 1}\0x", 10);
    request.user_agent = "tester/1";
    HttpClient client;
    const HttpResponse response = client.send(request);
    EXPECT_EQ(response.status, 201);
    EXPECT_EQ(response.header("x-name"), "value");
    EXPECT_FALSE(response.header("absent"));
    EXPECT_EQ(response.url, request.url);
    EXPECT_TRUE(response.body.starts_with("PUT /a/b?c=d|")) << response.body;
    EXPECT_NE(response.body.find("Content-Type: application/json"), std::string::npos);
    EXPECT_NE(response.body.find("User-Agent: tester/1"), std::string::npos);
    EXPECT_TRUE(response.body.ends_with("|" + request.body));
    for (const char* method : {"GET", "POST", "DELETE", "HEAD"}) {
        HttpRequest other = get(server.url());
        other.method = method;
        const std::string body = client.send(other).body;
        if (std::string(method) == "HEAD") EXPECT_EQ(body, "");
        else EXPECT_TRUE(body.starts_with(std::string(method) + " /|")) << body;
    }
}

TEST(Http, SendsAFileAsItIsOrAsAForm) {
    const LoopbackServer server(
        [](const LoopbackServer::Request& request) { return LoopbackServer::answer(200, request.method + "|" + request.head + "|" + request.body); });
    const TemporaryDirectory directory;
    HttpRequest request = get(server.url());
    request.body_file = directory.put("a.bin", "one\r\ntwo");
    HttpClient client;
    std::string echo = client.send(request).body;
    EXPECT_TRUE(echo.starts_with("PUT|") && echo.ends_with("|one\r\ntwo")) << echo;
    request.form_name = "p/run \"x\"/a.bin";
    echo = client.send(request).body;
    EXPECT_TRUE(echo.starts_with("POST|")) << echo;
    EXPECT_NE(echo.find("Content-Type: multipart/form-data; boundary="), std::string::npos) << echo;
    EXPECT_NE(echo.find("form-data; name=\"p/run %22x%22/a.bin\"; filename=\"p/run %22x%22/a.bin\""), std::string::npos) << echo;
    EXPECT_NE(echo.find("\r\n\r\none\r\ntwo\r\n--"), std::string::npos) << echo;
    request.body_file = directory / "absent";
    EXPECT_ERROR(client.send(request), ExitCode::io_error, "absent");
}

TEST(Http, AFileIsSentAgainWhereAKeptConnectionWasDead) {
    std::atomic<int> turn{0};
    std::string again;
    const LoopbackServer server([&](const LoopbackServer::Request& request) {
        switch (turn++) {
            case 0: return std::string("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok");
            case 1: return std::string();  // taken on the kept connection, which ends without an answer
            default: again = request.body; return LoopbackServer::answer(200, "done");
        }
    });
    const TemporaryDirectory directory;
    HttpClient client;
    EXPECT_EQ(client.send(get(server.url())).body, "ok");
    HttpRequest request = get(server.url());
    request.body_file = directory.put("a.bin", "the whole file");
    EXPECT_EQ(client.send(request).body, "done");
    EXPECT_EQ(again, "the whole file");
    EXPECT_EQ(turn, 3);
}

TEST(Http, WhatIsNotPublicCanBeRefused) {
    const LoopbackServer server([](const auto&) { return LoopbackServer::answer(200, "inside"); });
    HttpClient client;
    const std::string port = server.url().substr(server.url().rfind(':'));
    for (const std::string host : {"127.0.0.1", "127.1", "2130706433", "localhost", "a.localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"}) {
        HttpRequest request = get("http://" + host + port);
        request.public_only = true;
        try {
            client.send(request);
            ADD_FAILURE() << host;
        } catch (const HttpError& error) {
            EXPECT_FALSE(error.transient()) << host;
            EXPECT_NE(std::string(error.what()).find("is an address of this machine or of a private network"), std::string::npos) << error.what();
        }
    }
    EXPECT_EQ(server.requests(), 0);
    EXPECT_EQ(client.send(get(server.url())).body, "inside");
}

TEST(Http, AHostsAddressDecidesWhetherItIsPublic) {
    char name[256] = "";
    ASSERT_EQ(::gethostname(name, sizeof name - 1), 0);
    addrinfo hints{}, *found = nullptr;
    hints.ai_family = AF_INET;
    if (::getaddrinfo(name, nullptr, &hints, &found) != 0) GTEST_SKIP() << "this machine's name has no address";
    const bool outside = is_public_address(*found->ai_addr);
    ::freeaddrinfo(found);
    if (outside) GTEST_SKIP() << "this machine has a public address";
    HttpRequest request = get(fmt::format("http://{}:1/", name));
    request.public_only = true;
    EXPECT_ERROR(HttpClient().send(request), ExitCode::io_error, "is an address of this machine or of a private network");
}

TEST(Http, AProxyOfTheEnvironmentConnectsToWhatIsPublic) {
    const LoopbackServer proxy([](const LoopbackServer::Request& request) { return LoopbackServer::answer(200, "for " + request.target); });
    ::setenv("http_proxy", proxy.url().c_str(), 1);
    ::setenv("no_proxy", "*", 1);
    HttpRequest request = get("http://pages.invalid/a");
    request.public_only = true;
    EXPECT_EQ(HttpClient().send(request).body, "for http://pages.invalid/a");
    request.url = "http://10.0.0.1/a";
    EXPECT_ERROR(HttpClient().send(request), ExitCode::io_error, "10.0.0.1 is an address of this machine or of a private network");
    ::unsetenv("http_proxy");
    ::unsetenv("no_proxy");
    EXPECT_EQ(proxy.requests(), 1);
}

TEST(NetworkAddress, KindsOfHosts) {
    for (const char* host :
         {"127.0.0.1",         "10.1.2.3",          "172.16.0.1",      "172.31.255.255", "192.168.1.1", "169.254.169.254",  "100.64.0.1", "0.0.0.0",
          "224.0.0.1",         "255.255.255.255",   "[::1]",           "[::]",           "[fe80::1]",   "[fe80::1%25eth0]", "[fd00::1]",  "[ff02::1]",
          "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001::1]",      "[::7f00:1]",  "localhost"})
        EXPECT_EQ(is_public_host(host), false) << host;
    for (const char* host : {"1.1.1.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "100.128.0.1", "169.253.1.1", "[2606:4700::1111]",
                             "[::ffff:8.8.8.8]", "[64:ff9b::808:808]", "[2002:808:808::]"})
        EXPECT_EQ(is_public_host(host), true) << host;
    for (const char* host : {"example.org", "", "[", "localhost.example.org"}) EXPECT_EQ(is_public_host(host), std::nullopt) << host;
}

TEST(Http, AStatusOfFailureIsAnAnswer) {
    const LoopbackServer server([](const auto&) { return LoopbackServer::answer(404, "nothing here"); });
    const HttpResponse response = HttpClient().send(get(server.url()));
    EXPECT_EQ(response.status, 404);
    EXPECT_EQ(response.body, "nothing here");
}

TEST(Http, StreamsTheBodyAndThrowsWhatTheReaderThrows) {
    const std::string body(300000, 'b');
    const LoopbackServer server([&](const auto&) { return LoopbackServer::answer(200, body); });
    HttpClient client;
    std::string got;
    int pieces = 0;
    const HttpResponse response = client.send(get(server.url()), [&](const HttpResponse& so_far, std::string_view piece) {
        EXPECT_EQ(so_far.status, 200);
        got.append(piece);
        ++pieces;
    });
    EXPECT_EQ(got, body);
    EXPECT_GT(pieces, 1);
    EXPECT_EQ(response.body, "");
    const auto fail = [](const HttpResponse&, std::string_view) { throw_error(ExitCode::bad_data, "not what I read"); };
    EXPECT_ERROR(client.send(get(server.url()), fail), ExitCode::bad_data, "not what I read");
    EXPECT_EQ(client.send(get(server.url())).body, body);  // the client is as good as before
}

TEST(Http, SizeIsBoundedWhetherOrNotItIsAnnounced) {
    const std::string body(5000, 'x');
    const LoopbackServer announced([&](const auto&) { return LoopbackServer::answer(200, body); });
    const LoopbackServer silent([&](const auto&) { return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body; });
    for (const LoopbackServer* server : {&announced, &silent}) {
        HttpRequest request = get(server->url("/large"));
        request.max_bytes = 4999;
        EXPECT_ERROR(HttpClient().send(request), ExitCode::io_error, "/large: its body is longer than the 4999 bytes allowed");
        request.max_bytes = 5000;
        EXPECT_EQ(HttpClient().send(request).body, body);
    }
    const LoopbackServer heads([](const auto&) {
        std::string lines;
        for (int i = 0; i < 10000; ++i) lines += fmt::format("X-{}: {}\r\n", i, std::string(90, 'h'));
        return LoopbackServer::answer(200, "", lines);
    });
    EXPECT_ERROR(HttpClient().send(get(heads.url())), ExitCode::io_error, "its headers are longer");
}

TEST(Http, TimeIsBounded) {
    const LoopbackServer server([](const auto&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(600));
        return LoopbackServer::answer(200, "late");
    });
    HttpRequest request = get(server.url("/slow"));
    request.timeout = 0.1;
    try {
        HttpClient().send(request);
        FAIL();
    } catch (const HttpError& error) {
        EXPECT_TRUE(error.transient());
        EXPECT_NE(std::string(error.what()).find("/slow"), std::string::npos) << error.what();
    }
    request.timeout = 20;
    request.cancelled = [] { return true; };
    EXPECT_ERROR(HttpClient().send(request), ExitCode::io_error, "cancelled");
}

TEST(Http, RedirectsAreFollowedAndBounded) {
    const LoopbackServer server([](const LoopbackServer::Request& request) {
        if (request.target == "/end") return LoopbackServer::answer(200, "arrived");
        if (request.target == "/file") return LoopbackServer::answer(302, "", "Location: file:///etc/passwd\r\n");
        return LoopbackServer::answer(302, "moved", "X-Once: 1\r\nLocation: " + std::string(request.target == "/loop" ? "/loop" : "/end") + "\r\n");
    });
    HttpClient client;
    const HttpResponse response = client.send(get(server.url("/begin")));
    EXPECT_EQ(response.body, "arrived");
    EXPECT_EQ(response.url, server.url("/end"));
    EXPECT_FALSE(response.header("x-once"));
    EXPECT_ERROR(client.send(get(server.url("/loop"))), ExitCode::io_error, "redirects");
    EXPECT_ERROR(client.send(get(server.url("/file"))), ExitCode::io_error, "http and https are followed");
    HttpRequest request = get(server.url("/begin"));
    request.max_redirects = 0;
    EXPECT_EQ(client.send(request).status, 302);
}

TEST(Http, CutBodiesAreErrors) {
    const LoopbackServer cut([](const auto&) { return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"; });
    const LoopbackServer chunks([](const auto&) { return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf"; });
    const LoopbackServer nothing([](const auto&) { return ""; });
    const LoopbackServer packed([](const auto&) { return LoopbackServer::answer(200, "not gzip at all", "Content-Encoding: gzip\r\n"); });
    for (const LoopbackServer* server : {&cut, &chunks, &nothing, &packed})
        EXPECT_ERROR(HttpClient().send(get(server->url("/cut"))), ExitCode::io_error, "/cut: ");
}

TEST(Http, OnlyHttpAndNoSecretsInMessages) {
    HttpClient client;
    EXPECT_ERROR(client.send(get("file:///etc/passwd")), ExitCode::io_error, "file:///etc/passwd");
    EXPECT_ERROR(client.send(get("")), ExitCode::io_error, "");
    EXPECT_EQ(shown_url("https://user:secret@host/path?q=1"), "https://host/path?q=1");
    EXPECT_EQ(shown_url("user:secret@ h").find("secret"), std::string::npos);
    HttpRequest request = get("http://user:secret@127.0.0.1:1/");
    const auto error = testing::caught([&] { client.send(request); });
    EXPECT_EQ(error.message.find("secret"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("GET http://127.0.0.1:1/: "), std::string::npos) << error.message;
    request.headers = {{"A", "b\r\nC: d"}};
    EXPECT_ERROR(client.send(request), ExitCode::io_error, "header A");
}

TEST(Http, ThreadsHaveTheirOwnClients) {
    const LoopbackServer server([](const LoopbackServer::Request& request) { return LoopbackServer::answer(200, request.target); });
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            HttpClient client;
            for (int i = 0; i < 10; ++i) right += client.send(get(server.url(fmt::format("/{}/{}", t, i)))).body == fmt::format("/{}/{}", t, i);
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(right, 40);
}

struct Waits {
    std::vector<double> seconds;
    RetryPolicy policy() {
        RetryPolicy policy;
        policy.sleep = [this](double s) { seconds.push_back(s); };
        return policy;
    }
};

TEST(HttpRetry, WaitsGrowAndTheServersWordCounts) {
    std::atomic<int> turn{0};
    const LoopbackServer server([&](const auto&) {
        switch (turn++) {
            case 0: return LoopbackServer::answer(503, "");
            case 1: return std::string();
            case 2: return LoopbackServer::answer(429, "", "Retry-After: 7\r\n");
            default: return LoopbackServer::answer(200, "at last");
        }
    });
    Waits waits;
    HttpClient client;
    EXPECT_EQ(send_with_retries(client, get(server.url()), waits.policy()).body, "at last");
    ASSERT_EQ(waits.seconds.size(), 3u);
    EXPECT_GE(waits.seconds[0], 0.25);
    EXPECT_LE(waits.seconds[0], 0.5);
    EXPECT_GE(waits.seconds[1], 0.5);
    EXPECT_LE(waits.seconds[1], 1.0);
    EXPECT_EQ(waits.seconds[2], 7.0);
}

TEST(HttpRetry, EndsWithTheLastAnswerOrError) {
    const LoopbackServer busy([](const auto&) { return LoopbackServer::answer(503, "busy"); });
    const LoopbackServer wrong([](const auto&) { return LoopbackServer::answer(400, "wrong"); });
    const LoopbackServer patient([](const auto&) { return LoopbackServer::answer(429, "tomorrow", "Retry-After: 86400\r\n"); });
    const LoopbackServer silent([](const auto&) { return ""; });
    Waits waits;
    HttpClient client;
    EXPECT_EQ(send_with_retries(client, get(busy.url()), waits.policy()).body, "busy");
    EXPECT_EQ(busy.requests(), 5);
    EXPECT_EQ(send_with_retries(client, get(wrong.url()), waits.policy()).status, 400);
    EXPECT_EQ(wrong.requests(), 1);
    EXPECT_EQ(send_with_retries(client, get(patient.url()), waits.policy()).status, 429);
    EXPECT_EQ(patient.requests(), 1);
    EXPECT_ERROR(send_with_retries(client, get(silent.url()), waits.policy()), ExitCode::io_error, silent.url());
    EXPECT_EQ(silent.requests(), 5);
    EXPECT_ERROR(send_with_retries(client, get("ftp://127.0.0.1/"), waits.policy()), ExitCode::io_error, "ftp");
    HttpRequest request = get(busy.url());
    int asked = 0;
    request.cancelled = [&] { return waits.seconds.size() > 20 || asked++ > 200; };
    RetryPolicy policy = waits.policy();
    policy.first_wait = policy.longest_wait = 50;
    EXPECT_ERROR(send_with_retries(client, request, policy), ExitCode::io_error, "cancelled");
}

TEST(HttpRetry, EveryPassingFailureOfAServerIsRepeated) {
    int status = 0;
    const LoopbackServer server([&](const auto&) { return LoopbackServer::answer(status, ""); });
    HttpClient client;
    for (const auto& [code, requests] :
         std::vector<std::pair<int, int>>{{500, 5}, {520, 5}, {524, 5}, {529, 5}, {408, 5}, {501, 1}, {505, 1}, {404, 1}}) {
        status = code;
        const int before = server.requests();
        Waits waits;
        EXPECT_EQ(send_with_retries(client, get(server.url()), waits.policy()).status, code);
        EXPECT_EQ(server.requests() - before, requests) << code;
    }
}

TEST(HttpRetry, ALongerWaitMayBeAgreedAndEachAttemptTakesItsTurn) {
    std::atomic<int> turn{0};
    const LoopbackServer server([&](const auto&) {
        switch (turn++) {
            case 0: return LoopbackServer::answer(429, "", "Retry-After: 300\r\n");
            case 1: return LoopbackServer::answer(200, "not yet");
            default: return LoopbackServer::answer(200, "ready");
        }
    });
    Waits waits;
    RetryPolicy policy = waits.policy();
    policy.longest_asked = 600;
    int turns = 0;
    policy.before_attempt = [&] { EXPECT_EQ(++turns, static_cast<int>(waits.seconds.size())); };
    std::vector<std::string> told;
    policy.before_wait = [&](const std::string& why, double) { told.push_back(why.substr(why.rfind('/'))); };
    policy.fault = [](const HttpResponse& response) { return response.body == "not yet" ? "it is not ready" : ""; };
    HttpClient client;
    EXPECT_EQ(send_with_retries(client, get(server.url()), policy).body, "ready");
    EXPECT_EQ(turns, 2);
    EXPECT_EQ(waits.seconds[0], 300);
    EXPECT_EQ(told, (std::vector<std::string>{"/: status 429", "/: it is not ready"}));
}

TEST(HttpRetry, RetryAfterIsSecondsOrADate) {
    const auto with = [](const std::string& value) { return HttpResponse{429, {{"retry-after", value}}, "", ""}; };
    EXPECT_EQ(retry_after({}, 0), 0);
    EXPECT_EQ(retry_after(with("120"), 0), 120);
    EXPECT_EQ(retry_after(with("Thu, 01 Jan 1970 00:01:40 GMT"), 40), 60);
    EXPECT_EQ(retry_after(with("Thu, 01 Jan 1970 00:01:40 GMT"), 400), 0);
    EXPECT_EQ(retry_after(with("soon"), 0), 0);
    EXPECT_GE(retry_after(with("99999999999999999999"), 0), 1e9);
}

TEST(RateLimiter, LetsABurstThroughAndThenTheRate) {
    double now = 100;
    std::vector<double> slept;
    RateLimiter limiter(2, 3,
                        {[&] { return now; },
                         [&](double seconds) {
                             slept.push_back(seconds);
                             now += seconds;
                         }});
    for (int i = 0; i < 3; ++i) limiter.take();
    EXPECT_TRUE(slept.empty());
    limiter.take();
    limiter.take(2);
    EXPECT_EQ(slept, (std::vector<double>{0.5, 1.0}));
    now += 100;  // a bucket holds no more than its burst
    for (int i = 0; i < 4; ++i) limiter.take();
    EXPECT_EQ(slept.size(), 3u);
    RateLimiter none(0, 1, {[&] { return now; }, [&](double) { FAIL(); }});
    for (int i = 0; i < 100; ++i) none.take();
}

TEST(Url, EscapesWhatIsNoPlainCharacter) { EXPECT_EQ(url_escape("a b/\u00e9~"), "a%20b%2F%C3%A9~"); }

}  // namespace
}  // namespace temper
