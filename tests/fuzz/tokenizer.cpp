// A tokenizer.json: what is accepted encodes text and gives it back without a crash.
#include "io/tokenizer.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return temper::fuzz_one([&] {
        const auto path = temper::fuzz_file(data, size, "tokenizer.json");
        const temper::Tokenizer tokenizer = temper::Tokenizer::from_directory(path.parent_path());
        const auto ids = tokenizer.encode("Hello, \xc3\xa9 12   \xf0\x9f\x98\x80\n<s>", true);
        tokenizer.decode(ids, false);
    });
}
