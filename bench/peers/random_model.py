#!/usr/bin/env python3
"""A model directory of Qwen2.5-0.5B's shape with random bfloat16 weights, for timing without a download. Needs numpy.

    random_model.py --tokenizer-from MODEL_DIR OUTPUT_DIR

The tokenizer is copied from another model: its vocabulary is smaller, which does not change the work."""
import argparse
import json
import pathlib
import shutil

import numpy

CONFIG = {
    "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
    "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0, "hidden_act": "silu", "tie_word_embeddings": True, "torch_dtype": "bfloat16", "bos_token_id": 1, "eos_token_id": 2,
}


def shapes(config):
    hidden, forward, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    head = hidden // config["num_attention_heads"]
    keys = head * config["num_key_value_heads"]
    yield "model.embed_tokens.weight", (vocabulary, hidden)
    yield "model.norm.weight", (hidden,)
    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}."
        yield name + "input_layernorm.weight", (hidden,)
        yield name + "post_attention_layernorm.weight", (hidden,)
        for part, out in (("q", hidden), ("k", keys), ("v", keys)):
            yield f"{name}self_attn.{part}_proj.weight", (out, hidden)
            yield f"{name}self_attn.{part}_proj.bias", (out,)
        yield name + "self_attn.o_proj.weight", (hidden, hidden)
        yield name + "mlp.gate_proj.weight", (forward, hidden)
        yield name + "mlp.up_proj.weight", (forward, hidden)
        yield name + "mlp.down_proj.weight", (hidden, forward)


def values(name, shape, random):
    if name.endswith("norm.weight"):
        numbers = numpy.ones(shape, numpy.float32)
    elif name.endswith(".bias"):
        numbers = numpy.zeros(shape, numpy.float32)
    else:
        numbers = random.standard_normal(shape, dtype=numpy.float32) * (0.5 / shape[-1] ** 0.5)
    return (numbers.view(numpy.uint32) >> 16).astype(numpy.uint16)  # bfloat16, cut off


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--tokenizer-from", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"):
        if (arguments.tokenizer_from / name).exists():
            shutil.copy(arguments.tokenizer_from / name, arguments.output)
    (arguments.output / "config.json").write_text(json.dumps(CONFIG, indent=1))
    header, at = {}, 0
    for name, shape in shapes(CONFIG):
        size = 2 * int(numpy.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = numpy.random.default_rng(1)
    with open(arguments.output / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes(CONFIG):
            values(name, shape, random).tofile(file)


if __name__ == "__main__":
    main()
