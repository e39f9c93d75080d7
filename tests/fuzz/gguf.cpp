// A .gguf file: the header, small tensors, the tokenizer and the configuration of the model.
#include "io/tensors/gguf.h"

#include "io/jsonl.h"
#include "io/tokenizer/tokenizer.h"
#include "model/config.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/read_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return temper::fuzz_one([&] {
        const temper::GgufFile file(temper::fuzz_file(data, size, "model.gguf"));
        temper::read_small_tensors(file);
        temper::fuzz_one([&] { temper::Tokenizer::from_gguf(file).encode("Hello, \xc3\xa9 12 \xf0\x9f\x98\x80", true); });
        temper::fuzz_one([&] { temper::model_config_from_gguf(file); });
    });
}
