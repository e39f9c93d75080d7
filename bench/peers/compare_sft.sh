#!/usr/bin/env bash
# temper against PyTorch + PEFT, side by side: the same rows (all tokens supervised), the same initial adapter, r 16 over every linear
# layer, bfloat16, two threads, in turns. Prints each run's losses, gradient norms, tokens/s and peak memory, then medians and ratios.
# Usage: compare_sft.sh TEMPER MODEL [ROUNDS]; PYTHON names a Python with torch and peft. By environment: ROWS (4) of LENGTH (512) tokens
# a step, MICRO (1024) tokens a pass of temper, STEPS (4), COMPILE=1 for torch.compile, FLOAT32=0 leaves the peer's float32 run out.
set -euo pipefail
temper=$1 model=$2 rounds=${3:-3}
python=${PYTHON:-python3}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-peers.XXXXXX")
trap 'rm -rf "$work"' EXIT
steps=${STEPS:-4} rows=${ROWS:-4} length=${LENGTH:-512} micro=${MICRO:-1024} compile=${COMPILE:+--compile} float32=${FLOAT32:-1}
[ -z "$compile" ] || steps=$((steps > 6 ? steps : 6))
python3 - "$root/jobs/data/tickets_train.jsonl" "$work/text.jsonl" "$rows" "$length" <<'PYTHON'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
each = int(sys.argv[4]) // 15  # more than enough
with open(sys.argv[2], "w") as out:
    for i in range(int(sys.argv[3])):
        text = " ".join(r["prompt"][1]["content"] + " " + r["completion"][0]["content"] for r in lines[i * each : (i + 1) * each])
        out.write(json.dumps({"text": text}) + "\n")
PYTHON
"$temper" tokenize --model "$model" --input "$work/text.jsonl" --output "$work/ids.jsonl"
python3 - "$work/ids.jsonl" "$work/rows.jsonl" "$steps" "$length" <<'PYTHON'
import json, sys
length = int(sys.argv[4])
rows = [json.loads(line)["ids"][:length] for line in open(sys.argv[1])]
assert all(len(row) == length for row in rows)
with open(sys.argv[2], "w") as out:
    for _ in range(int(sys.argv[3])):
        for row in rows:
            out.write(json.dumps({"input_ids": row}) + "\n")
PYTHON
cat >"$work/run.yaml" <<CONFIG
model: $model
run_name: peer
output_dir: $work/runs
threads: 2
data: {train: $work/text.jsonl, max_length: $length, shuffle: false}
lora: {init_adapter: $work/init}
train: {max_steps: $steps, global_batch_size: $rows, micro_batch_tokens: $micro, learning_rate: 1e-4, lr_scheduler_type: constant, save_steps: 0}
CONFIG
peer() { "$python" "$root/bench/peers/sft_torch.py" --model "$model" --adapter "$work/init" --tokens "$work/rows.jsonl" --rows "$rows" --steps "$steps" --threads 2 "$@" 2>"$work/log" || { tail "$work/log" >&2; exit 1; }; }
for round in $(seq 1 "$rounds"); do
    peer $compile >"$work/torch-$round.json"
    "$temper" sft "$work/run.yaml" >"$work/temper-$round.log" 2>&1 || { tail "$work/temper-$round.log"; exit 1; }
    mv "$work"/runs/*Z-* "$work/temper-$round"
done
[ "$float32" = 0 ] && cp "$work/torch-1.json" "$work/float32.json" || peer --dtype float32 >"$work/float32.json"
"$temper" --version
python3 - "$work" "$rounds" "$steps" <<'PYTHON'
import json, re, statistics, sys
work, rounds, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
read = lambda name: json.loads(open(f"{work}/{name}.json").read().strip().splitlines()[-1])
speeds = {"torch": [], "temper": []}
memory = {"torch": [], "temper": []}
for i in range(1, rounds + 1):
    torch = read(f"torch-{i}")
    rows = [json.loads(line) for line in open(f"{work}/temper-{i}/metrics.jsonl")]
    record = json.load(open(f"{work}/temper-{i}/run.json"))
    timed = rows[3:] if torch["compiled"] else rows[1:]
    share = record["performance"]["share_of_peak"]
    speeds["torch"].append(torch["tokens_per_second"])
    speeds["temper"].append(len(timed) / sum(1 / row["tokens_per_second"] for row in timed))
    memory["torch"].append(torch["peak_rss_bytes"] / 1e9)
    memory["temper"].append(record["performance"]["peak_memory_bytes"] / 1e9)
    print(f"round {i}: tokens/s torch {speeds['torch'][-1]:.1f}, temper {speeds['temper'][-1]:.1f}")
    log = open(f"{work}/temper-{i}.log").read()
    plan = float(re.search(r"memory plan: ([0-9.]+) GB", log)[1])
    first = float(re.search(r"first step begins ([0-9.]+) s", log)[1])
    print(f"  temper: plan {plan:.2f} GB, peak {memory['temper'][-1]:.2f} GB, first step begins {first:.2f} s after the command, {100 * share:.0f}% of peak")
    if i > 1:
        continue
    # (Without the float32 run its columns repeat the peer's, and only step 1 is compared.)
    # With one adapter, at step 1, the two agree. Later the peer's bfloat16 run stays behind: it adds the adapter's output to a layer's
    # output that is rounded already, where a small update is lost. Float32 is what both want to follow.
    exact = read("float32")
    print("  step  loss: temper, torch, torch float32   grad_norm: temper, torch, torch float32")
    for k, mine in enumerate(rows):
        print(f"  {k + 1:4d}  {mine['loss']:.5f} {torch['loss'][k]:.5f} {exact['loss'][k]:.5f}   {mine['grad_norm']:.4f} {torch['grad_norm'][k]:.4f} {exact['grad_norm'][k]:.4f}")
        for peer in (exact, torch) if k == 0 else (exact,) if exact["dtype"] == "float32" else ():
            assert abs(mine["loss"] - peer["loss"][k]) <= 0.01 * peer["loss"][k], "losses differ"
            assert abs(mine["grad_norm"] - peer["grad_norm"][k]) <= 0.05 * peer["grad_norm"][k], "gradient norms differ"
median = {name: statistics.median(values) for name, values in speeds.items()}
print(f"median tokens/s: torch + PEFT {median['torch']:.1f}, temper {median['temper']:.1f}: {median['temper'] / median['torch']:.2f} x")
print(f"peak memory: torch + PEFT {max(memory['torch']):.2f} GB, temper {max(memory['temper']):.2f} GB")
PYTHON
