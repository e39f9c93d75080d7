#!/bin/bash
# 5,000 records: how long list, show and query take, with the index in place, after one record has changed, and made anew.
#   bench/runs_index.sh build/release/temper [COUNT]
set -euo pipefail
temper=$(realpath "$1")
count=${2:-5000}
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-runs.XXXXXX")
trap 'rm -rf "$work"' EXIT
python3 - "$work/runs" "$count" <<'PYTHON'
"""Records such as training and evaluation leave, with settings, environment, data, stages and metrics."""
import json, os, random, sys
folder, count = sys.argv[1], int(sys.argv[2])
random.seed(1)
settings = {"model": "models/base", "data": {"train": "train.jsonl", "max_length": 1024, "shuffle": True},
            "lora": {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0, "target_modules": "all-linear"},
            "train": {f"setting_{i}": i * 0.5 for i in range(40)}}
for i in range(count):
    day, second = i // 1000 + 1, i % 1000
    stamp = f"202611{day:02}T{second // 60 % 24:02}{second % 60:02}00Z"
    kind = ["sft", "dpo", "eval", "exec"][i % 4]
    run = f"{stamp}-{kind}-{random.getrandbits(32):08x}"
    at = f"2026-11-{day:02}T{second // 60 % 24:02}:{second % 60:02}:00.{i % 1000000:06}Z"
    metrics = {"loss": random.random(), "eval_loss": random.random(), "gate_failures": i % 7}
    metrics.update({f"task_{k}/acc,none": random.random() for k in range(20)})
    record = {"schema_version": 1, "run_id": run, "run_name": kind, "kind": kind, "parent_run_id": None, "parent": None,
              "status": "finished" if i % 9 else "failed", "exit_code": 0 if i % 9 else 1, "message": "", "created_at": at, "updated_at": at,
              "finished_at": at, "stages": [{"name": "train", "status": "finished", "started_at": at, "ended_at": at, "seconds": 5.0}],
              "command": ["temper", kind, "config.yaml"], "config_hash": f"{i:064x}",
              "config": dict(settings, lora=dict(settings["lora"], r=2 ** (i % 6))),
              "environment": {"versions": {f"library_{k}": "1.0" for k in range(10)}, "git": "abc", "isa": "avx2", "device": "cpu", "ranks": 1,
                              "threads": 2, "host": f"node{i % 16}", "hosts": 1, "cpu": "cpu", "cores": 2, "memory_bytes": 1, "job": {}},
              "data": [{"role": "train", "path": "train.jsonl", "sha256": f"{i % 5:064x}", "rows": 1000}], "data_report": {},
              "tags": {"outcome": "success" if i % 3 else "failure", "team": f"team{i % 11}"}, "params": {}, "metrics": metrics,
              "performance": {"seconds": 10.0, "tokens": 1000, "tokens_per_second": 100.0}, "usage": [], "cost": {},
              "artifacts": [{"path": f"adapter/{k}", "role": "adapter", "sha256": f"{i:064x}", "bytes": 100} for k in range(3)]}
    os.makedirs(os.path.join(folder, run))
    with open(os.path.join(folder, run, "run.json"), "w") as file:
        json.dump(record, file, indent=2)
PYTHON
export TEMPER_OUTPUT_DIR=$work/runs
took() {  # took NAME COMMAND...: the best of five, in seconds
    local name=$1 best=
    shift
    for _ in 1 2 3 4 5; do
        local begin=$EPOCHREALTIME
        "$@" >"$work/out"
        local end=$EPOCHREALTIME
        best=$(awk -v b="$begin" -v e="$end" -v best="$best" 'BEGIN { t = e - b; print best == "" || t < best ? t : best }')
    done
    awk -v name="$name" -v t="$best" -v lines="$(wc -l <"$work/out")" 'BEGIN { printf "%-46s %7.3f s  %6d lines\n", name, t, lines }'
}
newest=$(ls "$work/runs" | tail -n 1)
rebuild() { "$temper" runs index --rebuild; }
changed() { touch "$work/runs/$newest/run.json"; "$temper" runs list; }
echo "$count records, $(du -sh "$work/runs" | cut -f1)"
took "program start (temper --version)" "$temper" --version
took "index made anew" rebuild
took "list" "$temper" runs list
took "list --json" "$temper" runs list --json
took "list after one record has changed" changed
took "show" "$temper" runs show "$newest"
took "query of two fields" "$temper" runs query "tags.outcome='success' and metrics.gate_failures>0"
took "query of six fields, three shown" "$temper" runs query \
    "(config.lora.r in (8, 16) or metrics.\`task_3/acc,none\` > 0.9) and status = 'finished' and not tags.team = 'team3' and data.train.rows >= 1000" \
    --show metrics.loss,config.lora.r,stages.train.seconds
took "query that finds nothing" "$temper" runs query "metrics.none > 1"
mkdir -p "$work/again" && "$temper" runs list --json >"$work/again/before" && rm "$work/runs/.index.sqlite" && "$temper" runs list --json >"$work/again/after"
cmp "$work/again/before" "$work/again/after" && echo "the index deleted and made anew gives the same answers"
