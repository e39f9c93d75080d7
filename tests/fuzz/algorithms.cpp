// A table of algorithms, as checkpoints and the cache hold it. The second run puts the checksum right, so that what only it stops is reached; what
// is accepted is written as the same bytes.
#include "kernels/algorithm_table.h"
#include "tests/fuzz/fuzz.h"

namespace {

void read(const std::string& bytes) {
    if (temper::cuda::AlgorithmTable::from_bytes(bytes).to_bytes() != bytes) __builtin_trap();
}

// FNV-1a, least byte first.
std::string with_checksum(std::string bytes) {
    std::uint64_t sum = 0xcbf29ce484222325u;
    for (const char byte : bytes) sum = (sum ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
    for (int i = 0; i < 8; ++i) bytes += static_cast<char>(sum >> 8 * i & 0xff);
    return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string bytes(reinterpret_cast<const char*>(data), size);
    temper::fuzz_one([&] { read(bytes); });
    if (size < 8) return 0;
    return temper::fuzz_one([&] { read(with_checksum(bytes.substr(0, size - 8))); });
}
