#!/usr/bin/env bash
# An epoch over the shipped pairs, whole command: reference scores found in the cache against computed first, and against computed in the policy's
# pass (the default), in turns; every step's metrics the same bits. Usage: dpo_cache.sh TEMPER MODEL [ROUNDS]; PAIRS (48)
set -euo pipefail
temper=$1 model=$2 rounds=${3:-3} pairs=${PAIRS:-48}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-cache.XXXXXX")
trap 'rm -rf "$work"' EXIT
head -n "$pairs" "$root/jobs/data/tickets_pairs.jsonl" >"$work/rows.jsonl"
cat >"$work/run.yaml" <<CONFIG
model: $model
run_name: cache
threads: 2
data: {train: $work/rows.jsonl}
train: {num_train_epochs: 1, global_batch_size: 8, learning_rate: 1e-4, lr_scheduler_type: constant, save_steps: 0}
CONFIG
timed() {  # timed NAME ROUND DIRECTORY [key=value ...]
    local name=$1 round=$2 out=$3 begin
    shift 3
    begin=$(date +%s.%N)
    "$temper" dpo "$work/run.yaml" output_dir="$out" run_name="$name$round" "$@" 2>"$work/log" || { tail "$work/log" >&2; exit 1; }
    echo "$name $round $(python3 -c "import time; print(time.time() - $begin)") $(ls -d "$out"/*Z-"$name$round"-*)" >>"$work/times"
}
for round in $(seq 1 "$rounds"); do
    timed cold "$round" "$work/$round" precompute_ref_log_probs=true
    timed warm "$round" "$work/$round" precompute_ref_log_probs=true
    timed default "$round" "$work/default"
done
python3 - "$work/times" <<'PYTHON'
import collections, json, statistics, sys
times, figures = collections.defaultdict(dict), []
for line in open(sys.argv[1]):
    name, round, seconds, run = line.split()
    times[name][round] = float(seconds)
    steps = [json.loads(step) for step in open(run + "/metrics.jsonl")]
    figures.append([{key: value for key, value in step.items() if key != "tokens_per_second"} for step in steps])
assert all(figure == figures[0] for figure in figures), "the metrics differ"
print(f"{len(figures[0])} steps, {figures[0][-1]['num_tokens']} tokens, the same metrics bit for bit in {len(figures)} runs")
for name, values in times.items():
    print(f"{name:8} {statistics.median(values.values()):6.2f} s: " + ", ".join(f"{value:.2f}" for value in values.values()))
ratio = lambda a, b: statistics.median(times[a][k] / times[b][k] for k in times[a])
print(f"cold / warm {ratio('cold', 'warm'):.2f}, default / warm {ratio('default', 'warm'):.2f}, cold / default {ratio('cold', 'default'):.2f}")
PYTHON
