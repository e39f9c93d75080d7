// The YAML of a run: what is accepted reads back as the same.
#include "tests/fuzz/fuzz.h"
#include "train/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return temper::fuzz_one([&] {
        const temper::Config config =
            temper::parse_config(std::string(reinterpret_cast<const char*>(data), size), "run.yaml", {}, temper::TrainKind::sft);
        const std::string yaml = temper::config_yaml(config);
        if (temper::config_yaml(temper::parse_config(yaml, "resolved.yaml", {}, temper::TrainKind::sft)) != yaml) __builtin_trap();
    });
}
