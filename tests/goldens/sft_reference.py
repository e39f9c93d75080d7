"""Reference SFT steps, made two ways from the same adapter, rows and order.

plain_steps: one row a forward pass, no padding; loss = sum of nll over the supervised tokens of the step / their number; clip; AdamW; rate.
trl_steps:   TRL's SFTTrainer on the same rows, unpacked, in float32.

A step is {"loss", "grad_norm", "learning_rate"}: token mean, norm before clipping, rate used in the step. A row is
{"input_ids": [...], "labels": [...]}, labels aligned with input_ids and -100 where a token is not supervised.
"""

import math
import tempfile

import torch
from transformers import get_scheduler

VERSIONS_OF = ("torch", "transformers", "peft", "trl", "accelerate", "safetensors", "numpy")


def versions():
    from importlib.metadata import version
    return {name: version(name) for name in VERSIONS_OF}


def row_nll(model, row):
    """Sum of -log p over the supervised tokens of a row, and their number. The first token has no prediction."""
    ids, labels = torch.tensor([row["input_ids"]]), torch.tensor(row["labels"])
    logits = model(input_ids=ids, use_cache=False).logits[0]
    targets = labels[1:]
    nll = torch.nn.functional.cross_entropy(logits[:-1], targets, ignore_index=-100, reduction="sum")
    return nll, int((targets != -100).sum())


def supervised(rows):
    return sum(int(label != -100) for row in rows for label in row["labels"][1:])


def accumulate_gradients(model, rows):
    """Gradients of sum nll / count over `rows` into .grad; returns that loss."""
    count, loss = supervised(rows), 0.0
    for row in rows:
        nll, _ = row_nll(model, row)
        (nll / count).backward()
        loss += nll.item()
    return loss / count


def plain_steps(model, rows, order, args):
    model.train()
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=args["learning_rate"], betas=(args["adam_beta1"], args["adam_beta2"]),
                                  eps=args["adam_epsilon"], weight_decay=args["weight_decay"], fused=False)
    scheduler = get_scheduler(args["lr_scheduler_type"], optimizer, num_warmup_steps=args["warmup_steps"], num_training_steps=len(order))
    steps = []
    for indices in order:
        optimizer.zero_grad()
        loss = accumulate_gradients(model, [rows[i] for i in indices])
        norm = torch.nn.utils.clip_grad_norm_(params, args["max_grad_norm"])
        steps.append({"loss": loss, "grad_norm": norm.item(), "learning_rate": scheduler.get_last_lr()[0]})
        optimizer.step()
        scheduler.step()
    return steps


def trl_steps(model, tokenizer, rows, order, args, per_device):
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer
    batch = len(order[0])
    assert batch % per_device == 0 and all(len(indices) == batch for indices in order)
    with tempfile.TemporaryDirectory() as out:
        config = SFTConfig(
            output_dir=out, max_steps=len(order), per_device_train_batch_size=per_device, gradient_accumulation_steps=batch // per_device,
            learning_rate=args["learning_rate"], lr_scheduler_type=args["lr_scheduler_type"], warmup_steps=args["warmup_steps"],
            weight_decay=args["weight_decay"], max_grad_norm=args["max_grad_norm"], adam_beta1=args["adam_beta1"],
            adam_beta2=args["adam_beta2"], adam_epsilon=args["adam_epsilon"], bf16=False, gradient_checkpointing=False, packing=False,
            train_sampling_strategy="sequential", max_length=None, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True,
            disable_tqdm=True, seed=0)
        dataset = Dataset.from_list([rows[i] for indices in order for i in indices])
        trainer = SFTTrainer(model=model, args=config, train_dataset=dataset, processing_class=tokenizer)
        trainer.train()
    logged = [entry for entry in trainer.state.log_history if "grad_norm" in entry]
    return [{key: float(entry[key]) for key in ("loss", "grad_norm", "learning_rate")} for entry in logged]


def largest_difference(ours, theirs):
    """Largest relative difference over all steps and figures; a NaN or another number of steps counts as infinite."""
    if len(ours) != len(theirs):
        return math.inf
    worst = 0.0
    for a, b in zip(ours, theirs):
        for key in a:
            difference = abs(a[key] - b[key]) / max(abs(b[key]), 1e-12)
            worst = max(worst, difference) if difference == difference else math.inf
    return worst
