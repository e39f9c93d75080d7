#!/usr/bin/env python3
"""A model directory of a published shape with random bfloat16 weights, for timing without a download. Needs Python alone.

    random_model.py [--shape qwen2.5-0.5b] --tokenizer-from MODEL_DIR OUTPUT_DIR

The tokenizer is copied from another model: its vocabulary is smaller, which does not change the work. The shapes are those of the models' own
config.json on the Hugging Face hub."""
import argparse
import array
import json
import math
import pathlib
import random
import shutil
import sys

QWEN = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_act": "silu", "torch_dtype": "bfloat16", "bos_token_id": 1,
        "eos_token_id": 2, "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "max_position_embeddings": 32768, "vocab_size": 151936,
        "tie_word_embeddings": True}
SHAPES = {
    "qwen2.5-0.5b": QWEN | {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
                            "num_key_value_heads": 2},
    "qwen2.5-1.5b": QWEN | {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12,
                            "num_key_value_heads": 2},
    "llama-3.1-8b": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "torch_dtype": "bfloat16",
                     "bos_token_id": 1, "eos_token_id": 2, "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "max_position_embeddings": 131072,
                     "vocab_size": 128256, "tie_word_embeddings": False, "hidden_size": 4096, "intermediate_size": 14336,
                     "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8},
}
BLOCK = 1 << 20  # numbers; a tensor is this block over and over, from another place each time


def shapes(config):
    hidden, forward, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    head = hidden // config["num_attention_heads"]
    keys = head * config["num_key_value_heads"]
    yield "model.embed_tokens.weight", (vocabulary, hidden)
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", (vocabulary, hidden)
    yield "model.norm.weight", (hidden,)
    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}."
        yield name + "input_layernorm.weight", (hidden,)
        yield name + "post_attention_layernorm.weight", (hidden,)
        for part, out in (("q", hidden), ("k", keys), ("v", keys)):
            yield f"{name}self_attn.{part}_proj.weight", (out, hidden)
            if config["model_type"] == "qwen2":
                yield f"{name}self_attn.{part}_proj.bias", (out,)
        yield name + "self_attn.o_proj.weight", (hidden, hidden)
        yield name + "mlp.gate_proj.weight", (forward, hidden)
        yield name + "mlp.up_proj.weight", (forward, hidden)
        yield name + "mlp.down_proj.weight", (hidden, forward)


def bfloat16(values):
    """The upper halves of floats, cut off."""
    halves = array.array("H", array.array("f", values).tobytes())
    return halves[1::2] if sys.byteorder == "little" else halves[0::2]


class Weights:
    def __init__(self):
        self.random = random.Random(1)
        self.normal = [self.random.gauss(0.0, 1.0) for _ in range(BLOCK)]
        self.blocks = {}  # by the width that scales them

    def write(self, file, name, shape):
        count = math.prod(shape)
        if name.endswith("norm.weight") or name.endswith(".bias"):
            file.write(bfloat16([1.0 if name.endswith("norm.weight") else 0.0] * count).tobytes())
            return
        scale = 0.5 / math.sqrt(shape[-1])
        if scale not in self.blocks:
            self.blocks[scale] = bfloat16(value * scale for value in self.normal).tobytes()
        block = memoryview(self.blocks[scale])
        while count > 0:
            begin = self.random.randrange(BLOCK // 2)
            taken = min(count, BLOCK - begin)
            file.write(block[2 * begin:2 * (begin + taken)])
            count -= taken


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--shape", choices=SHAPES, default="qwen2.5-0.5b")
    parser.add_argument("--tokenizer-from", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    config = SHAPES[arguments.shape]
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
        if (arguments.tokenizer_from / name).exists():
            shutil.copy(arguments.tokenizer_from / name, arguments.output)
    (arguments.output / "config.json").write_text(json.dumps(config, indent=1))
    header, at = {}, 0
    for name, shape in shapes(config):
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    weights = Weights()
    with open(arguments.output / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes(config):
            weights.write(file, name, shape)


if __name__ == "__main__":
    main()
