#!/usr/bin/env bash
# What `--dry-run` predicts against the peak that is then measured, for eight configurations; fails when one is off by more than 10%.
# Usage: memory_plan.sh TEMPER MODEL_135M MODEL_0.5B      (the second may come from bench/peers/random_model.py)
set -uo pipefail
temper=$1 small=$2 large=$3
. "$(dirname "$0")/rows_512.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-plan.XXXXXX")
trap 'rm -rf "$work"' EXIT
long_rows 16 "$work/text.jsonl"
cat >"$work/run.yaml" <<CONFIG
model: $small
run_name: plan
threads: 2
data: {train: $work/text.jsonl, max_length: 512, shuffle: false}
train: {max_steps: 2, global_batch_size: 4, learning_rate: 1e-4, lr_scheduler_type: constant, save_steps: 1}
CONFIG
bad=0
one() {  # one NAME [key=value ...]
    local name=$1 plan peak
    shift
    plan=$("$temper" sft "$work/run.yaml" output_dir="$work/out" "$@" --dry-run --json 2>/dev/null | tail -n 1 |
        python3 -c "import json,sys; print(json.load(sys.stdin)['memory']['total_bytes'])")
    rm -rf "$work"/out/*Z-*
    "$temper" sft "$work/run.yaml" output_dir="$work/out" "$@" 2>"$work/log" || { tail -n 3 "$work/log"; bad=1; return; }
    peak=$(field "$work"/out/*Z-* peak_memory_bytes)
    python3 - "$name" "$plan" "$peak" <<'PYTHON' || bad=1
import sys
name, plan, peak = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
print(f"{name:44} plan {plan / 1e9:5.2f} GB  peak {peak / 1e9:5.2f} GB  {100 * (plan / peak - 1):+5.1f}%", flush=True)
sys.exit(abs(plan / peak - 1) > 0.10)
PYTHON
}
one "135M, 4 x 512, one pass" micro_batch_tokens=2048
one "135M, 4 x 512, passes of 512" micro_batch_tokens=512
one "135M, 4 x 512, layers recomputed" micro_batch_tokens=2048 gradient_checkpointing=true
one "135M, 16 x 512, passes of 4096, r 64" global_batch_size=16 micro_batch_tokens=4096 r=64
one "135M, 2 x 512, float32" dtype=float32 global_batch_size=2 micro_batch_tokens=1024
one "0.5B, 1 x 512" "model=$large" global_batch_size=1 micro_batch_tokens=512
one "0.5B, 2 x 512" "model=$large" global_batch_size=2 micro_batch_tokens=1024
one "0.5B, 4 x 512, layers recomputed" "model=$large" micro_batch_tokens=2048 gradient_checkpointing=true
exit $bad
