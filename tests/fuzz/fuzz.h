// A fuzz target: one function over bytes, in libFuzzer's form, so that a target runs under libFuzzer too. It must come back, or throw
// Error, whatever the bytes are; anything else ends the program.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "kernels/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace temper {

// Runs parse and swallows the Error that a user would read; an empty message counts as a failure.
template <class Parse> int fuzz_one(Parse&& parse) {
    try {
        parse();
    } catch (const Error& error) {
        if (std::string_view(error.what()).empty() || error.code() == ExitCode::internal) __builtin_trap();
    }
    return 0;
}

// The bytes as a file of that name in a folder of this process, for parsers that open a path.
std::filesystem::path fuzz_file(const std::uint8_t* data, std::size_t size, const char* name);

}  // namespace temper
