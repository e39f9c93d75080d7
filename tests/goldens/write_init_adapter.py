"""Writes a PEFT adapter over every linear layer of a Llama or Qwen2 model whose values follow from a seed and the tensor's name alone.

    python3 tests/goldens/write_init_adapter.py --model DIR --output DIR [--r 8] [--alpha 16] [--seed 1]

A file too large to keep in the repository can so be made again anywhere: only the standard library is used. Element i of a tensor is
uniform in ±bound: the top 24 bits of splitmix64(key + i * gamma), key = first 8 bytes of SHA-256("<seed>/<name>"), little-endian.
A has PEFT's bound 1/sqrt(in); B has 0.005 instead of PEFT's zero, so that the gradient of A is not zero in the first step.
"""

import argparse
import array
import hashlib
import json
import struct
from pathlib import Path

MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


def uniform(name, seed, count, bound):
    state = int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "little")
    values = array.array("f")
    for _ in range(count):
        state = (state + GAMMA) & MASK
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        z ^= z >> 31
        values.append(((z >> 40) / 8388608.0 - 1.0) * bound)
    return values


def linear_shapes(config):
    """(module path, out, in) of every linear layer but the head."""
    width, heads = config["hidden_size"], config["num_attention_heads"]
    head_dim = config.get("head_dim") or width // heads
    q, kv, ff = heads * head_dim, config["num_key_value_heads"] * head_dim, config["intermediate_size"]
    for layer in range(config["num_hidden_layers"]):
        for module, out, inner in (("self_attn.q_proj", q, width), ("self_attn.k_proj", kv, width), ("self_attn.v_proj", kv, width),
                                   ("self_attn.o_proj", width, q), ("mlp.gate_proj", ff, width), ("mlp.up_proj", ff, width),
                                   ("mlp.down_proj", width, ff)):
            yield f"model.layers.{layer}.{module}", out, inner


def adapter_tensors(config, r, seed):
    for module, out, inner in linear_shapes(config):
        for side, shape, bound in (("A", (r, inner), inner ** -0.5), ("B", (out, r), 0.005)):
            name = f"base_model.model.{module}.lora_{side}.weight"
            yield name, shape, uniform(name, seed, shape[0] * shape[1], bound)


def write_safetensors(path, tensors):
    header, payload, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, shape, values in sorted(tensors):
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [offset, offset + 4 * len(values)]}
        offset += 4 * len(values)
        payload.append(values.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(payload))


def write_adapter(model, output, r, alpha, seed):
    config = json.loads((Path(model) / "config.json").read_text())
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    write_safetensors(output / "adapter_model.safetensors", adapter_tensors(config, r, seed))
    modules = sorted({module.rsplit(".", 1)[1] for module, _, _ in linear_shapes(config)})
    (output / "adapter_config.json").write_text(json.dumps(dict(
        base_model_name_or_path=None, bias="none", fan_in_fan_out=False, inference_mode=True, lora_alpha=alpha, lora_dropout=0.0,
        peft_type="LORA", r=r, target_modules=modules, task_type="CAUSAL_LM", use_dora=False, use_rslora=False), indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--r", type=int, default=8)
    parser.add_argument("--alpha", type=float, default=16)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    write_adapter(args.model, args.output, args.r, args.alpha, args.seed)


if __name__ == "__main__":
    main()
