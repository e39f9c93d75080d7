// What requests may say, and how those that are refused are told so.
#include <gtest/gtest.h>

#include "serve/api_error.h"
#include "serve/embedding_request.h"
#include "serve/generation_request.h"

namespace temper {
namespace {

template <class Parse> ApiError refused(const Parse& parse) {
    try {
        parse();
    } catch (const ApiError& error) {
        return error;
    }
    return {0, "it was taken"};
}

// {"message", "type", "param", "code"} of a chat with these further members.
Json chat_error(const std::string& members) {
    return refused([&] { parse_chat_request(R"({"model": "m", "messages": [{"role": "user", "content": "x"}], )" + members + "}"); })
        .body()
        .at("error");
}

TEST(ChatRequest, HasWhatItSays) {
    const GenerationRequest request = parse_chat_request(R"({"model": "m", "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "developer", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]}],
        "max_completion_tokens": 7, "temperature": 0.25, "top_p": 0.5, "seed": -1, "stop": ["x", "yy"], "n": 1, "user": "me", "tools": [], "logprobs": null,
        "response_format": {"type": "text"}, "chat_template_kwargs": {"enable_thinking": false}, "top_k": 3, "presence_penalty": 0.0, "logit_bias": {}})");
    EXPECT_EQ(request.messages, Json::parse(R"([{"role": "system", "content": "a"}, {"role": "user", "content": "bc"}])"));
    EXPECT_EQ(request.max_tokens, 7);
    EXPECT_EQ(request.temperature, 0.25);
    EXPECT_EQ(request.top_p, 0.5);
    EXPECT_EQ(request.top_k, 3);
    EXPECT_EQ(request.seed, ~std::uint64_t(0));
    EXPECT_EQ(request.stop, (std::vector<std::string>{"x", "yy"}));
    EXPECT_TRUE(request.stream && request.include_usage);
    EXPECT_EQ(request.variables, Json::parse(R"({"enable_thinking": false})"));
}

TEST(ChatRequest, HasTheDefaultsOfOpenAi) {
    const GenerationRequest request = parse_chat_request(R"({"model": "m", "messages": [{"role": "user", "content": "x"}]})");
    EXPECT_EQ(request.temperature, 1.0);
    EXPECT_EQ(request.top_p, 1.0);
    EXPECT_FALSE(request.max_tokens || request.seed || request.stream || request.include_usage);
}

TEST(ChatRequest, RefusesByName) {
    const std::pair<const char*, const char*> members[] = {{R"("n": 2)", "n"},
                                                           {R"("logprobs": true)", "logprobs"},
                                                           {R"("tools": [{"type": "function"}])", "tools"},
                                                           {R"("tool_choice": "required")", "tool_choice"},
                                                           {R"("response_format": {"type": "json_object"})", "response_format"},
                                                           {R"("frequency_penalty": 0.5)", "frequency_penalty"},
                                                           {R"("logit_bias": {"5": 1})", "logit_bias"},
                                                           {R"("temperature": 2.5)", "temperature"},
                                                           {R"("temperature": "0")", "temperature"},
                                                           {R"("top_p": -0.1)", "top_p"},
                                                           {R"("max_tokens": 0)", "max_tokens"},
                                                           {R"("max_tokens": 1.5)", "max_tokens"},
                                                           {R"("seed": 18446744073709551615)", "seed"},
                                                           {R"("max_tokens": 1, "max_completion_tokens": 2)", "max_completion_tokens"},
                                                           {R"("stop": ["a", "b", "c", "d", "e"])", "stop"},
                                                           {R"("stop": "")", "stop"},
                                                           {R"("stream": 1)", "stream"},
                                                           {R"("stream_options": {"include_usage": true})", "stream_options"},
                                                           {R"("chat_template_kwargs": [])", "chat_template_kwargs"},
                                                           {R"("audio": {})", "audio"}};
    for (const auto& [text, name] : members) {
        const Json error = chat_error(text);
        EXPECT_EQ(error.at("param"), name) << text;
        EXPECT_EQ(error.at("type"), "invalid_request_error") << text;
        EXPECT_NE(error.at("message").get<std::string>().find(name), std::string::npos) << error.at("message");
    }
    EXPECT_NE(chat_error(R"("temprature": 1)").at("message").get<std::string>().find("did you mean temperature?"), std::string::npos);
}

TEST(ChatRequest, RepeatsNoLongNames) {
    const std::string name(100000, 'x');
    const Json error = chat_error("\"" + name + "\": 1");
    EXPECT_LT(error.dump().size(), 400u);
    EXPECT_LT(error.at("param").get<std::string>().size(), 100u);
    for (const std::string& message : {"{\"role\": \"" + name + "\", \"content\": \"\"}", "{\"" + name + "\": 1}"})
        EXPECT_LT(refused([&] { parse_chat_request(R"({"model": "m", "messages": [)" + message + "]}"); }).body().dump().size(), 400u);
    EXPECT_LT(refused([&] { parse_chat_request("{\"" + name + "\": 1, \"" + name + "\": 1}"); }).body().dump().size(), 600u);
    EXPECT_EQ(shortened("caf\xc3\xa9s", 7), "caf\xc3\xa9s");
    EXPECT_EQ(shortened("caf\xc3\xa9 noir", 7), "caf...");
    EXPECT_EQ(shortened("cafe noir", 7), "cafe...");
}

TEST(ChatRequest, TakesAFewNamesForTheTemplate) {
    const auto names = [](int count) {
        Json variables = Json::object();
        for (int i = 0; i < count; ++i) variables["v" + std::to_string(i)] = i;
        return fmt::format(R"({{"model": "m", "messages": [{{"role": "user", "content": "x"}}], "chat_template_kwargs": {}}})", variables.dump());
    };
    EXPECT_EQ(parse_chat_request(names(64)).variables.size(), 64u);
    EXPECT_EQ(refused([&] { parse_chat_request(names(65)); }).body().at("error").at("param"), "chat_template_kwargs");
}

TEST(ChatRequest, RefusesMessagesThatATextModelCannotRead) {
    const std::pair<const char*, const char*> messages[] = {
        {"[]", "at least one"},
        {"{}", "expected a list"},
        {"[1]", "messages[0] is number"},
        {R"([{"role": "user"}])", "content is missing"},
        {R"([{"role": "user", "content": null}])", "messages[0].content is null"},
        {R"([{"content": "x"}])", "role is missing"},
        {R"([{"role": "tool", "content": "x"}])", "'tool'"},
        {R"([{"role": "user", "content": "x", "tool_calls": [1]}])", "messages[0].tool_calls"},
        {R"([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])", "text alone"}};
    for (const auto& [text, part] : messages) {
        const Json error = refused([&] { parse_chat_request(fmt::format(R"({{"model": "m", "messages": {}}})", text)); }).body().at("error");
        EXPECT_EQ(error.at("param"), "messages") << text;
        EXPECT_NE(error.at("message").get<std::string>().find(part), std::string::npos) << error.at("message");
    }
}

TEST(ChatRequest, RefusesWhatIsNoJsonObject) {
    for (const char* body : {"", "{", "[1]", "null", "{\"model\": \"m\"} x", "{\"model\": \"\xff\"}", "{\"a\": 1, \"a\": 2}", "{\"a\": NaN}"})
        EXPECT_EQ(refused([&] { parse_chat_request(body); }).status(), 400) << body;
}

TEST(CompletionRequest, TakesOnePrompt) {
    const GenerationRequest request = parse_completion_request(R"({"model": "m", "prompt": ["one"], "echo": false, "best_of": 1})");
    EXPECT_EQ(request.prompt, "one");
    EXPECT_EQ(request.max_tokens, 16);
    for (const char* prompt : {"[1, 2]", "[\"a\", \"b\"]", "3", "null"})
        EXPECT_EQ(refused([&] { parse_completion_request(fmt::format(R"({{"model": "m", "prompt": {}}})", prompt)); }).body().at("error").at("param"),
                  "prompt");
    EXPECT_EQ(refused([&] { parse_completion_request(R"({"model": "m", "prompt": "x", "echo": true})"); }).body().at("error").at("param"), "echo");
}

TEST(EmbeddingRequest, TakesTexts) {
    const EmbeddingRequest request = parse_embedding_request(R"({"model": "e", "input": ["a", "b"], "dimensions": 4, "encoding_format": "base64"})");
    EXPECT_EQ(request.input, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(request.dimensions, 4);
    EXPECT_TRUE(request.base64);
    EXPECT_EQ(parse_embedding_request(R"({"model": "e", "input": "a"})").input.size(), 1u);
    const std::pair<const char*, const char*> bad[] = {{R"("input": [])", "input"},
                                                       {R"("input": [1, 2])", "input"},
                                                       {R"("input": "")", "input"},
                                                       {R"("input": "a", "dimensions": 0)", "dimensions"},
                                                       {R"("input": "a", "encoding_format": "hex")", "encoding_format"},
                                                       {R"("input": "a", "truncate": true)", "truncate"},
                                                       {R"("dimensions": 3)", "input"}};
    for (const auto& [members, name] : bad)
        EXPECT_EQ(refused([&] { parse_embedding_request(fmt::format(R"({{"model": "e", {}}})", members)); }).body().at("error").at("param"), name)
            << members;
}

TEST(EmbeddingRequest, Base64IsOfTheLittleEndianBytes) {
    const float numbers[] = {1.0f, -2.5f, 0.15625f};  // 00 00 80 3f  00 00 20 c0  00 00 20 3e
    EXPECT_EQ(base64_of(numbers, 0), "");
    EXPECT_EQ(base64_of(numbers, 1), "AACAPw==");
    EXPECT_EQ(base64_of(numbers, 2), "AACAPwAAIMA=");
    EXPECT_EQ(base64_of(numbers, 3), "AACAPwAAIMAAACA+");
}

}  // namespace
}  // namespace temper
