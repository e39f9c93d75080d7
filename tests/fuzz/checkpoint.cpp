// A checkpoint as --resume reads it: manifest.json up to the first NUL byte, then state.h5. The second run signs the manifest anew, so
// that what stands behind its own hash is reached; state.h5 is opened only when its bytes have the hash that the manifest names.
#include <algorithm>

#include "io/durable.h"
#include "tests/fuzz/fuzz.h"
#include "train/checkpoint.h"

namespace {

void load(const std::filesystem::path& directory) {
    const temper::TrainState state = temper::load_checkpoint(directory);
    if (state.first_moment.size() != state.parameters.size() || state.second_moment.size() != state.parameters.size()) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto manifest_size = static_cast<std::size_t>(std::find(data, data + size, 0) - data), rest = std::min(size, manifest_size + 1);
    const auto directory = temper::fuzz_file(data, manifest_size, "manifest.json").parent_path();
    temper::fuzz_file(data + rest, size - rest, "state.h5");
    temper::fuzz_one([&] { load(directory); });
    return temper::fuzz_one([&] {
        temper::Json manifest = temper::parse_json({reinterpret_cast<const char*>(data), manifest_size}, "manifest.json", {std::size_t(1) << 20, 16});
        if (!manifest.is_object()) return;
        manifest.erase("sha256");
        manifest["sha256"] = temper::sha256_hex(manifest.dump(2));
        const std::string text = manifest.dump(2) + "\n";
        temper::fuzz_file(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), "manifest.json");
        load(directory);
    });
}
