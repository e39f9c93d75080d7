"""Times LoRA SFT steps of PyTorch + PEFT: the peer of `temper bench`. Prints one JSON object.

    python3 bench/peers/sft_torch.py --model DIR [--adapter DIR] [--tokens rows.jsonl] [--steps 6] [--threads 2] [--dtype bfloat16] [--device cuda]

Frozen weights in --dtype, adapter r 16 over every linear layer in float32, AdamW, clipping at 1, eager mode unless --compile, one forward and backward of
--rows rows a step, all tokens supervised. Without --tokens the rows are --length random ids from --seed; --write-tokens keeps them.
--tokens reads rows {"input_ids": [...], "labels": [...]}, labels optional; rows of several lengths are padded. An adapter directory that
does not exist is created with PEFT's own initial values, so that another engine can start from the same ones.
tokens_per_second counts real tokens over the wall time of whole steps, without the first --skip.
"""

import argparse
import json
import os
import platform
import resource
import time

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--adapter")
    parser.add_argument("--tokens")
    parser.add_argument("--write-tokens")
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--skip", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", default="bfloat16", choices=("bfloat16", "float32"))
    parser.add_argument("--compile", action="store_true", help="torch.compile; the compiling steps are left out of the time")
    parser.add_argument("--attention", default="sdpa", choices=("sdpa", "eager"))
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    return parser.parse_args()


def load(args):
    torch.manual_seed(args.seed)
    base = AutoModelForCausalLM.from_pretrained(args.model, dtype=getattr(torch, args.dtype), attn_implementation=args.attention)
    if args.adapter and os.path.isdir(args.adapter):
        return PeftModel.from_pretrained(base, args.adapter, is_trainable=True)
    model = get_peft_model(base, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
    if args.adapter:
        model.save_pretrained(args.adapter)
    return model


def read_rows(args, vocabulary):
    if args.tokens:
        with open(args.tokens, encoding="utf-8") as file:
            return [json.loads(line) for line in file]
    generator = torch.Generator().manual_seed(args.seed)
    draw = lambda: torch.randint(3, vocabulary, (args.length,), generator=generator).tolist()
    rows = [{"input_ids": draw()} for _ in range(args.rows * args.steps)]
    if args.write_tokens:
        with open(args.write_tokens, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return rows


def batch_of(rows, device):
    longest = max(len(row["input_ids"]) for row in rows)
    pad = lambda values, fill: torch.tensor([v + [fill] * (longest - len(v)) for v in values], device=device)
    batch = {"input_ids": pad([r["input_ids"] for r in rows], 0), "labels": pad([r.get("labels", r["input_ids"]) for r in rows], -100)}
    # On a GPU rows of one length go without a mask, so that SDPA takes its fastest causal kernel.
    if device == "cpu" or any(len(r["input_ids"]) != longest for r in rows):
        batch["attention_mask"] = pad([[1] * len(r["input_ids"]) for r in rows], 0)
    return batch


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    model = load(args).to(args.device)
    rows = read_rows(args, model.config.vocab_size)
    model.train()
    forward = torch.compile(model) if args.compile else model
    skip = max(args.skip, 3) if args.compile else args.skip
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=args.learning_rate, weight_decay=0.0)
    losses, norms, seconds, tokens = [], [], [], []
    for step in range(args.steps):
        chosen = [rows[(step * args.rows + i) % len(rows)] for i in range(args.rows)]
        begin = time.perf_counter()
        loss = forward(**batch_of(chosen, args.device), use_cache=False).loss
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, 1.0).item())
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - begin)
        tokens.append(sum(len(r["input_ids"]) for r in chosen))
    skip = min(skip, args.steps - 1)
    from importlib.metadata import version
    print(json.dumps({
        "tokens_per_second": round(sum(tokens[skip:]) / sum(seconds[skip:]), 1),
        "device": torch.cuda.get_device_name() if args.device == "cuda" else "cpu",
        "peak_device_bytes": torch.cuda.max_memory_reserved() if args.device == "cuda" else 0,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "step_seconds": [round(s, 3) for s in seconds], "step_tokens": tokens,
        "loss": losses, "grad_norm": norms, "dtype": args.dtype, "threads": args.threads, "compiled": args.compile, "attention": args.attention,
        "load_average": os.getloadavg()[0], "cpu": platform.processor() or platform.machine(),
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")}}))


if __name__ == "__main__":
    main()
