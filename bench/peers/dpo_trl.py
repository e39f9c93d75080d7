"""TRL's DPOTrainer from the command to the adapter: the peer of `temper dpo` on pairs. Prints one JSON object.

    python3 bench/peers/dpo_trl.py --model DIR --adapter DIR --data pairs.jsonl --output DIR [--steps 10] [--rows 8] [--threads 2]

bfloat16 weights, the adapter to start from in float32, pairs in order, padded to the longest of a step as TRL does. The reference is the
model with its adapter off: TRL's frozen copy of the adapter is taken away.
"""

import argparse
import json
import resource
import time

begin = time.time()
METRICS = ("loss", "grad_norm", "rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "adapter", "data", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    args = parser.parse_args()
    import torch
    from datasets import Dataset
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import DPOConfig, DPOTrainer

    class Clock(TrainerCallback):
        def __init__(self):
            self.ends = []

        def on_step_end(self, *_, **__):
            self.ends.append(time.time())

    torch.set_num_threads(args.threads)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.bfloat16)
    model = PeftModel.from_pretrained(model, args.adapter, is_trainable=True)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    with open(args.data, encoding="utf-8") as file:
        dataset = Dataset.from_list([json.loads(line) for line in file])
    config = DPOConfig(
        output_dir=args.output + "/run", max_steps=args.steps, per_device_train_batch_size=args.rows, learning_rate=1e-4, beta=0.1,
        lr_scheduler_type="constant", warmup_steps=0, weight_decay=0.0, max_grad_norm=1.0, gradient_checkpointing=False,
        train_sampling_strategy="sequential", max_length=1024, logging_steps=1, save_strategy="no", report_to=[], use_cpu=args.device == "cpu",
        disable_tqdm=True, bf16=False, seed=0)
    clock = Clock()
    trainer = DPOTrainer(model=model, args=config, train_dataset=dataset, processing_class=tokenizer, callbacks=[clock])
    trainer.model.delete_adapter("ref")
    trainer.train()
    trainer.save_model(args.output + "/adapter")
    steps = [entry for entry in trainer.state.log_history if "grad_norm" in entry]
    print(json.dumps({
        "seconds_in_python": round(time.time() - begin, 2), "step_ends": clock.ends,
        "steps": [{name: float(step[name]) for name in METRICS} for step in steps],
        "step_tokens": [sum(len(row["prompt_ids"]) * 2 + len(row["chosen_ids"]) + len(row["rejected_ids"])
                            for row in trainer.train_dataset.select(range(args.rows * k, args.rows * (k + 1)))) for k in range(args.steps)],
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
