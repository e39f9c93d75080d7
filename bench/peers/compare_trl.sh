#!/usr/bin/env bash
# temper against TRL's SFTTrainer on the shipped chat rows, 8 a step: wall time of 20 steps from the command to the adapter, in turns, from
# one initial adapter, rows in the same order. Usage: compare_trl.sh TEMPER MODEL [ROUNDS]; PYTHON names a Python with trl.
set -euo pipefail
temper=$1 model=$2 rounds=${3:-3} steps=${STEPS:-20}
python=${PYTHON:-python3}
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/bench/rows_512.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-trl.XXXXXX")
trap 'rm -rf "$work"' EXIT
head -n $((8 * steps)) "$root/jobs/data/tickets_train.jsonl" >"$work/rows.jsonl"
cat >"$work/run.yaml" <<CONFIG
model: $model
run_name: peer
threads: 2
data: {train: $work/rows.jsonl, shuffle: false}
train: {max_steps: $steps, global_batch_size: 8, learning_rate: 1e-4, lr_scheduler_type: constant, save_steps: 0}
CONFIG
"$temper" sft "$work/run.yaml" output_dir="$work/seed" max_steps=1 learning_rate=1e-30 2>"$work/log" || { tail "$work/log" >&2; exit 1; }  # an initial adapter for both
cp -r "$work"/seed/*Z-*/adapter "$work/init"
seconds() { python3 -c "import time; print(time.time())"; }
ours=() theirs=()
for round in $(seq 1 "$rounds"); do
    begin=$(seconds)
    "$python" "$root/bench/peers/sft_trl.py" --model "$model" --adapter "$work/init" --data "$work/rows.jsonl" --output "$work/trl-$round" \
        --steps "$steps" 2>"$work/log" >"$work/trl-$round.log" || { tail "$work/log" >&2; exit 1; }
    middle=$(seconds)
    "$temper" sft "$work/run.yaml" output_dir="$work/temper-$round" init_adapter="$work/init" 2>"$work/log" || { tail "$work/log" >&2; exit 1; }
    end=$(seconds)
    theirs+=("$(python3 -c "print($middle - $begin)")")
    ours+=("$(python3 -c "print($end - $middle)")")
    echo "round $round: seconds TRL ${theirs[-1]}, temper ${ours[-1]}"
done
python3 - "$work" "$(median "${theirs[@]}")" "$(median "${ours[@]}")" <<'PYTHON'
import glob, json, sys
work, theirs, ours = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
trl = json.loads(open(f"{work}/trl-1.log").read().strip().splitlines()[-1])
run = glob.glob(f"{work}/temper-1/*Z-*")[0]
mine = [json.loads(line) for line in open(f"{run}/metrics.jsonl")]
record = json.load(open(f"{run}/run.json"))["performance"]
print("step  loss: temper, TRL   grad_norm: temper, TRL")
for k in sorted({0, 1, 4, 9, len(mine) - 1} & set(range(len(mine)))):
    print(f"{k + 1:4d}  {mine[k]['loss']:.5f} {trl['loss'][k]:.5f}   {mine[k]['grad_norm']:.4f} {trl['grad_norm'][k]:.4f}")
assert abs(mine[0]["loss"] - trl["loss"][0]) <= 0.01 * trl["loss"][0], "losses differ at step 1"
assert abs(mine[0]["grad_norm"] - trl["grad_norm"][0]) <= 0.05 * trl["grad_norm"][0], "gradient norms differ at step 1"
print(f"tokens {mine[-1]['num_tokens']}, temper {record['tokens_per_second']:.0f} tokens/s in its steps, share of peak {record['share_of_peak']:.2f}")
print(f"peak memory: TRL {trl['peak_rss_bytes'] / 1e9:.2f} GB, temper {record['peak_memory_bytes'] / 1e9:.2f} GB")
print(f"median seconds from command to adapter: TRL {theirs:.1f}, temper {ours:.1f}: {theirs / ours:.2f} x")
PYTHON
