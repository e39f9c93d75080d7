"""Small GGUF files and the numbers that the `gguf` package (0.19.0, numpy 2.4) decodes from them.
Run from the root: python3 tests/goldens/make_gguf_goldens.py"""
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader, GGUFWriter
from gguf.quants import dequantize, quantize
from safetensors.numpy import save_file

folder = "tests/goldens/gguf/"
random = np.random.default_rng(7)


def raw_blocks(rows, blocks, halves, size):
    """Blocks of every bit pattern, behind `halves` finite scales of either sign, subnormal ones among them."""
    scales = random.integers(0, 0x7C00, (rows, blocks, halves), dtype=np.uint16) | (random.integers(0, 2, (rows, blocks, halves), dtype=np.uint16) << 15)
    body = random.integers(0, 256, (rows, blocks, size), dtype=np.uint8)
    return np.concatenate([scales.view(np.uint8), body], axis=-1).reshape(rows, -1)


def write_kinds():
    writer = GGUFWriter(folder + "kinds.gguf", "llama")
    writer.add_name("kinds of \u00e4")
    writer.add_uint8("test.u8", 200)
    writer.add_int8("test.i8", -100)
    writer.add_uint16("test.u16", 60000)
    writer.add_int16("test.i16", -30000)
    writer.add_uint32("test.u32", 4000000000)
    writer.add_int32("test.i32", -2000000000)
    writer.add_uint64("test.u64", 2**63 + 1)
    writer.add_uint64("test.u64.small", 2**63 - 1)
    writer.add_int64("test.i64", -(2**62))
    writer.add_float32("test.f32", 0.1)
    writer.add_float64("test.f64", 0.1)
    writer.add_bool("test.bool", True)
    writer.add_array("test.texts", ["a", "", "\u00e4\u2028b"])
    writer.add_array("test.integers", [1, -2, 3])
    writer.add_array("test.floats", [0.5, -1.25])
    writer.add_array("test.flags", [True, False])
    smooth = random.standard_normal((6, 96)).astype(np.float32)
    special = np.array([0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, 65504.0, 2.0**-24, -(2.0**-15), 1 / 3], dtype=np.float32)
    writer.add_tensor("f32", smooth)
    writer.add_tensor("f32.special", special)
    writer.add_tensor("f32.rank4", smooth.reshape(3, 2, 4, 24))
    writer.add_tensor("f16", smooth.astype(np.float16))
    writer.add_tensor("f16.special", special.astype(np.float16))
    writer.add_tensor("bf16", quantize(smooth, Type.BF16), raw_dtype=Type.BF16)
    for kind, halves, size in ((Type.Q8_0, 1, 32), (Type.Q4_0, 1, 16), (Type.Q4_1, 2, 16)):
        writer.add_tensor(kind.name.lower(), quantize(smooth, kind), raw_dtype=kind)
        writer.add_tensor(kind.name.lower() + ".raw", raw_blocks(7, 5, halves, size), raw_dtype=kind)
    writer.add_tensor("q5_0", quantize(smooth, Type.Q5_0), raw_dtype=Type.Q5_0)
    write(writer)


def write_aligned():
    writer = GGUFWriter(folder + "aligned.gguf", "llama")
    writer.add_custom_alignment(256)
    writer.add_tensor("a", random.standard_normal(3).astype(np.float32))
    writer.add_tensor("b", random.standard_normal((2, 5)).astype(np.float32))
    write(writer)


def write_llama3_scaling(name, head, theta, factor, low=1.0, high=4.0, original=8192):
    """What converters write for Llama 3.2: the scaling as divisors of the frequencies, in rope_freqs.weight; a model of one small layer."""
    random, hidden = np.random.default_rng(4), 2 * head
    writer = GGUFWriter(folder + name + ".gguf", "llama")
    writer.add_block_count(1)
    writer.add_context_length(512)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(16)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_rope_freq_base(theta)
    writer.add_rope_dimension_count(head)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_eos_token_id(3)
    writer.add_eot_token_id(5)
    wavelengths = 2 * np.pi * theta ** (np.arange(0, head, 2, dtype=np.float64) / head)
    smooth = (original / wavelengths - low) / (high - low)
    divisors = np.where(wavelengths < original / high, 1.0, np.where(wavelengths > original / low, factor, 1 / ((1 - smooth) / factor + smooth)))
    writer.add_tensor("rope_freqs.weight", divisors.astype(np.float32))
    draw = lambda *shape: (0.1 * random.standard_normal(shape)).astype(np.float16)
    shapes = {"attn_q": (hidden, hidden), "attn_k": (head, hidden), "attn_v": (head, hidden), "attn_output": (hidden, hidden),
              "ffn_gate": (16, hidden), "ffn_up": (16, hidden), "ffn_down": (hidden, 16)}
    for part, shape in shapes.items():
        writer.add_tensor(f"blk.0.{part}.weight", draw(*shape))
    for norm in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(norm + ".weight", np.ones(hidden, np.float32))
    writer.add_tensor("token_embd.weight", draw(8, hidden))
    write(writer)


def write(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_expected(name):
    reader = GGUFReader(folder + name + ".gguf")
    numbers = {}
    for tensor in reader.tensors:
        if tensor.tensor_type != Type.Q5_0:
            shape = [int(size) for size in tensor.shape[::-1]]
            numbers[tensor.name] = np.ascontiguousarray(dequantize(tensor.data, tensor.tensor_type).reshape(shape).astype(np.float32))
    save_file(numbers, folder + name + ".safetensors")


write_kinds()
write_aligned()
write_llama3_scaling("llama32", head=32, theta=500000.0, factor=32.0)
write_llama3_scaling("llama_other", head=32, theta=500000.0, factor=32.0, original=4096)
write_expected("kinds")
write_expected("aligned")
