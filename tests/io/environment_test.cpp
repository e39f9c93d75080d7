#include "io/environment.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include "tests/support/expect_error.h"

namespace temper {
namespace {

TEST(Environment, SecretsAreThereOrMissed) {
    EXPECT_EQ(environment_secret("", "here"), "");
    unsetenv("TEMPER_TEST_CHAT_KEY");
    EXPECT_ERROR(environment_secret("TEMPER_TEST_CHAT_KEY", "here"), ExitCode::usage,
                 "here: the environment variable TEMPER_TEST_CHAT_KEY is not set");
    setenv("TEMPER_TEST_CHAT_KEY", "k", 1);
    EXPECT_EQ(environment_secret("TEMPER_TEST_CHAT_KEY", "here"), "k");
}

TEST(Environment, WhatIsNotSetIsEmpty) {
    unsetenv("TEMPER_TEST_TEXT");
    EXPECT_EQ(environment_text("TEMPER_TEST_TEXT"), "");
    setenv("TEMPER_TEST_TEXT", "a b", 1);
    EXPECT_EQ(environment_text("TEMPER_TEST_TEXT"), "a b");
    unsetenv("TEMPER_TEST_TEXT");
}

}  // namespace
}  // namespace temper
