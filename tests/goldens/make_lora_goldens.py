"""Writes tests/goldens/lora/<variant>/: PEFT's variants of LoRA on one of the tiny decoders of tests/goldens/models, and which modules PEFT's
patterns name.

    python3 tests/goldens/make_lora_goldens.py [OUTPUT_DIR]

float32, one thread, fixed seeds. A variant's folder holds
  adapter/              the initial PEFT adapter with random B; none where the start is the variant (pissa, olora)
  golden.safetensors    (of modules_to_save the gradients, and the logits after ten steps in place of the trained weights) lengths, input_ids, labels, logits of the first row (evaluation), grad.<PEFT name>, trained.<PEFT name>; of pissa and
                        olora the logits of the trajectory's first row after it, alone
  golden.json           model, versions, tolerances, settings, loss, and the trajectory
matching.json           PEFT's choice of modules, ranks and scales for settings with patterns
"""

import json
import shutil
import sys
from pathlib import Path

import numpy
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM, LlamaConfig, get_scheduler

from make_model_goldens import TOLERANCE, TRAJECTORY, make_row, save_adapter
from sft_reference import row_nll, supervised, versions

MODEL = "qwen2_bias"  # tied, with biases
BASE = Path(__file__).parent / "models" / MODEL
SEED, STEPS, ROWS_A_STEP = 42, 10, 4
TRAINING = dict(task_type="CAUSAL_LM", r=2, lora_alpha=4)
VARIANTS = {
    "dora": dict(target_modules="all-linear", use_dora=True),
    "dropout": dict(target_modules="all-linear", lora_dropout=0.2),
    "dora_dropout": dict(target_modules=["q_proj", "v_proj", "down_proj"], use_dora=True, lora_dropout=0.3),
    "patterns": dict(target_modules=["q_proj", "k_proj", "model.layers.0.self_attn.o_proj", "up_proj", "down_proj"], exclude_modules=["k_proj"],
                     layers_to_transform=[1], layers_pattern="layers", use_rslora=True, rank_pattern={"q_proj": 3, r".*\.mlp\.up_proj": 5},
                     alpha_pattern={"layers.1.mlp.down_proj": 7.5}),
}
STARTS = {"pissa": dict(init_lora_weights="pissa"), "olora": dict(init_lora_weights="olora"),
          "pissa_dora": dict(init_lora_weights="pissa", use_dora=True)}
LORAPLUS_RATIO = {"patterns": 8.0}
# Embedding and head trained whole: (model, PEFT's settings, rows that the vocabulary grows by).
WHOLE = {
    "whole_both": (MODEL, dict(target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"]), 3),
    "whole_tied": ("gemma2_caps", dict(target_modules=["q_proj"], modules_to_save=["embed_tokens", "lm_head"], ensure_weight_tying=True), 0),
    "whole_head": ("llama2_mha", dict(target_modules=["v_proj"], modules_to_save=["lm_head"]), 0),
}


class Now:
    """What a mask depends on beside its module: the row of the data set and the step."""
    row, step = 0, 0


def philox(key, counter):
    """Philox4x32-10 on arrays; counter is four arrays."""
    c = [numpy.asarray(v, numpy.uint64) for v in counter]
    k = [key & 0xFFFFFFFF, key >> 32]
    mask = numpy.uint64(0xFFFFFFFF)
    for _ in range(10):
        p0, p1 = numpy.uint64(0xD2511F53) * c[0], numpy.uint64(0xCD9E8D57) * c[2]
        c = [(p1 >> numpy.uint64(32)) ^ c[1] ^ numpy.uint64(k[0]), p1 & mask, (p0 >> numpy.uint64(32)) ^ c[3] ^ numpy.uint64(k[1]), p0 & mask]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


class CounterDropout(nn.Module):
    """nn.Dropout with masks from (seed, step, row, token, module, column), 16 bits an element."""

    def __init__(self, p, module):
        super().__init__()
        self.p, self.module = p, module

    def forward(self, x):
        if not self.training:
            return x
        _, tokens, columns = x.shape
        token, column = numpy.meshgrid(numpy.arange(tokens), numpy.arange(columns), indexing="ij")
        key = (SEED + (Now.step + 1) * 0x9E3779B97F4A7C15) & (2 ** 64 - 1)
        words = numpy.stack(philox(key, (column // 8, numpy.full_like(column, self.module), token, numpy.full_like(column, Now.row))))
        word = numpy.take_along_axis(words, (column % 8 // 2)[None], 0)[0]
        bits = numpy.where(column % 2 == 0, word & numpy.uint64(0xFFFF), word >> numpy.uint64(16))
        kept = torch.from_numpy((bits >= round(self.p * 65536)).astype(numpy.float32))
        return x * (kept / (1 - self.p))


def lora_layers(model):
    return [module for _, module in model.named_modules() if hasattr(module, "lora_A") and hasattr(module, "lora_dropout")]


def set_dropout(model, p):
    for index, layer in enumerate(lora_layers(model)):
        if p > 0:
            layer.lora_dropout["default"] = CounterDropout(p, index)


def base_model(dtype=torch.float32):
    return AutoModelForCausalLM.from_pretrained(BASE, dtype=dtype, attn_implementation="eager")


def accumulate(model, rows, first_row):
    count, loss = supervised(rows), 0.0
    for i, row in enumerate(rows):
        Now.row = first_row + i
        nll, _ = row_nll(model, row)
        (nll / count).backward()
        loss += nll.item()
    return loss / count


def logits_of(model, rows):
    model.eval()
    with torch.no_grad():
        return torch.cat([model(input_ids=torch.tensor([row["input_ids"]])).logits[0] for row in rows])


def train(model, rows, order, args, ratio):
    """As sft_reference.plain_steps; with a ratio by PEFT's LoRA+ optimizer."""
    model.train()
    params = [p for p in model.parameters() if p.requires_grad]
    numbers = dict(betas=(args["adam_beta1"], args["adam_beta2"]), eps=args["adam_epsilon"])
    if ratio is None:
        optimizer = torch.optim.AdamW(params, lr=args["learning_rate"], weight_decay=args["weight_decay"], **numbers)
    else:
        optimizer = create_loraplus_optimizer(model, torch.optim.AdamW, lr=args["learning_rate"], loraplus_lr_ratio=ratio,
                                              loraplus_weight_decay=args["weight_decay"], **numbers)
    scheduler = get_scheduler(args["lr_scheduler_type"], optimizer, num_warmup_steps=args["warmup_steps"], num_training_steps=len(order))
    steps = []
    for step, indices in enumerate(order):
        Now.step = step
        optimizer.zero_grad()
        loss = accumulate(model, [rows[i] for i in indices], step * ROWS_A_STEP)
        norm = torch.nn.utils.clip_grad_norm_(params, args["max_grad_norm"])
        steps.append({"loss": loss, "grad_norm": norm.item(), "learning_rate": scheduler.get_last_lr()[0]})
        optimizer.step()
        scheduler.step()
    return steps


def trajectory_rows(generator):
    rows = [make_row(n, n // 3 if i % 4 else 0, generator) for i, n in enumerate((6, 9, 12, 15, 18, 21, 24, 27))]
    draw = lambda: torch.randperm(len(rows), generator=generator).tolist()
    stream = [i for _ in range(-(-STEPS * ROWS_A_STEP // len(rows))) for i in draw()]
    return rows, [stream[k * ROWS_A_STEP:(k + 1) * ROWS_A_STEP] for k in range(STEPS)]


def plain_name(name):
    return name.replace(".default.weight", ".weight" if "magnitude" not in name else "").replace(".default", "")


def write_golden(folder, golden, tensors, model=MODEL):
    save_file({key: value.detach().contiguous() for key, value in tensors.items()}, folder / "golden.safetensors")
    golden.update(model=model, versions=versions(), tol=TOLERANCE, seed=SEED)
    (folder / "golden.json").write_text(json.dumps(golden, sort_keys=True, separators=(",", ":")) + "\n")


def make_variant(name, folder, generator):
    settings = {**TRAINING, **VARIANTS[name]}
    model = get_peft_model(base_model(), LoraConfig(**settings))
    with torch.no_grad():
        for parameter_name, p in model.named_parameters():
            if "lora_B" in parameter_name:
                p.copy_(0.05 * torch.randn(p.shape, generator=generator))
            if "magnitude" in parameter_name:
                p.mul_(1 + 0.2 * torch.randn(p.shape, generator=generator))
    save_adapter(model, folder / "adapter", MODEL)
    model = PeftModel.from_pretrained(base_model(), folder / "adapter", is_trainable=True)
    dropout = settings.get("lora_dropout", 0.0)
    set_dropout(model, dropout)
    rows = [make_row(n, n // 2 if i else 0, generator) for i, n in enumerate((5, 17))]
    tensors = {"lengths": torch.tensor([len(r["input_ids"]) for r in rows], dtype=torch.int32),
               "input_ids": torch.tensor([i for r in rows for i in r["input_ids"]], dtype=torch.int32),
               "labels": torch.tensor([i for r in rows for i in r["labels"]], dtype=torch.int32), "logits": logits_of(model, rows[:1])}
    Now.step = 0
    loss = accumulate(model.train(), rows, 0)
    for parameter_name, p in model.named_parameters():
        if p.requires_grad:
            assert p.grad.abs().max() > 0, parameter_name
            tensors["grad." + plain_name(parameter_name)] = p.grad.clone()
    model.zero_grad()
    trajectory, order = trajectory_rows(generator)
    args = {**TRAJECTORY, "loraplus_lr_ratio": LORAPLUS_RATIO.get(name)}
    steps = train(model, trajectory, order, args, LORAPLUS_RATIO.get(name))
    for parameter_name, p in model.named_parameters():
        if p.requires_grad:
            tensors["trained." + plain_name(parameter_name)] = p
    write_golden(folder, dict(loss=loss, dropout=dropout, trajectory=dict(args=args, rows=trajectory, order=order, steps=steps)), tensors)
    print(f"{name}: loss {steps[0]['loss']:.5f} -> {steps[-1]['loss']:.5f}")


def make_start(name, folder, generator):
    """PEFT's own start; after ten steps the adapter, converted for the base as it was, gives the same logits."""
    folder.mkdir(parents=True)
    settings = {**TRAINING, "r": 4, "lora_alpha": 6, "target_modules": "all-linear", **STARTS[name]}
    model = get_peft_model(base_model(), LoraConfig(**settings))
    rows, order = trajectory_rows(generator)
    initial = folder / "initial"
    model.peft_config["default"].init_lora_weights = True
    model.save_pretrained(initial)
    model.peft_config["default"].init_lora_weights = settings["init_lora_weights"]
    steps = train(model, rows, order, TRAJECTORY, None)
    logits = logits_of(model, rows[:1])
    if "use_dora" not in settings:
        model.save_pretrained(folder / "converted", path_initial_model_for_weight_conversion=str(initial))
        converted = logits_of(PeftModel.from_pretrained(base_model(), folder / "converted"), rows[:1])
        assert (converted - logits).abs().max() < 1e-4, (name, (converted - logits).abs().max())
        shutil.rmtree(folder / "converted")
    shutil.rmtree(initial)
    golden = dict(settings={key: settings[key] for key in settings if key != "task_type"},
                  trajectory=dict(args=TRAJECTORY, rows=rows, order=order, steps=steps))
    write_golden(folder, golden, {"logits": logits})
    print(f"{name}: loss {steps[0]['loss']:.5f} -> {steps[-1]['loss']:.5f}")


def grown_model(name, growth):
    """New rows are the mean of the others, what transformers' draws come to on average."""
    model = AutoModelForCausalLM.from_pretrained(BASE.parent / name, dtype=torch.float32, attn_implementation="eager")
    if growth:
        rows = model.config.vocab_size
        model.resize_token_embeddings(rows + growth, mean_resizing=False)
        with torch.no_grad():
            for table in {model.get_input_embeddings().weight, model.get_output_embeddings().weight}:
                table[rows:] = table[:rows].double().mean(0).float()
    return model


def make_whole(name, folder, generator):
    model_name, settings, growth = WHOLE[name]
    model = get_peft_model(grown_model(model_name, growth), LoraConfig(**TRAINING, **settings))
    with torch.no_grad():
        for parameter_name, p in model.named_parameters():
            if "lora_B" in parameter_name:
                p.copy_(0.05 * torch.randn(p.shape, generator=generator))
    save_adapter(model, folder / "adapter", model_name)
    weights = load_file(folder / "adapter" / "adapter_model.safetensors")
    save_file({key: value for key, value in weights.items() if not key.endswith(("modules_to_save.weight", "original_module.weight"))},
              folder / "adapter" / "adapter_model.safetensors")
    rows = [make_row(n, n // 2 if i else 0, generator) for i, n in enumerate((5, 17))]
    trajectory, order = trajectory_rows(generator)
    for row in (rows + trajectory) if growth else []:
        for place in range(1, len(row["input_ids"]), 3):
            row["input_ids"][place] = model.config.vocab_size - 1 - place % growth
            row["labels"][place] = row["input_ids"][place] if row["labels"][place] >= 0 else -100
    tensors = {"lengths": torch.tensor([len(r["input_ids"]) for r in rows], dtype=torch.int32),
               "input_ids": torch.tensor([i for r in rows for i in r["input_ids"]], dtype=torch.int32),
               "labels": torch.tensor([i for r in rows for i in r["labels"]], dtype=torch.int32), "logits": logits_of(model, rows[:1])}
    loss = accumulate(model.train(), rows, 0)
    for parameter_name, p in model.named_parameters():
        if p.requires_grad:
            assert p.grad.abs().max() > 0, parameter_name
            tensors["grad." + plain_name(parameter_name)] = p.grad.clone()
    model.zero_grad()
    steps = train(model, trajectory, order, TRAJECTORY, None)
    for parameter_name, p in model.named_parameters():
        if p.requires_grad and "lora" in parameter_name:
            tensors["trained." + plain_name(parameter_name)] = p
    tensors["trained_logits"] = logits_of(model, rows[:1])
    write_golden(folder, dict(loss=loss, trajectory=dict(args=TRAJECTORY, rows=trajectory, order=order, steps=steps)), tensors, model_name)
    print(f"{name}: loss {steps[0]['loss']:.5f} -> {steps[-1]['loss']:.5f}")


MATCHING = [
    dict(target_modules="all-linear"),
    dict(target_modules="all-linear", exclude_modules=["o_proj", "model.layers.1.mlp.up_proj"]),
    dict(target_modules=["q_proj", "v_proj"], layers_to_transform=2),
    dict(target_modules=["q_proj", "model.layers.0.mlp.down_proj"], layers_to_transform=[1, 2]),
    dict(target_modules=["self_attn.q_proj", "mlp.up_proj"], layers_to_transform=[0], layers_pattern=["h", "layers"]),
    dict(target_modules=["q_proj"], layers_to_transform=[0], layers_pattern=["layers"], rank_pattern={"q_proj": 3}),
    dict(target_modules=r".*\.layers\.(0|2)\.self_attn\.[qk]_proj"),
    dict(target_modules=r"model\.layers\.\d+\..*(up|down)_proj", exclude_modules=r".*\.1\..*", rank_pattern={"up_proj": 3, "mlp.up_proj": 9}),
    dict(target_modules=["gate_proj", "down_proj"], rank_pattern={"^model.layers.1.mlp.gate_proj": 2, "gate_proj|down_proj": 5},
         alpha_pattern={r"layers\.[02]\.mlp.down_proj": 64, "proj": 1}),
    dict(target_modules=["k_proj", "v_proj"], use_rslora=True, rank_pattern={r"model.layers.(?P<n>\d).self_attn.k_proj": 16}, alpha_pattern={"v_proj": 10}),
]


def make_matching(path):
    """Rank and scale of every module that PEFT adapts."""
    cases = []
    for settings in MATCHING:
        with torch.device("meta"):
            config = LlamaConfig(hidden_size=16, num_hidden_layers=3, num_attention_heads=2, num_key_value_heads=1, intermediate_size=24, vocab_size=32)
            model = get_peft_model(AutoModelForCausalLM.from_config(config), LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, **settings))
        modules = {name.removeprefix("base_model.model."): [layer.r["default"], layer.scaling["default"]]
                   for name, layer in model.named_modules() if hasattr(layer, "lora_A") and hasattr(layer, "scaling")}
        cases.append(dict(config={"peft_type": "LORA", "r": 4, "lora_alpha": 8, **settings}, modules=modules))
    path.write_text(json.dumps(dict(versions=versions(), cases=cases), separators=(",", ":")) + "\n")


def main():
    torch.set_num_threads(1)
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "lora"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    for index, (name, make) in enumerate([(n, make_variant) for n in VARIANTS] + [(n, make_start) for n in STARTS] +
                                      [(n, make_whole) for n in WHOLE]):
        torch.manual_seed(2000 + index)
        make(name, output / name, torch.Generator().manual_seed(2000 + index))
    make_matching(output / "matching.json")


if __name__ == "__main__":
    main()
