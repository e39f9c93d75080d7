#!/usr/bin/env bash
# What `temper dpo --dry-run` predicts against the peak that is then measured; fails when a configuration is off by more than 10%.
# Usage: dpo_memory.sh TEMPER MODEL
set -uo pipefail
temper=$1 model=$2
. "$(dirname "$0")/dpo_rows.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-dpo-plan.XXXXXX")
trap 'rm -rf "$work"' EXIT
token_pairs 8 256 128 "$work/pairs.jsonl"
labelled_rows 8 256 128 "$work/labelled.jsonl"
cat >"$work/run.yaml" <<CONFIG
model: $model
run_name: plan
threads: 2
data: {train: $work/pairs.jsonl, max_length: 512, shuffle: false, on_overlong: fail}
train: {max_steps: 2, global_batch_size: 4, learning_rate: 1e-4, lr_scheduler_type: constant, save_steps: 1, gradient_checkpointing: false}
CONFIG
bad=0
one() {  # one NAME [key=value ...]
    local name=$1 plan peak
    shift
    plan=$("$temper" dpo "$work/run.yaml" output_dir="$work/out" "$@" --dry-run --json 2>/dev/null | tail -n 1 |
        python3 -c "import json,sys; print(json.load(sys.stdin)['memory']['total_bytes'])")
    rm -rf "$work/out"
    "$temper" dpo "$work/run.yaml" output_dir="$work/out" "$@" 2>"$work/log" || { tail -n 3 "$work/log"; bad=1; return; }
    peak=$(field "$work"/out/*Z-* peak_memory_bytes)
    python3 - "$name" "$plan" "$peak" <<'PYTHON' || bad=1
import sys
name, plan, peak = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
print(f"{name:52} plan {plan / 1e9:5.2f} GB  peak {peak / 1e9:5.2f} GB  {100 * (plan / peak - 1):+5.1f}%", flush=True)
sys.exit(abs(plan / peak - 1) > 0.10)
PYTHON
}
one "4 pairs, one pass" micro_batch_tokens=4096
one "4 pairs, passes of one pair" micro_batch_tokens=512
one "4 pairs, one pass, prompts apart" micro_batch_tokens=4096 prefix_sharing=false
one "4 pairs, one pass, reference scored before" micro_batch_tokens=4096 precompute_ref_log_probs=true
one "4 pairs, one pass, layers recomputed" micro_batch_tokens=4096 gradient_checkpointing=true
one "4 pairs, passes of one pair, layers recomputed" micro_batch_tokens=512 gradient_checkpointing=true
one "2 pairs, float32" dtype=float32 global_batch_size=2 micro_batch_tokens=2048
one "4 pairs, loss aot, passes of one pair" loss_type=aot micro_batch_tokens=512
one "4 labelled answers, kto" loss_type=kto "data.train=$work/labelled.jsonl" micro_batch_tokens=4096
one "4 labelled answers, kto, scored before, layers recomputed" loss_type=kto "data.train=$work/labelled.jsonl" micro_batch_tokens=4096 \
    precompute_ref_log_probs=true gradient_checkpointing=true
one "8 pairs, held-out pairs" "data.eval=$work/pairs.jsonl" global_batch_size=8 micro_batch_tokens=2048 eval_steps=1
exit $bad
