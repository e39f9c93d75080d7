"""Writes tests/goldens/rope.json: RoPE frequencies and attention factors of transformers for configurations of released models.

    python3 tests/goldens/make_rope_goldens.py
"""

import json
from pathlib import Path

import transformers
from transformers import AutoConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

SIZES = dict(hidden_size=3072, num_attention_heads=24, num_key_value_heads=8, num_hidden_layers=2, intermediate_size=8192, vocab_size=1000,
             eos_token_id=2, bos_token_id=1, pad_token_id=0)
FACTORS = [1 + 0.03 * i for i in range(48)]
# (config.json, positions that a run needs)
CASES = {
    "llama 3.1": (dict(model_type="llama", rope_theta=500000.0, max_position_embeddings=131072,
                       rope_scaling=dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                                         original_max_position_embeddings=8192)), 1024),
    "qwen2.5 yarn": (dict(model_type="qwen2", rope_theta=1000000.0, max_position_embeddings=32768,
                          rope_scaling=dict(type="yarn", factor=4.0, original_max_position_embeddings=32768)), 1024),
    "yarn with all its settings": (dict(model_type="llama", rope_theta=10000.0, max_position_embeddings=16384,
                                        rope_scaling=dict(rope_type="yarn", factor=16.0, original_max_position_embeddings=1024, beta_fast=24,
                                                          beta_slow=2, mscale=0.7, mscale_all_dim=1.1, truncate=False)), 1024),
    "phi-4-mini, short": (dict(model_type="phi3", rope_theta=10000.0, max_position_embeddings=131072, original_max_position_embeddings=4096,
                               partial_rotary_factor=0.75,
                               rope_scaling=dict(type="longrope", short_factor=FACTORS, long_factor=[3 * f for f in FACTORS])), 4096),
    "phi-4-mini, long": (dict(model_type="phi3", rope_theta=10000.0, max_position_embeddings=131072, original_max_position_embeddings=4096,
                              partial_rotary_factor=0.75,
                              rope_scaling=dict(type="longrope", short_factor=FACTORS, long_factor=[3 * f for f in FACTORS])), 4097),
    "linear": (dict(model_type="llama", rope_theta=10000.0, max_position_embeddings=8192, rope_scaling=dict(type="linear", factor=2.5)), 64),
}


def main():
    golden = dict(versions=dict(transformers=transformers.__version__), cases=[])
    for name, (settings, positions) in CASES.items():
        settings = {**SIZES, **settings}
        config = AutoConfig.for_model(**json.loads(json.dumps(settings)))
        frequencies, factor = ROPE_INIT_FUNCTIONS[config.rope_parameters["rope_type"]](config, "cpu", seq_len=positions)
        golden["cases"].append(dict(name=name, config=settings, positions=positions, attention_factor=factor, inverse_frequencies=frequencies.tolist()))
    path = Path(__file__).parent / "rope.json"
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
