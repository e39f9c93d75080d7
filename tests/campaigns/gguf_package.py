#!/usr/bin/env python3
"""What temper writes as GGUF, read by the `gguf` package: metadata, and every tensor's numbers bit for bit.
Usage: gguf_package.py TEMPER MODEL_DIR [ADAPTER_DIR] (needs gguf, numpy, safetensors, torch). Exit 0: all is as expected."""
import json
import subprocess
import sys
import tempfile

import numpy as np
import torch
from gguf import GGMLQuantizationType as Type
from gguf import GGUFReader
from gguf.quants import dequantize, quantize
from safetensors.torch import load_file

temper, model = sys.argv[1:3]
adapter = sys.argv[3] if len(sys.argv) > 3 else None
config = json.load(open(model + "/config.json"))
layers, heads = config["num_hidden_layers"], config["num_attention_heads"]
kv_heads = config.get("num_key_value_heads", heads)
names = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
         "post_attention_layernorm": "ffn_norm"}


def gguf_name(name):
    fixed = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
    if name in fixed:
        return fixed[name]
    _, _, layer, *module, kind = name.split(".")
    return f"blk.{layer}.{names['.'.join(module)]}.{kind}"


def permuted(weight, count):
    """Rows in RoPE pairs, as llama.cpp keeps them."""
    return weight.reshape(count, 2, weight.shape[0] // count // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def merged_weights():
    weights = {name: value.float().numpy() for name, value in load_file(model + "/model.safetensors").items()}
    if adapter:
        settings, tensors = json.load(open(adapter + "/adapter_config.json")), load_file(adapter + "/adapter_model.safetensors")
        scale = np.float32(settings["lora_alpha"] / (settings["r"] ** 0.5 if settings.get("use_rslora") else settings["r"]))
        for name in [n for n in tensors if n.endswith("lora_A.weight")]:
            a, b = tensors[name].float().numpy(), tensors[name.replace("lora_A", "lora_B")].float().numpy()
            target = name.replace("base_model.model.", "").replace(".lora_A", "")
            product = np.zeros((b.shape[0], a.shape[1]), np.float32)
            for k in range(a.shape[0]):  # one product after the other, so that the sums round alike
                product += b[:, k : k + 1] * a[k : k + 1]
            weights[target] = weights[target] + scale * product
    if config.get("tie_word_embeddings"):
        weights.pop("lm_head.weight", None)
    return weights


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what} is {found}, expected {wanted}")


def check_metadata(reader, kind):
    family = config["model_type"]
    value = lambda key: reader.get_field(key).contents()
    expect("general.architecture", value("general.architecture"), family)
    for key, wanted in {"block_count": layers, "embedding_length": config["hidden_size"], "feed_forward_length": config["intermediate_size"],
                        "attention.head_count": heads, "attention.head_count_kv": kv_heads,
                        "context_length": config["max_position_embeddings"]}.items():
        expect(key, value(f"{family}.{key}"), wanted)
    expect("epsilon", np.float32(value(f"{family}.attention.layer_norm_rms_epsilon")), np.float32(config["rms_norm_eps"]))
    theta = config.get("rope_theta") or config.get("rope_parameters", {}).get("rope_theta", 10000.0)
    expect("rope.freq_base", np.float32(value(f"{family}.rope.freq_base")), np.float32(theta))
    expect("general.file_type", value("general.file_type"), {"F32": 0, "F16": 1, "Q8_0": 7, "BF16": 32}[kind])
    document = json.load(open(model + "/tokenizer.json"))
    tokens, vocabulary = value("tokenizer.ggml.tokens"), document["model"]["vocab"]
    for token, index in list(vocabulary.items()) + [(t["content"], t["id"]) for t in document["added_tokens"]]:
        expect(f"token {index}", tokens[index], token)
    for token in document["added_tokens"]:
        expect(f"type of {token['content']}", value("tokenizer.ggml.token_type")[token["id"]], 3 if token["special"] else 4)
    merges = [" ".join(m) if isinstance(m, list) else m for m in document["model"]["merges"]]
    if value("tokenizer.ggml.model") == "gpt2":
        expect("merges", value("tokenizer.ggml.merges") == merges, True)
    return len(reader.fields)


def check(kind, weights):
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/out.gguf"
        command = [temper, "merge", "--model", model, "--adapter", adapter] if adapter else [temper, "convert", model]
        subprocess.run(command + ["--output", path, "--type", kind], check=True, stderr=subprocess.DEVNULL)
        reader = GGUFReader(path)
        fields, numbers = check_metadata(reader, kind), 0
        tensors = {tensor.name: tensor for tensor in reader.tensors if tensor.name != "rope_freqs.weight"}
        expect("tensors", sorted(tensors), sorted(gguf_name(name) for name in weights))
        for name, weight in weights.items():
            tensor = tensors[gguf_name(name)]
            if config["model_type"] == "llama" and (".q_proj." in name or ".k_proj." in name):
                weight = permuted(weight, heads if ".q_proj." in name else kv_heads)
            stored = Type.F32 if weight.ndim < 2 else Type[kind] if kind != "Q8_0" or weight.shape[-1] % 32 == 0 else Type.F16
            expect(f"type of {name}", tensor.tensor_type, stored)
            wanted = dequantize(quantize(weight, stored), stored)
            found = dequantize(tensor.data, stored).reshape(wanted.shape)
            if not np.array_equal(found.view(np.uint32), wanted.view(np.uint32)):
                sys.exit(f"{kind}: {name} differs in {np.count_nonzero(found != wanted)} of {wanted.size} numbers, by {abs(found - wanted).max()}")
            numbers += wanted.size
        print(f"{kind}: {fields} fields, {len(tensors)} tensors, {numbers} numbers bit for bit")


torch.set_num_threads(1)
everything = merged_weights()
for kind in ("F32", "F16", "BF16", "Q8_0"):
    check(kind, everything)
