// That a call throws an Error of a code, with a part of its message.
#pragma once
#include <string>

#include <gtest/gtest.h>

#include "kernels/error.h"

namespace temper::testing {

// The Error that call throws, as its exit code and message; a failed expectation when it throws none.
struct Caught {
    ExitCode code = ExitCode::done;
    std::string message;
};
template <class Call> Caught caught(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        return {error.code(), error.what()};
    }
    ADD_FAILURE() << "no Error was thrown";
    return {};
}

}  // namespace temper::testing

#define EXPECT_ERROR(call, expected_code, expected_part)                                                \
    do {                                                                                                \
        const auto error_caught = ::temper::testing::caught([&] { (void)(call); });                     \
        EXPECT_EQ(static_cast<int>(error_caught.code), static_cast<int>(expected_code));                \
        EXPECT_NE(error_caught.message.find(expected_part), std::string::npos) << error_caught.message; \
    } while (false)
