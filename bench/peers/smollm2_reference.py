"""Ten float32 SFT steps of SmolLM2-135M-Instruct by TRL, over rows of the shipped data, from a given adapter.

    python3 bench/peers/smollm2_reference.py --model DIR [--output tests/goldens/smollm2/sft_float32.json]

DIR is the Hugging Face directory made from the GGUF (`temper convert`, or transformers). The initial adapter is made by
tests/goldens/write_init_adapter.py with the arguments stored in the file. The rows are stored as tokens with the lines they come from, so
that the same file checks tokenizer, chat template and the boundary between prompt and completion.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "goldens"))

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from sft_reference import largest_difference, plain_steps, row_nll, trl_steps, versions
from write_init_adapter import write_adapter

DATA = "jobs/data/tickets_train.jsonl"
ADAPTER = dict(r=8, alpha=16, seed=1)
ARGS = dict(learning_rate=5e-4, lr_scheduler_type="cosine", warmup_steps=2, weight_decay=0.1, max_grad_norm=1.0, adam_beta1=0.9,
            adam_beta2=0.999, adam_epsilon=1e-8)
STEPS, ROWS_A_STEP = 10, 4
TOLERANCE = dict(loss_rtol=2e-4, grad_norm_rtol=1e-3, base_nll_rtol=2e-4)


def tokenise(tokenizer, row):
    """Ids and labels as TRL makes them: supervised from the end of the longest common token prefix of prompt and whole."""
    prompt = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=True)["input_ids"]
    whole = tokenizer.apply_chat_template(row["prompt"] + row["completion"], return_dict=True)["input_ids"]
    common = next((i for i, (a, b) in enumerate(zip(prompt, whole)) if a != b), min(len(prompt), len(whole)))
    return {"input_ids": whole, "labels": [-100] * common + whole[common:]}


def load(model_dir, adapter):
    base = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32)
    return PeftModel.from_pretrained(base, adapter, is_trainable=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--output", type=Path, default=ROOT / "tests/goldens/smollm2/sft_float32.json")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    lines = (ROOT / DATA).read_text(encoding="utf-8").splitlines()[:STEPS * ROWS_A_STEP]
    rows = [tokenise(tokenizer, json.loads(line)) for line in lines]
    order = [list(range(k * ROWS_A_STEP, (k + 1) * ROWS_A_STEP)) for k in range(STEPS)]
    with tempfile.TemporaryDirectory() as adapter:
        write_adapter(args.model, adapter, **ADAPTER)
        model = load(args.model, adapter)
        with torch.no_grad(), model.disable_adapter():
            base_nll = [row_nll(model, row)[0].item() for row in rows[:4]]
        steps = trl_steps(model, tokenizer, rows, order, ARGS, per_device=2)
        own = plain_steps(load(args.model, adapter), rows, order, ARGS)
    difference = largest_difference(own, steps)
    print(json.dumps({"trl": steps, "plain_torch": own, "largest_difference": difference, "base_nll": base_nll}, indent=1))
    assert difference < 1e-4, difference
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(dict(
        versions=versions(), data=DATA, rows=rows, order=order, adapter=ADAPTER, args=ARGS, tol=TOLERANCE, base_nll=base_nll, steps=steps,
        plain_torch=own), sort_keys=True, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
