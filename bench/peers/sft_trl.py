"""TRL's SFTTrainer from the command to the adapter: the peer of `temper sft` on chat rows. Prints one JSON object.

    python3 bench/peers/sft_trl.py --model DIR --adapter DIR --data rows.jsonl --output DIR [--steps 20] [--rows 8] [--threads 2]

bfloat16 weights, the adapter to start from in float32, rows in order, padded to the longest of a step as TRL does, loss on the completion.
"""

import argparse
import json
import resource
import time

begin = time.time()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "adapter", "data", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    import torch
    from datasets import Dataset
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    torch.set_num_threads(args.threads)
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.bfloat16)
    model = PeftModel.from_pretrained(model, args.adapter, is_trainable=True)
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    with open(args.data, encoding="utf-8") as file:
        dataset = Dataset.from_list([json.loads(line) for line in file])
    config = SFTConfig(
        output_dir=args.output + "/run", max_steps=args.steps, per_device_train_batch_size=args.rows, learning_rate=1e-4,
        lr_scheduler_type="constant", warmup_steps=0, weight_decay=0.0, max_grad_norm=1.0, gradient_checkpointing=False, packing=False,
        train_sampling_strategy="sequential", max_length=1024, logging_steps=1, save_strategy="no", report_to=[], use_cpu=True,
        disable_tqdm=True, bf16=False, seed=0)
    trainer = SFTTrainer(model=model, args=config, train_dataset=dataset, processing_class=tokenizer)
    trainer.train()
    trainer.save_model(args.output + "/adapter")
    steps = [entry for entry in trainer.state.log_history if "grad_norm" in entry]
    print(json.dumps({
        "seconds_in_python": round(time.time() - begin, 2), "loss": [float(s["loss"]) for s in steps],
        "grad_norm": [float(s["grad_norm"]) for s in steps], "num_tokens": steps[-1].get("num_tokens"),
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
