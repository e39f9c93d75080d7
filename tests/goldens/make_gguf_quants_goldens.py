"""Blocks of every quantised GGUF type with any bits, and the float32 numbers that the `gguf` package (0.19.0, numpy 2.4) decodes from
them: a small file with its numbers, and the SHA-256 of the numbers of many more blocks, whose bytes the test makes by itself. The other
way round, the SHA-256 of what the package stores for numbers that the test makes.
Run from the root: python3 tests/goldens/make_gguf_quants_goldens.py"""
import hashlib
import json

import numpy as np
from gguf import GGML_QUANT_SIZES, GGUFWriter
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

folder = "tests/goldens/gguf/"
many, written = 2048, 4096
# Where the binary16 scales of a block stand.
scales_at = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "IQ4_NL": [0], "Q2_K": [80, 82], "Q3_K": [108],
             "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_XS": [0]}
# Zeros, the smallest and the largest subnormal, the smallest and the largest normal, infinities, NaNs quiet and signalling.
special = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x8400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00, 0xFE01, 0x7C01, 0xFDFF, 0x3C00, 0xBC00]


def splitmix64(seed, count):
    state = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def blocks_of(name, count):
    """Any bits; in every second block the scales are one of the special numbers each."""
    size = GGML_QUANT_SIZES[Type[name]][1]
    words = (count * size + 7) // 8
    blocks = splitmix64(int(Type[name]), words).view(np.uint8)[: count * size].reshape(count, size).copy()
    for i in range(1, count, 2):
        for k, at in enumerate(scales_at[name]):
            blocks[i, at : at + 2] = np.array([special[(i // 2 + k * (i // 32 + 1)) % len(special)]], np.uint16).view(np.uint8)
    return blocks


def numbers_to_store():
    """Rows of 32 numbers of one magnitude each, from 2^-37 to 2^11; zeros, ties and a signed zero among them."""
    mantissas = (splitmix64(77, written) >> np.uint64(40)).astype(np.int64) - (1 << 23)
    exponents = (splitmix64(78, written // 32) % np.uint64(48)).astype(np.int64) - 60
    numbers = np.ldexp(mantissas.astype(np.float32), np.repeat(exponents, 32)).astype(np.float32)
    numbers[:32] = 0.0
    numbers[32:64] = (np.arange(32) - 16) * 0.5
    numbers[48] = -0.0
    numbers[63] = 127.0
    return numbers


def main():
    writer = GGUFWriter(folder + "quants.gguf", "llama")
    numbers, hashes = {}, {}
    with np.errstate(all="ignore"):
        for name in scales_at:
            wide = GGML_QUANT_SIZES[Type[name]][0] == 256
            few = blocks_of(name, 8 if wide else 32)
            writer.add_tensor(name.lower(), few.reshape(2, -1), raw_dtype=Type[name])
            numbers[name.lower()] = dequantize(few.reshape(2, -1), Type[name])
            decoded = dequantize(blocks_of(name, many), Type[name])
            hashes[name] = {"blocks": many, "sha256": hashlib.sha256(decoded.tobytes()).hexdigest()}
        stored = {name: hashlib.sha256(quantize(numbers_to_store().reshape(-1, 32), Type[name]).tobytes()).hexdigest() for name in ("F16", "BF16", "Q8_0")}
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(numbers, folder + "quants.safetensors")
    json.dump({"decoded": hashes, "stored": {"numbers": written, "sha256": stored}}, open(folder + "quants.json", "w"), indent=1)


main()
