"""Writes tests/goldens/models/<name>/: tiny random decoders with logits, loss, LoRA gradients and ten SFT steps of the reference.

    python3 tests/goldens/make_model_goldens.py [OUTPUT_DIR [NAME ...]]

Needs torch, transformers, peft, trl (versions are stored in golden.json). float32, one thread, fixed seeds. A model's folder holds
  config.json, model*.safetensors   as transformers 5 writes them; variants/transformers4/config.json says the same in the older keys
  adapter/                          the initial PEFT adapter; B is random, so that the gradients of A are not zero
  golden.safetensors                lengths (rows), input_ids and labels (tokens, rows end to end; label -100 = not supervised),
                                    base_logits and adapter_logits (tokens, vocabulary), grad.<PEFT name>
  golden.json                       versions, tolerances, loss, and the trajectory: rows, row order, settings, figures of both references
  trained/                          the adapter after the trajectory
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from tokenizers import Tokenizer, models as tokenizer_models
from transformers import (AutoModelForCausalLM, Gemma2Config, Gemma3TextConfig, GemmaConfig, LlamaConfig, MistralConfig, Phi3Config,
                          PreTrainedTokenizerFast, Qwen2Config, Qwen3Config)

from sft_reference import accumulate_gradients, largest_difference, plain_steps, supervised, trl_steps, versions

VOCABULARY = 320
COMMON = dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=80,
              vocab_size=VOCABULARY, max_position_embeddings=512, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, pad_token_id=0)
LLAMA3_SCALING = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                      original_max_position_embeddings=64)  # so short that all three branches of the formula are used
MODELS = {
    "llama_gqa_tied": (LlamaConfig, dict(tie_word_embeddings=True, rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "llama3_scaled": (LlamaConfig, dict(tie_word_embeddings=False, head_dim=16, rope_parameters=LLAMA3_SCALING)),
    "llama_linear": (LlamaConfig, dict(tie_word_embeddings=True, rms_norm_eps=1e-6,
                                       rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0))),
    "llama2_mha": (LlamaConfig, dict(tie_word_embeddings=False, num_key_value_heads=4,
                                     rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "qwen2_bias": (Qwen2Config, dict(tie_word_embeddings=True, rms_norm_eps=1e-6, use_sliding_window=False,
                                     rope_parameters=dict(rope_type="default", rope_theta=1000000.0))),
    "llama_biases": (LlamaConfig, dict(tie_word_embeddings=True, attention_bias=True, mlp_bias=True,
                                       rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    # Windows are shorter than the rows, caps so low that they bend, and lengths so short that every branch of a RoPE formula is used.
    "mistral_window": (MistralConfig, dict(sliding_window=7, rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "qwen2_yarn_window": (Qwen2Config, dict(tie_word_embeddings=False, use_sliding_window=True, sliding_window=9, max_window_layers=1,
                                            rope_parameters=dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
                                                                 original_max_position_embeddings=64))),
    "qwen3_norms": (Qwen3Config, dict(tie_word_embeddings=True, head_dim=16, rms_norm_eps=1e-6,
                                      rope_parameters=dict(rope_type="default", rope_theta=1000000.0))),
    "phi3_fused": (Phi3Config, dict(tie_word_embeddings=False, sliding_window=20, rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "phi4_longrope": (Phi3Config, dict(tie_word_embeddings=True, max_position_embeddings=1024, original_max_position_embeddings=128,
                                       partial_rotary_factor=0.5,
                                       rope_parameters=dict(rope_type="longrope", rope_theta=10000.0, partial_rotary_factor=0.5,
                                                            short_factor=[1.0, 1.25, 1.75], long_factor=[1.5, 4.0, 20.0],
                                                            original_max_position_embeddings=128))),
    "gemma_geglu": (GemmaConfig, dict(head_dim=16, rms_norm_eps=1e-6, rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "gemma2_caps": (Gemma2Config, dict(head_dim=16, rms_norm_eps=1e-6, sliding_window=6, query_pre_attn_scalar=24,
                                       attn_logit_softcapping=3.0, final_logit_softcapping=4.0,
                                       rope_parameters=dict(rope_type="default", rope_theta=10000.0))),
    "gemma3_windows": (Gemma3TextConfig, dict(head_dim=16, rms_norm_eps=1e-6, sliding_window=6, query_pre_attn_scalar=20,
                                              layer_types=["sliding_attention", "full_attention"],
                                              rope_parameters=dict(sliding_attention=dict(rope_type="default", rope_theta=10000.0),
                                                                   full_attention=dict(rope_type="linear", rope_theta=1000000.0, factor=8.0)))),
}
SHARDED = {"llama2_mha"}
LOSS_ROW_LENGTHS = (5, 17, 40)
TRAJECTORY = dict(learning_rate=5e-3, lr_scheduler_type="cosine", warmup_steps=3, weight_decay=0.1, max_grad_norm=0.5, adam_beta1=0.9,
                  adam_beta2=0.999, adam_epsilon=1e-8)
PARTLY_CLIPPED = dict(lr_scheduler_type="linear", max_grad_norm=1.8)  # some steps are clipped and some are not
LINEAR_SCHEDULE = {"llama3_scaled", "qwen2_bias"}
STEPS, ROWS_A_STEP = 10, 4
# At least four times what float32 differs from float64 here (checked below; softmax and norm stay float32 in transformers).
# The trajectory's are looser.
TOLERANCE = dict(logits=dict(atol=2e-5, rtol=1e-5), loss=dict(rtol=2e-6), grad=dict(atol=2e-6, rtol=1e-4),
                 trajectory=dict(loss_rtol=2e-4, grad_norm_rtol=1e-3, learning_rate_rtol=1e-12, adapter_atol=2e-4))


def randomise(model, generator):
    """Values large enough that attention is not uniform and every term of a formula shows in the logits."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if "norm" in name:
                p.copy_((0 if model.config.model_type.startswith("gemma") else 1) + 0.1 * noise)
            elif "embed_tokens" in name or "lm_head" in name:
                p.copy_(0.2 * noise)
            else:
                p.copy_(0.1 * noise)


def make_row(length, unsupervised, generator):
    ids = torch.randint(3, VOCABULARY, (length,), generator=generator).tolist()
    return {"input_ids": ids, "labels": [-100] * unsupervised + ids[unsupervised:]}


def transformers4_config(config):
    """The same model in the keys of transformers 4: rope_theta and rope_scaling at the top, torch_dtype, no head_dim where it follows."""
    old = dict(config)
    rope = dict(old.pop("rope_parameters"))
    if "full_attention" in rope:
        old["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        rope = dict(rope["full_attention"])
    old["rope_theta"] = rope.pop("rope_theta")
    rope.pop("partial_rotary_factor", None)
    old["rope_scaling"] = None if rope["rope_type"] == "default" else rope
    if rope["rope_type"] == "linear" and not old["model_type"].startswith("gemma3"):
        old["rope_scaling"] = {"type": "linear", "factor": rope["factor"]}  # the spelling before rope_type
    old["torch_dtype"] = old.pop("dtype")
    old["transformers_version"] = "4.44.0"
    if old.get("head_dim") == old["hidden_size"] // old["num_attention_heads"]:
        old.pop("head_dim", None)
    return old


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


def save_adapter(model, path, name):
    model.save_pretrained(path)
    (path / "README.md").unlink(missing_ok=True)
    config = json.loads((path / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = name
    config["target_modules"] = sorted(config["target_modules"])
    write_json(path / "adapter_config.json", config)


def load(folder, dtype=torch.float32):
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager")
    return PeftModel.from_pretrained(base, folder / "adapter", is_trainable=True).to(dtype)


def make_base(name, folder, generator):
    kind, changes = MODELS[name]
    model = AutoModelForCausalLM.from_config(kind(**{**COMMON, **changes}), dtype=torch.float32, attn_implementation="eager")
    randomise(model, generator)
    model.save_pretrained(folder, max_shard_size="150KB" if name in SHARDED else "1GB")
    (folder / "generation_config.json").unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    write_json(folder / "variants" / "transformers4" / "config.json", transformers4_config(config))
    check_variant(name, folder)
    peft = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM"))
    with torch.no_grad():
        for parameter_name, p in peft.named_parameters():
            if "lora_B" in parameter_name:
                p.copy_(0.05 * torch.randn(p.shape, generator=generator))
    save_adapter(peft, folder / "adapter", name)


def check_variant(name, folder):
    kind, _ = MODELS[name]
    new, old = kind.from_pretrained(folder), kind.from_pretrained(folder / "variants" / "transformers4")
    for parameters in (old.rope_parameters, old.rope_parameters.get("full_attention", {})):
        parameters.pop("type", None)  # transformers keeps the older spelling beside rope_type
    for key in ("rope_parameters", "tie_word_embeddings", "head_dim", "num_key_value_heads", "rms_norm_eps", "dtype"):
        assert getattr(new, key, None) == getattr(old, key, None), (name, key, getattr(new, key, None), getattr(old, key, None))


def loss_and_gradients(folder, rows, dtype=torch.float32):
    model = load(folder, dtype).train()
    tensors = {"lengths": torch.tensor([len(r["input_ids"]) for r in rows], dtype=torch.int32),
               "input_ids": torch.tensor([i for r in rows for i in r["input_ids"]], dtype=torch.int32),
               "labels": torch.tensor([i for r in rows for i in r["labels"]], dtype=torch.int32)}
    with torch.no_grad():
        logits = lambda: torch.cat([model(input_ids=torch.tensor([r["input_ids"]])).logits[0] for r in rows])
        tensors["adapter_logits"] = logits()
        with model.disable_adapter():
            tensors["base_logits"] = logits()
    loss = accumulate_gradients(model, rows)
    for parameter_name, p in model.named_parameters():
        if p.requires_grad:
            assert p.grad.abs().max() > 0, parameter_name
            tensors["grad." + parameter_name.replace(".default.", ".")] = p.grad.clone()
    return loss, {key: value.contiguous() for key, value in tensors.items()}


def check_tolerance(name, folder, rows, loss, tensors):
    exact_loss, exact = loss_and_gradients(folder, rows, torch.float64)
    worst = abs(loss - exact_loss) / exact_loss / TOLERANCE["loss"]["rtol"]
    for key, value in tensors.items():
        tol = TOLERANCE["grad" if key.startswith("grad.") else "logits"]
        if value.is_floating_point():
            worst = max(worst, ((value - exact[key]).abs() / (tol["atol"] + tol["rtol"] * exact[key].abs())).max().item())
    print(f"{name}: float32 is within {worst:.3f} of the tolerance from float64")
    assert worst < 0.25, (name, worst)


def plain_tokenizer():
    """SFTTrainer asks for a tokenizer even where rows hold ids; only its padding token is used."""
    words = {f"<{i}>": i for i in range(VOCABULARY)}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(tokenizer_models.WordLevel(words, unk_token="<3>")), pad_token="<0>",
                                   bos_token="<1>", eos_token="<2>", unk_token="<3>")


def trajectory(name, folder, generator):
    args = {**TRAJECTORY, **(PARTLY_CLIPPED if name in LINEAR_SCHEDULE else {})}
    lengths = (6, 9, 12, 15, 18, 21, 24, 27, 31, 33, 38, 11, 8)
    rows = [make_row(n, n // 3 if i % 4 else 0, generator) for i, n in enumerate(lengths)]
    draw = lambda: torch.randperm(len(rows), generator=generator).tolist()
    stream = [i for _ in range(-(-STEPS * ROWS_A_STEP // len(rows))) for i in draw()]
    order = [stream[k * ROWS_A_STEP:(k + 1) * ROWS_A_STEP] for k in range(STEPS)]
    model = load(folder)
    steps = plain_steps(model, rows, order, args)
    save_adapter(model, folder / "trained", name)
    trl_model = load(folder)
    theirs = trl_steps(trl_model, plain_tokenizer(), rows, order, args, per_device=2)
    apart = max((p - q).abs().max().item() for p, q in zip(model.parameters(), trl_model.parameters()))
    assert apart < TOLERANCE["trajectory"]["adapter_atol"] / 4, (name, apart)
    difference = largest_difference(steps, theirs)
    assert difference < 1e-5, (name, difference, steps, theirs)
    assert any(s["grad_norm"] > args["max_grad_norm"] for s in steps), "clipping never bites"
    print(f"{name}: {STEPS} steps, loss {steps[0]['loss']:.5f} -> {steps[-1]['loss']:.5f}, "
          f"largest relative difference to TRL {difference:.1e}, adapters apart by {apart:.1e}")
    return dict(args=args, rows=rows, order=order, steps=steps, trl_steps=theirs, trl_difference=difference)


def make(name, output, seed):
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    folder = output / name
    shutil.rmtree(folder, ignore_errors=True)
    make_base(name, folder, generator)
    rows = [make_row(n, n // 2 if i else 0, generator) for i, n in enumerate(LOSS_ROW_LENGTHS)]
    loss, tensors = loss_and_gradients(folder, rows)
    check_tolerance(name, folder, rows, loss, tensors)
    save_file(tensors, folder / "golden.safetensors")
    golden = dict(versions=versions(), seed=seed, tol=TOLERANCE, loss=loss, supervised_tokens=supervised(rows),
                  trajectory=trajectory(name, folder, generator))
    (folder / "golden.json").write_text(json.dumps(golden, sort_keys=True, separators=(",", ":")) + "\n")


def main():
    torch.set_num_threads(1)
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "models"
    for index, name in enumerate(MODELS):
        if not sys.argv[2:] or name in sys.argv[2:]:
            make(name, output, seed=1000 + index)


if __name__ == "__main__":
    main()
