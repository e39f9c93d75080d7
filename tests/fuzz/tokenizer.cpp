// A tokenizer.json: what is accepted encodes text and gives it back without a crash.
#include "io/tokenizer/tokenizer.h"

#include <cstdlib>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return temper::fuzz_one([&] {
        using temper::Tokenizer;
        const auto path = temper::fuzz_file(data, size, "tokenizer.json");
        const temper::Tokenizer tokenizer = temper::Tokenizer::from_directory(path.parent_path());
        const std::string text = "Hello, \xc3\xa9 12   \xf0\x9f\x98\x80\n<s> [MASK]\xe2\x96\x81 e\xcc\x81\xef\xac\x81 \xe6\x9d\xb1";
        const auto ids = tokenizer.encode(text, true);
        if (tokenizer.encode_with_offsets(text, true).ids != ids) std::abort();
        tokenizer.decode(ids, false);
        Tokenizer::Options plain;
        plain.parse_special = false;
        tokenizer.encode(text, plain);
    });
}
