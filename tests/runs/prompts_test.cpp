#include "runs/prompts.h"

#include <gtest/gtest.h>

#include "io/durable.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"

namespace temper {
namespace {

Prompt prompt_of(const std::filesystem::path& folder, const std::string& yaml) {
    write_durable(folder / "prompt.yaml", yaml);
    return read_prompt(folder / "prompt.yaml");
}

template <class Function> void expect_error(ExitCode code, const std::string& text, Function function) {
    try {
        function();
        FAIL() << "expected an error with: " << text;
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), code) << error.what();
        EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
    }
}

const char* const judge = "name: judge\ntemplate: |\n  Is {{ answer }} right?\n  Say {{label}}.\n";

TEST(Prompts, AreReadFromYamlAndBack) {
    TemporaryDirectory temporary;
    const Prompt text = prompt_of(temporary.path(), judge);
    EXPECT_FALSE(text.chat());
    EXPECT_EQ(text.body, "Is {{ answer }} right?\nSay {{label}}.\n");
    EXPECT_EQ(text.variables(), (std::vector<std::string>{"answer", "label"}));
    const Prompt chat = prompt_of(temporary.path(),
                                  "name: chat\ndescription: first\ntags: {team: shop, n: 3}\nmessages:\n  - {role: system, content: Be brief.}\n"
                                  "  - {role: user, content: \"{{question}}\"}\n");
    EXPECT_TRUE(chat.chat());
    EXPECT_EQ(chat.tags.at("n"), "3");
    for (const Prompt& prompt : {text, chat}) {
        const Prompt again = prompt_of(temporary.path(), prompt.yaml());
        EXPECT_EQ(again.to_json(), prompt.to_json());
        EXPECT_EQ(Prompt::from_json(prompt.to_json(), "").sha256(), prompt.sha256());
    }
    // The hash is of what a model reads: neither the name nor a description changes it.
    EXPECT_EQ(prompt_of(temporary.path(), "name: other\ndescription: x\n" + std::string(judge).substr(12)).sha256(), text.sha256());
}

TEST(Prompts, MistakesHaveTheirPlace) {
    TemporaryDirectory temporary;
    const auto fails = [&](const std::string& yaml, const std::string& text) {
        expect_error(ExitCode::usage, text, [&] { prompt_of(temporary.path(), yaml); });
    };
    fails("name: a\ntemplat: x\n", "prompt.yaml:2:1: unknown key \"templat\"; did you mean template?");
    fails("name: a\n", "expected either template or messages");
    fails("name: a\ntemplate: x\nmessages: []\n", "expected either template or messages");
    fails("template: x\n", "expected a name");
    fails("name: a b\ntemplate: x\n", "prompt.yaml:1:7: name: found \"a b\"");
    fails("name: a\nmessages: []\n", "prompt.yaml:2:11: expected messages as a list");
    fails("name: a\nmessages:\n  - {role: user}\n", "prompt.yaml:3:5: expected a message with role and content");
    fails("name: a\ntemplate: ''\n", "expected template as text that is not empty");
    fails("- a\n", "expected a map");
}

TEST(Prompts, VersionsAndAliases) {
    TemporaryDirectory temporary;
    const PromptRegistry registry(temporary.path() / "prompts");
    const Prompt first = registry.add(prompt_of(temporary.path(), judge));
    EXPECT_EQ(first.version, 1);
    EXPECT_EQ(registry.add(prompt_of(temporary.path(), std::string(judge) + "description: again\n")).version, 1);  // the same text
    const Prompt second = registry.add(prompt_of(temporary.path(), std::string(judge) + "  Be strict.\n"));
    EXPECT_EQ(second.version, 2);
    registry.point("judge", "production", 1);
    EXPECT_EQ(registry.resolve("judge").version, 2);
    EXPECT_EQ(registry.resolve("judge@production").version, 1);
    EXPECT_EQ(registry.resolve("judge:2").sha256(), second.sha256());
    EXPECT_EQ(registry.resolve("judge#" + second.sha256().substr(0, 8)).version, 2);
    EXPECT_EQ(registry.names(), std::vector<std::string>{"judge"});
    expect_error(ExitCode::missing_input, "did you mean judge?", [&] { registry.resolve("juge@production"); });
    expect_error(ExitCode::missing_input, "its aliases are: production", [&] { registry.resolve("judge@candidate"); });
    expect_error(ExitCode::usage, "expected NAME@ALIAS", [&] { registry.resolve("judge:x"); });
    expect_error(ExitCode::missing_input, "expected one", [&] { registry.resolve("judge#abc"); });
    expect_error(ExitCode::missing_input, "are 1 to 2", [&] { registry.point("judge", "production", 3); });
    // A version that was edited is no longer what its hash says.
    const auto path = temporary.path() / "prompts" / "judge" / "versions" / "0001.json";
    std::string text = read_file(path);
    text.replace(text.find("right?"), 5, "wrong");
    write_durable(path, text);
    expect_error(ExitCode::bad_data, "was changed", [&] { registry.resolve("judge@production"); });
}

TEST(Prompts, DifferByLines) {
    TemporaryDirectory temporary;
    const Prompt a = prompt_of(temporary.path(), "name: a\ntemplate: \"one\\ntwo\\nthree\"\n");
    const Prompt b = prompt_of(temporary.path(), "name: a\ntemplate: \"one\\n2\\nthree\\nfour\"\n");
    const Prompt c = prompt_of(temporary.path(), "name: a\nmessages: [{role: user, content: one}]\n");
    EXPECT_EQ(prompt_diff(a, b), "  one\n- two\n+ 2\n  three\n+ four\n");
    EXPECT_EQ(prompt_diff(a, c), "+ [user]\n  one\n- two\n- three\n");
    EXPECT_EQ(prompt_diff(a, a), "");
}

}  // namespace
}  // namespace temper
