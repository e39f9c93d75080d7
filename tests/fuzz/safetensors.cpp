// A .safetensors file: the header, and the small tensors decoded.
#include "io/tensors/tensor_source.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/read_tensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return temper::fuzz_one([&] { temper::read_small_tensors(*temper::open_safetensors(temper::fuzz_file(data, size, "model.safetensors"))); });
}
