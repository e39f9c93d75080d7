#!/usr/bin/env bash
# The packed bfloat16 product against PyTorch's F.linear (oneDNN) on the same shapes, two threads, in turns.
# Usage: compare_matmul.sh KERNELS_BENCH [ROUNDS]; PYTHON names a Python with torch.
set -euo pipefail
bench=$1 rounds=${2:-3} python=${PYTHON:-python3}
here=$(cd "$(dirname "$0")" && pwd)
shapes="2048x576x576 2048x1536x576 2048x896x896 2048x4864x896 512x4864x896 2048x896x4864"
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-matmul.XXXXXX")
trap 'rm -rf "$work"' EXIT
filter="^product/($(echo $shapes | tr ' ' '|'))/"
for round in $(seq 1 "$rounds"); do
    "$python" "$here/matmul_torch.py" --threads 2 $shapes >"$work/torch-$round.json"
    "$bench" --threads=2 --benchmark_filter="$filter" --benchmark_min_time=0.5 --benchmark_out="$work/temper-$round.json" >"$work/log" 2>&1 || { tail "$work/log" >&2; exit 1; }
done
grep -m1 "registers only" "$work/log"
python3 - "$work" "$rounds" $shapes <<'PYTHON'
import json, statistics, sys
work, rounds, shapes = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
theirs, ours, share = ({s: [] for s in shapes} for _ in range(3))
for i in range(1, rounds + 1):
    for shape, value in json.load(open(f"{work}/torch-{i}.json")).items():
        theirs[shape].append(value)
    for row in json.load(open(f"{work}/temper-{i}.json"))["benchmarks"]:
        shape = row["name"].split("/")[1]
        ours[shape].append(row["FLOP/s"] / 1e9)
        share[shape].append(row["of_peak_%"])
print(f"{'shape':>16} {'temper GFLOP/s':>15} {'of peak':>8} {'oneDNN':>8} {'ratio':>6}")
for s in shapes:
    a, b = statistics.median(ours[s]), statistics.median(theirs[s])
    print(f"{s:>16} {a:15.0f} {statistics.median(share[s]):7.0f}% {b:8.0f} {a / b:6.2f}")
PYTHON
