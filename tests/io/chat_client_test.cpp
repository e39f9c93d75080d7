// What is sent to an OpenAI-compatible endpoint, and what is made of its answers.
#include "io/http/chat_client.h"

#include <gtest/gtest.h>

#include "tests/io/loopback_server.h"
#include "tests/support/expect_error.h"

namespace temper {
namespace {

using testing::LoopbackServer;

ChatEndpoint endpoint_of(const LoopbackServer& server) {
    ChatEndpoint endpoint;
    endpoint.base_url = server.url("/v1/");
    endpoint.model = "m";
    endpoint.api_key = "sk-secret";
    endpoint.retries.sleep = [](double) {};
    return endpoint;
}

const Json question = Json::array({{{"role", "user"}, {"content", "why?"}}});

TEST(ChatClient, SendsTheQuestionAndReadsTheAnswer) {
    LoopbackServer::Request seen;
    const LoopbackServer server([&](const LoopbackServer::Request& request) {
        seen = request;
        return LoopbackServer::answer(
            200, R"({"choices":[{"message":{"content":"because"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}})");
    });
    ChatEndpoint endpoint = endpoint_of(server);
    endpoint.temperature = 0.5;
    endpoint.max_tokens = 0;
    endpoint.parameters = {{"max_completion_tokens", 9}, {"top_p", 0.25}};
    RateLimiter limiter(0, 1);
    ChatClient client(endpoint, limiter);
    const ChatAnswer answer = client.ask(client.body(question));
    EXPECT_EQ(answer.content, "because");
    EXPECT_EQ(answer.finish_reason, "stop");
    EXPECT_EQ(answer.prompt_tokens, 7);
    EXPECT_EQ(answer.completion_tokens, 2);
    EXPECT_EQ(seen.method + " " + seen.target, "POST /v1/chat/completions");
    EXPECT_NE(seen.head.find("Authorization: Bearer sk-secret"), std::string::npos);
    EXPECT_EQ(Json::parse(seen.body),
              Json::parse(R"({"model":"m","messages":[{"role":"user","content":"why?"}],"temperature":0.5,"max_completion_tokens":9,
        "top_p":0.25,"response_format":{"type":"json_object"}})"));
}

TEST(ChatClient, FailuresAreToldWithoutTheKey) {
    int status = 401;
    std::string body = R"({"error":{"message":"bad key sk-secret, really sk-secret"}})";
    const LoopbackServer server([&](const auto&) { return LoopbackServer::answer(status, body); });
    RateLimiter limiter(0, 1);
    ChatClient client(endpoint_of(server), limiter);
    const auto error = testing::caught([&] { client.ask("{}"); });
    EXPECT_EQ(error.code, ExitCode::io_error);
    EXPECT_NE(error.message.find("/v1/chat/completions: status 401: bad key ***, really ***"), std::string::npos) << error.message;
    status = 400;
    EXPECT_THROW(client.ask("{}"), ChatRefused);
    status = 503;
    body = "busy";
    EXPECT_ERROR(client.ask("{}"), ExitCode::io_error, "status 503: busy");
    EXPECT_EQ(server.requests(), 7);
    status = 200;
    for (const char* odd : {"[]", "{}", R"({"choices":[]})", R"({"choices":[1]})", R"({"choices":[{"message":null}]})"}) {
        body = odd;
        EXPECT_ERROR(client.ask("{}"), ExitCode::io_error, "expected choices[0].message");
    }
    EXPECT_EQ(server.requests(), 12);
    body = R"({"choices":[{"message":{"content":null}}]})";
    EXPECT_EQ(client.ask("{}").content, "");
}

TEST(ChatClient, AFailureBehindA200IsRepeated) {
    const std::string good = R"({"error":null,"choices":[{"message":{"content":"here"}}]})";
    for (const std::string odd : {"", "<html>sk-secret is overloaded</html>", R"({"error":{"message":"sk-secret is overloaded","code":502}})",
                                  R"({"error":"sk-secret is overloaded","choices":null})", R"({"choices":[{"message":{"con)"}) {
        int bad = 4;
        const LoopbackServer server([&](const auto&) { return LoopbackServer::answer(200, bad-- > 0 ? odd : good); });
        ChatEndpoint endpoint = endpoint_of(server);
        std::string told;
        endpoint.retries.before_wait = [&](const std::string& why, double) { told = why; };
        RateLimiter limiter(0, 1);
        ChatClient client(endpoint, limiter);
        EXPECT_EQ(client.ask("{}").content, "here") << odd;
        EXPECT_EQ(server.requests(), 5);
        EXPECT_NE(told.find("status 200, but "), std::string::npos) << told;
        EXPECT_EQ(told.find("sk-secret"), std::string::npos) << told;
        bad = 5;
        const auto error = testing::caught([&] { client.ask("{}"); });
        EXPECT_EQ(error.code, ExitCode::io_error);
        EXPECT_NE(error.message.find("expected choices[0].message"), std::string::npos) << error.message;
        EXPECT_EQ(error.message.find("sk-secret"), std::string::npos) << error.message;
    }
}

TEST(ChatClient, EachAttemptTakesATokenOfTheLimiter) {
    int bad = 2;
    const LoopbackServer server(
        [&](const auto&) { return LoopbackServer::answer(bad-- > 0 ? 503 : 200, R"({"choices":[{"message":{"content":"here"}}]})"); });
    double now = 0;
    RateLimiter limiter(1, 1, {[&] { return now; }, [&](double seconds) { now += seconds; }});
    ChatClient client(endpoint_of(server), limiter);
    EXPECT_EQ(client.ask("{}").content, "here");
    EXPECT_EQ(now, 2.0);
}

}  // namespace
}  // namespace temper
