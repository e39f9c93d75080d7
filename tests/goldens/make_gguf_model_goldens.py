"""Writes tests/goldens/gguf/models/<name>.gguf: tiny models of tests/goldens/models in the form of llama.cpp's converter, float32.

    python3 tests/goldens/make_gguf_model_goldens.py

Names are those of the gguf package's own table. What the converter does to tensors beside renaming: 1 is added to the norm weights of Gemma;
longrope's factors become tensors. (The rows of q and k are reordered for the llama architecture alone, which other goldens cover.)
"""

import json
import math
from pathlib import Path

import gguf
import numpy
from safetensors.numpy import load_file

HERE = Path(__file__).parent
MODELS = {"qwen3_norms": gguf.MODEL_ARCH.QWEN3, "phi4_longrope": gguf.MODEL_ARCH.PHI3, "gemma2_caps": gguf.MODEL_ARCH.GEMMA2,
          "gemma3_windows": gguf.MODEL_ARCH.GEMMA3}


def write_metadata(writer, arch, config):
    heads = config["num_attention_heads"]
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    rope = config["rope_parameters"].get("full_attention", config["rope_parameters"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(rope["rope_theta"])
    if arch == gguf.MODEL_ARCH.PHI3:
        writer.add_rope_dimension_count(int(rope["partial_rotary_factor"] * head_size))
    else:
        writer.add_key_length(head_size)
        writer.add_value_length(head_size)
    if arch in (gguf.MODEL_ARCH.GEMMA2, gguf.MODEL_ARCH.GEMMA3):
        writer.add_sliding_window(config["sliding_window"])
    if arch == gguf.MODEL_ARCH.GEMMA2:
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "longrope":
        original = rope["original_max_position_embeddings"]
        stretch = config["max_position_embeddings"] / original
        writer.add_rope_scaling_orig_ctx_len(original)
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(stretch) / math.log(original)))
        for kind in ("long", "short"):
            writer.add_tensor(f"rope_factors_{kind}.weight", numpy.array(rope[f"{kind}_factor"], dtype=numpy.float32))


def main():
    for name, arch in MODELS.items():
        config = json.loads((HERE / "models" / name / "config.json").read_text())
        path = HERE / "gguf" / "models" / f"{name}.gguf"
        path.parent.mkdir(exist_ok=True)
        writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[arch])
        write_metadata(writer, arch, config)
        names = gguf.get_tensor_name_map(arch, config["num_hidden_layers"])
        for key, tensor in load_file(HERE / "models" / name / "model.safetensors").items():
            if arch in (gguf.MODEL_ARCH.GEMMA2, gguf.MODEL_ARCH.GEMMA3) and key.endswith("norm.weight"):
                tensor = tensor + 1
            writer.add_tensor(names.get_name(key, try_suffixes=(".weight", ".bias")), tensor)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
