// A config.json.
#include "io/jsonl.h"
#include "model/config.h"
#include "model/encoder_config.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return temper::fuzz_one([&] {
        const temper::Json json = temper::parse_json(std::string_view(reinterpret_cast<const char*>(data), size), "config.json");
        const bool named = json.is_object() && json.contains("model_type") && json.at("model_type").is_string();
        if (named && temper::is_encoder_family(json.at("model_type").get<std::string>())) temper::parse_encoder_config(json, "config.json");
        else temper::parse_model_config(json, "config.json");
    });
}
