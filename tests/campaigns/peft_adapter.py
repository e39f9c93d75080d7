#!/usr/bin/env python3
"""Adapters cross over: one that temper trained loads in PEFT and gives the same logits, and one that PEFT wrote loads in temper and gives
the same logits, in float32. Usage: peft_adapter.py TEMPER DUMP_LOGITS MODEL (a Hugging Face directory); needs torch, peft, transformers."""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

TEMPER, DUMP, MODEL = sys.argv[1:4]
ROOT = pathlib.Path(__file__).parents[2]
IDS = [1, 9690, 198, 2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411]


def temper_logits(adapter, work):
    out = work / "logits.safetensors"
    subprocess.run([DUMP, MODEL, str(adapter), " ".join(map(str, IDS)), str(out)], check=True)
    return load_file(out)["logits"]


def compare(name, ours, theirs):
    difference = (ours - theirs).abs().max().item()
    print(f"{name}: largest difference {difference:.2e} of logits up to {theirs.abs().max().item():.1f}")
    return difference < 2e-3


# Settings of one run of temper, and of PEFT's side beside.
VARIANTS = {
    "plain": ({}, {}),
    "dora": ({"use_dora": True}, {"use_dora": True}),
    "patterns": ({"use_rslora": True, "target_modules": ["q_proj", "v_proj", "up_proj"], "rank_pattern": {"v_proj": 4}, "alpha_pattern": {"q_proj": 8},
                  "exclude_modules": ".*layers\\.[3-9]\\..*"},
                 {"use_rslora": True, "target_modules": r".*\.(q|down)_proj", "rank_pattern": {"layers.7.mlp.down_proj": 3}, "alpha_pattern": {"q_proj": 20}}),
    "pissa": ({"init_lora_weights": "pissa_niter_4", "r": 8}, {}),
    "whole": ({"modules_to_save": ["embed_tokens", "lm_head"]}, {"modules_to_save": ["embed_tokens", "lm_head"]}),
    "whole, tied": ({"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True}, {"modules_to_save": ["lm_head"], "ensure_weight_tying": True}),
    "whole, new tokens": ({"modules_to_save": ["embed_tokens", "lm_head"], "new_tokens": ["<|one|>", "<|two|>"]},
                          {"modules_to_save": ["embed_tokens", "lm_head"]}),
}


def base_model(growth):
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)
    if growth:
        model.resize_token_embeddings(model.config.vocab_size + growth)
    return model


def run(name, ours, theirs, plain, ids):
    growth = len(ours.get("new_tokens", []))
    work = pathlib.Path(tempfile.mkdtemp(prefix="temper-peft."))
    config = work / "run.yaml"
    config.write_text(json.dumps({
        "model": MODEL, "dtype": "float32", "output_dir": str(work / "runs"), "run_name": "peft",
        "data": {"train": {"path": str(ROOT / "jobs/data/tickets_train.jsonl"), "max_rows": 8}},
        "lora": ours, "train": {"max_steps": 2, "global_batch_size": 4, "learning_rate": 1e-3},
    }))
    subprocess.run([TEMPER, "sft", str(config)], check=True, capture_output=True)
    trained = next((work / "runs").glob("*Z-*")) / "adapter"
    reference = PeftModel.from_pretrained(base_model(growth), trained)(ids).logits[0]
    passed = (reference[:, :plain.shape[1]] - plain).abs().max().item() > 0.05  # the adapter does something
    passed &= compare(f"{name}: temper's adapter in PEFT", temper_logits(trained, work), reference)
    if not theirs and name != "plain":
        return passed
    torch.manual_seed(3)
    model = get_peft_model(base_model(growth), LoraConfig(**{**dict(r=8, lora_alpha=16, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"),
                                               **theirs}))
    for parameter_name, p in model.named_parameters():
        if "magnitude" in parameter_name:
            p.data.mul_(1.1)
        if "modules_to_save" in parameter_name:
            p.data.add_(0.01 * torch.randn(p.shape))
    model.save_pretrained(work / "theirs")
    return passed & compare(f"{name}: PEFT's adapter in temper", temper_logits(work / "theirs", work), model(ids).logits[0])


def main():
    ids = torch.tensor([IDS])
    with torch.no_grad():
        plain = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32)(ids).logits[0]
        passed = compare("base", temper_logits("none", pathlib.Path(tempfile.mkdtemp(prefix="temper-peft."))), plain)
        for name, (ours, theirs) in VARIANTS.items():
            passed &= run(name, ours, theirs, plain, ids)
    sys.exit(0 if passed else 1)


main()
