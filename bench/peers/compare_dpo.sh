#!/usr/bin/env bash
# temper against TRL's DPOTrainer on the shipped pairs, 8 a step, in turns, from one initial adapter, pairs in the same order, the reference being
# the model with its adapter off. Usage: compare_dpo.sh TEMPER MODEL [ROUNDS]; STEPS (10); DEVICE (cpu, or cuda for both), PEER_DEVICE; PYTHON names a Python with trl.
set -euo pipefail
temper=$1 model=$2 rounds=${3:-3} steps=${STEPS:-10}
python=${PYTHON:-python3}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-dpo-trl.XXXXXX")
trap 'rm -rf "$work"' EXIT
head -n $((8 * steps)) "$root/jobs/data/tickets_pairs.jsonl" >"$work/rows.jsonl"
cat >"$work/run.yaml" <<CONFIG
model: $model
run_name: peer
threads: 2
device: ${DEVICE:-cpu}
data: {train: $work/rows.jsonl, shuffle: false}
train: {max_steps: $steps, global_batch_size: 8, learning_rate: 1e-4, lr_scheduler_type: constant, save_steps: 0}
dpo: {beta: 0.1, reference: base}
CONFIG
# An initial adapter for both: two steps of SFT, so that policy and reference differ from the first step on.
"$temper" sft "$work/run.yaml" output_dir="$work/seed" max_steps=2 learning_rate=1e-3 data.train="$root/jobs/data/tickets_train.jsonl" \
    2>"$work/log" || { tail "$work/log" >&2; exit 1; }
cp -r "$work"/seed/*Z-*/adapter "$work/init"
seconds() { python3 -c "import time; print(time.time())"; }
for round in $(seq 1 "$rounds"); do
    begin=$(seconds)
    "$python" "$root/bench/peers/dpo_trl.py" --model "$model" --adapter "$work/init" --data "$work/rows.jsonl" --output "$work/trl-$round" \
        --steps "$steps" --device "${PEER_DEVICE:-${DEVICE:-cpu}}" 2>"$work/log" >"$work/trl-$round.log" || { tail "$work/log" >&2; exit 1; }
    middle=$(seconds)
    "$temper" dpo "$work/run.yaml" output_dir="$work/temper-$round" init_adapter="$work/init" 2>"$work/log" || { tail "$work/log" >&2; exit 1; }
    python3 - "$round" "$begin" "$middle" "$(seconds)" <<'PYTHON' | tee -a "$work/walls"
import sys
number, begin, middle, end = map(float, sys.argv[1:])
print(f"round {number:.0f}: seconds from command to adapter: TRL {middle - begin:.1f}, temper {end - middle:.1f}", flush=True)
PYTHON
done
python3 - "$work" "$rounds" <<'PYTHON'
import glob, json, re, statistics, sys
work, rounds = sys.argv[1], int(sys.argv[2])
lines = lambda path: open(path).read().strip().splitlines()
speeds = {"TRL": [], "temper": []}
for k in range(1, rounds + 1):
    trl = json.loads(lines(f"{work}/trl-{k}.log")[-1])
    run = glob.glob(f"{work}/temper-{k}/*Z-*")[0]
    mine = [json.loads(line) for line in lines(f"{run}/metrics.jsonl")]
    record = json.load(open(f"{run}/run.json"))["performance"]
    tokens = trl["step_tokens"]
    assert [step["num_tokens"] for step in mine] == [sum(tokens[:i + 1]) for i in range(len(mine))], "tokens differ"
    speeds["TRL"].append(sum(tokens[1:]) / (trl["step_ends"][-1] - trl["step_ends"][0]))
    speeds["temper"].append(sum(tokens[1:]) / sum(count / step["tokens_per_second"] for count, step in zip(tokens[1:], mine[1:])))
names = ("loss", "grad_norm", "rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected")
print("step  " + "   ".join(f"{name}: temper, TRL" for name in names))
for k, (a, b) in enumerate(zip(mine, trl["steps"])):
    print(f"{k + 1:4d}  " + "   ".join(f"{a[name]:.4f} {b[name]:.4f}" for name in names))
for name in names:
    a, b = mine[0][name], trl["steps"][0][name]
    assert abs(a - b) <= (0.01 if name == "loss" else 0.05) * abs(b), f"{name} differs at step 1: {a}, {b}"
walls = [list(map(float, re.findall(r"(?:TRL|temper) ([\d.]+)", line))) for line in lines(f"{work}/walls")]
theirs, ours = (statistics.median(column) for column in zip(*walls))
trl_speed, temper_speed = (statistics.median(speeds[name]) for name in ("TRL", "temper"))
print("tokens/s of the rounds: " + "; ".join(f"{name} " + ", ".join(f"{s:.1f}" for s in values) for name, values in speeds.items()))
print(f"tokens {mine[-1]['num_tokens']}, median tokens/s without the first step: TRL {trl_speed:.1f}, temper {temper_speed:.1f}: "
      f"{temper_speed / trl_speed:.2f} x; temper's share of peak {record['share_of_peak']:.2f}")
print(f"peak memory: TRL {trl['peak_rss_bytes'] / 1e9:.2f} GB, temper {record['peak_memory_bytes'] / 1e9:.2f} GB: "
      f"1/{trl['peak_rss_bytes'] / record['peak_memory_bytes']:.1f}")
print(f"median seconds from command to adapter: TRL {theirs:.1f}, temper {ours:.1f}: {theirs / ours:.2f} x")
PYTHON
