// An adapter of a tiny model as `merge`, `generate` and init_adapter read it: adapter_config.json up to the first NUL byte, then
// adapter_model.safetensors.
#include <algorithm>

#include "model/lora.h"
#include "tests/fuzz/fuzz.h"

namespace {

temper::ModelConfig tiny_model() {
    temper::ModelConfig config;
    config.family = "llama";
    config.vocab_size = 16;
    config.hidden_size = 8;
    config.intermediate_size = 12;
    config.layers = 1;
    config.heads = 2;
    config.key_value_heads = 1;
    config.head_size = 4;
    return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return temper::fuzz_one([&] {
        static const temper::ModelConfig model = tiny_model();
        const auto config_size = static_cast<std::size_t>(std::find(data, data + size, 0) - data), rest = std::min(size, config_size + 1);
        const auto directory = temper::fuzz_file(data, config_size, "adapter_config.json").parent_path();
        temper::fuzz_file(data + rest, size - rest, "adapter_model.safetensors");
        const temper::LoraLayout layout = temper::make_lora_layout(model, temper::read_adapter_settings(directory));
        if (temper::read_adapter(directory, layout).size() != static_cast<std::size_t>(layout.parameters)) __builtin_trap();
    });
}
