// A directory of one test, removed behind it.
#pragma once
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <stdlib.h>

#include "kernels/error.h"

namespace temper::testing {

class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "temper-test-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~TemporaryDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    std::filesystem::path put(const std::string& name, std::string_view bytes) const {
        std::ofstream(path_ / name, std::ios::binary) << bytes;
        return path_ / name;
    }

  private:
    std::filesystem::path path_;
};

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
