// A config.json.
#include "io/jsonl.h"
#include "model/config.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return temper::fuzz_one([&] {
        temper::parse_model_config(temper::parse_json(std::string_view(reinterpret_cast<const char*>(data), size), "config.json"), "config.json");
    });
}
