#include "serve/system_prompt.h"

#include <atomic>
#include <chrono>
#include <thread>

#include <gtest/gtest.h>

#include "serve/generation_request.h"
#include "tests/support/expect_error.h"

namespace temper {
namespace {

Prompt prompt(const Json& body) {
    Prompt made;
    made.name = "assistant";
    made.version = 3;
    made.body = body;
    return made;
}

Json turn(const char* role, const char* content) { return {{"role", role}, {"content", content}}; }

TEST(SystemPrompt, IsATemplateOrTheFirstTurn) {
    const SystemPrompt text = system_prompt_of(prompt("Be brief."));
    EXPECT_EQ(text.text, "Be brief.");
    EXPECT_EQ(text.version, 3);
    const Prompt turns = prompt({turn("system", "Be kind."), turn("user", "{{ message }}")});
    EXPECT_EQ(system_prompt_of(turns).text, "Be kind.");
    EXPECT_EQ(system_prompt_of(turns).sha256, turns.sha256());
}

TEST(SystemPrompt, IsAFixedText) {
    EXPECT_ERROR(system_prompt_of(prompt("Hello {{ name }}")), ExitCode::usage,
                 "assistant version 3 has \"{{ name }}\" in it, expected a fixed text");
    EXPECT_ERROR(system_prompt_of(prompt("{% if a %}x{% endif %}")), ExitCode::usage, "expected a fixed text");
    EXPECT_ERROR(system_prompt_of(prompt(Json::array({turn("user", "Hello")}))), ExitCode::usage, "does not begin with a turn of system");
    EXPECT_ERROR(system_prompt_of(prompt(Json::array())), ExitCode::usage, "does not begin with a turn of system");
}

TEST(GenerationRequest, KnowsWhetherItBringsASystemMessage) {
    const auto brings = [](const std::string& messages) {
        return parse_chat_request(R"({"model": "m", "messages": )" + messages + "}").brings_system_message();
    };
    EXPECT_FALSE(brings(R"([{"role": "user", "content": "x"}])"));
    EXPECT_TRUE(brings(R"([{"role": "system", "content": ""}, {"role": "user", "content": "x"}])"));
    EXPECT_TRUE(brings(R"([{"role": "developer", "content": "y"}, {"role": "user", "content": "x"}])"));
    EXPECT_TRUE(brings(R"([{"role": "user", "content": "x"}, {"role": "system", "content": "y"}])"));
}

TEST(Repeated, WorksUntilItEnds) {
    std::atomic<int> times{0};
    {
        const Repeated repeated(0.001, [&] { ++times; });
        while (times < 3) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    const int at_end = times;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(times, at_end);
    const auto begun = std::chrono::steady_clock::now();
    {
        const Repeated slow(3600, [] {});
    }
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(60));
}

}  // namespace
}  // namespace temper
