// Files of rows in a folder of their own, and a request for them with the tiny tokenizer.
#pragma once
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "io/comm/comm.h"
#include "io/tokenizer/tokenizer.h"
#include "kernels/error.h"
#include "tests/support/temporary_directory.h"
#include "train/data_request.h"

namespace temper {

inline const std::filesystem::path goldens = std::filesystem::path(TEMPER_SOURCE_DIR) / "tests/goldens";

class DataFixture : public testing::Test {
  protected:
    DataFile write(const std::string& name, const std::string& text) const {
        std::ofstream(work_ / name, std::ios::binary) << text;
        DataFile file;
        file.path = (work_ / name).string();
        return file;
    }
    DataRequest request(std::vector<DataFile> files) const {
        DataRequest request;
        request.files = std::move(files);
        request.role = "train";
        request.model = "tiny_chat";
        request.on_overlong = "truncate";
        request.end_ids = {*tokenizer_.eos_id()};
        request.cache_directory = work_ / "cache";
        return request;
    }
    // The message of the error that `read` must throw.
    template <class Read> static std::string error_of(Read&& read, ExitCode code = ExitCode::bad_data) {
        try {
            read();
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), code) << error.what();
            return error.what();
        }
        return "no error";
    }

    Tokenizer tokenizer_ = Tokenizer::from_directory(goldens / "tiny_chat");
    std::unique_ptr<Comm> comm_ = single_comm();
    TemporaryDirectory temporary_;
    std::filesystem::path work_ = temporary_.path();
};

}  // namespace temper
