#!/usr/bin/env python3
"""Quantises the matrices of a .gguf file of floats: those of the blocks to TYPE, embedding and head to Q8_0.
Usage: quantised_gguf.py IN.gguf OUT.gguf TYPE      (needs numpy and gguf; TYPE: Q8_0, Q4_0, Q4_1, Q5_0, Q5_1 or Q4_K)

Q4_K takes the least and the largest number of each 32, without llama.cpp's search for better scales, which loses less. Rows that are no whole blocks
of 256 become Q5_0, as there."""
import sys

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize, quantize


def half(values):
    return values.astype(np.float16)


def pack_six(scales, minimums):
    """Eight pairs of 6 bits in 12 bytes: the upper two bits of the last four lie above the first four."""
    packed = np.zeros((scales.shape[0], 12), np.uint8)
    packed[:, 0:4] = scales[:, :4] | (scales[:, 4:] >> 4 << 6)
    packed[:, 4:8] = minimums[:, :4] | (minimums[:, 4:] >> 4 << 6)
    packed[:, 8:12] = (scales[:, 4:] & 15) | (minimums[:, 4:] & 15) << 4
    return packed


def q4_k(weight):
    groups = weight.astype(np.float32).reshape(-1, 8, 32)
    least = np.minimum(groups.min(2), 0)
    scale = (groups.max(2) - least) / 15
    d, dmin = half(scale.max(1) / 63), half((-least).max(1) / 63)
    known = lambda values, unit: np.clip(np.rint(values / np.maximum(unit.astype(np.float32)[:, None], 1e-20)), 0, 63).astype(np.uint8)
    scales, minimums = known(scale, d), known(-least, dmin)
    step = d.astype(np.float32)[:, None] * scales
    lowest = dmin.astype(np.float32)[:, None] * minimums
    q = np.clip(np.rint((groups + lowest[..., None]) / np.maximum(step[..., None], 1e-20)), 0, 15).astype(np.uint8)
    nibbles = q[:, 0::2] | q[:, 1::2] << 4
    parts = [d[:, None].view(np.uint8), dmin[:, None].view(np.uint8), pack_six(scales, minimums), nibbles.reshape(-1, 128)]
    blocks = np.concatenate(parts, axis=1)
    error = np.abs(dequantize(blocks, Type.Q4_K).reshape(weight.shape) - weight).max()
    assert error <= np.abs(weight).max() / 8, error  # nothing lies where the reader does not look for it
    return blocks.reshape(weight.shape[0], -1)


def main():
    source, target, kind = sys.argv[1:4]
    reader = GGUFReader(source)
    writer = GGUFWriter(target, reader.get_field("general.architecture").contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), field.types[0], sub_type=inner)
    for tensor in reader.tensors:
        numbers = dequantize(tensor.data, tensor.tensor_type).reshape([int(size) for size in reversed(tensor.shape)])
        if numbers.ndim < 2:
            writer.add_tensor(tensor.name, numbers)
            continue
        wanted = Type.Q8_0 if not tensor.name.startswith("blk.") else Type[kind]
        if wanted == Type.Q4_K and numbers.shape[1] % 256 != 0:
            wanted = Type.Q5_0
        blocks = q4_k(numbers) if wanted == Type.Q4_K else quantize(numbers.astype(np.float32), wanted)
        writer.add_tensor(tensor.name, blocks, raw_dtype=wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
