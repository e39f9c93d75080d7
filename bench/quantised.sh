#!/usr/bin/env bash
# What quantised weights lose: the loss of held-out rows before and after a short SFT, for every form of the same model. Losses only; times are not
# taken. Usage: quantised.sh TEMPER MODEL_DIR [GGUF_FILE]      PYTHON: one with numpy and gguf, or there are no GGUF lines but Q8_0 and GGUF_FILE.
set -uo pipefail
temper=$1 model=$2 own=${3:-}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-quantised.XXXXXX")
trap 'rm -rf "$work"' EXIT
cat >"$work/run.yaml" <<CONFIG
model: $model
run_name: quantised
device: ${DEVICE:-cpu}
data:
  train: [{path: $root/jobs/data/tickets_train.jsonl, max_rows: 160}]
  eval: [{path: $root/jobs/data/tickets_heldout.jsonl, max_rows: ${ROWS:-64}}]
  max_length: 256
train: {global_batch_size: 8, micro_batch_tokens: 1024, lr_scheduler_type: constant, save_steps: 0}
CONFIG
held_out() {  # held_out STEPS RATE [key=value ...]: the loss after so many steps
    local steps=$1 rate=$2
    shift 2
    rm -rf "$work/out"
    "$temper" sft "$work/run.yaml" output_dir="$work/out" max_steps="$steps" eval_steps="$steps" learning_rate="$rate" "$@" >"$work/log" 2>&1 ||
        { tail -n 3 "$work/log" >&2; return 1; }
    python3 -c "import json,sys; print([row['eval_loss'] for row in map(json.loads, open(sys.argv[1])) if 'eval_loss' in row][-1])" "$work"/out/*/metrics.jsonl
}
failed=0
line() {  # line NAME [key=value ...]. A step at a rate of 1e-12 leaves the model as it was.
    local name=$1 before after
    shift
    before=$(held_out 1 1e-12 "$@") && after=$(held_out "${STEPS:-10}" 2e-4 "$@") || { failed=1; return; }
    python3 - "$name" "$before" "$after" "$work/reference" <<'PYTHON'
import os, sys
name, before, after, path = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
if not os.path.exists(path):
    open(path, "w").write(f"{before} {after}")
first, last = map(float, open(path).read().split())
print(f"| {name} | {before:.5f} | {before - first:+.5f} | {after:.5f} | {after - last:+.5f} |", flush=True)
PYTHON
}
echo "| Weights | Before | against float32 | After | against float32 |"
echo "|---|---|---|---|---|"
line float32 dtype=float32
line bfloat16
line load_in_fp8 load_in_fp8=true
line load_in_4bit load_in_4bit=true
line "with double quantisation" load_in_4bit=true bnb_4bit_use_double_quant=true
"$temper" convert "$model" --output "$work/f32.gguf" --type F32 >"$work/log" 2>&1 || { tail -n 3 "$work/log"; exit 1; }
"$temper" convert "$model" --output "$work/q8.gguf" --type Q8_0 >"$work/log" 2>&1 || { tail -n 3 "$work/log"; exit 1; }
line ".gguf Q8_0" model="$work/q8.gguf" keep_quantized=true
rm -f "$work/q8.gguf"
for type in Q5_1 Q4_K Q4_1 Q4_0; do
    "${PYTHON:-python3}" "$root/bench/peers/quantised_gguf.py" "$work/f32.gguf" "$work/$type.gguf" $type 2>"$work/log" || { tail -n 1 "$work/log" >&2; continue; }
    line ".gguf $type" model="$work/$type.gguf" keep_quantized=true
    rm -f "$work/$type.gguf"
done
[ -z "$own" ] || line "$(basename "$own")" model="$own" keep_quantized=true
exit $failed
