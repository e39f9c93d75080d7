#!/usr/bin/env bash
# Ten float32 steps of SmolLM2-135M from a given adapter against the losses and gradient norms that TRL 1.16 made on the same rows in the
# same order (tests/goldens/smollm2). Usage: smollm2_reference.sh TEMPER MODEL, MODEL the GGUF file or its float32 copy.
set -euo pipefail
temper=$1 model=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-reference.XXXXXX")
trap 'rm -rf "$work"' EXIT
golden=$root/tests/goldens/smollm2/sft_float32.json
"${PYTHON:-python3}" "$root/tests/goldens/write_init_adapter.py" --model "${SHAPES:-$model}" --output "$work/init" --r 8 --alpha 16 --seed 1
head -n 40 "$root/jobs/data/tickets_train.jsonl" >"$work/train.jsonl"
cat >"$work/run.yaml" <<CONFIG
model: $model
dtype: float32
output_dir: $work/runs
run_name: reference
data: {train: $work/train.jsonl, shuffle: false, max_length: 1024}
lora: {init_adapter: $work/init}
train: {max_steps: 10, global_batch_size: 4, learning_rate: 5e-4, lr_scheduler_type: cosine, warmup_steps: 2, weight_decay: 0.1, max_grad_norm: 1.0}
CONFIG
"$temper" sft "$work/run.yaml" >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
python3 - "$golden" "$work"/runs/*Z-*/metrics.jsonl <<'PYTHON'
import json, sys
golden = json.load(open(sys.argv[1]))
steps = [json.loads(line) for line in open(sys.argv[2])]
assert len(steps) == len(golden["steps"]) == 10
worst = {"loss": 0.0, "grad_norm": 0.0}
for mine, theirs in zip(steps, golden["steps"]):
    for name in worst:
        worst[name] = max(worst[name], abs(mine[name] - theirs[name]) / abs(theirs[name]))
    print(f"step {mine['step']:2}  loss {mine['loss']:.7f} {theirs['loss']:.7f}  grad_norm {mine['grad_norm']:.6f} {theirs['grad_norm']:.6f}")
print("largest relative difference:", {k: f"{v:.2e}" for k, v in worst.items()})
sys.exit(worst["loss"] > golden["tol"]["loss_rtol"] or worst["grad_norm"] > golden["tol"]["grad_norm_rtol"])
PYTHON
