#!/usr/bin/env bash
# Seconds from the command to the first step of SmolLM2-135M, weights and tokens in the page cache: the median of N starts.
# Usage: first_step.sh TEMPER MODEL [N]
set -euo pipefail
temper=$1 model=$2 starts=${3:-9}
. "$(dirname "$0")/rows_512.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-start.XXXXXX")
trap 'rm -rf "$work"' EXIT
head -n 16 "$(dirname "$0")/../jobs/data/tickets_train.jsonl" >"$work/rows.jsonl"
printf 'model: %s\nrun_name: start\noutput_dir: %s\nthreads: 2\ndata: {train: %s}\ntrain: {max_steps: 1, global_batch_size: 1, save_steps: 0}\n' \
    "$model" "$work/out" "$work/rows.jsonl" >"$work/run.yaml"
times=()
for start in $(seq 0 "$starts"); do
    "$temper" sft "$work/run.yaml" 2>"$work/log" || { tail "$work/log" >&2; exit 1; }
    [ "$start" -eq 0 ] || times+=("$(grep -o 'first step begins [0-9.]*' "$work/log" | grep -o '[0-9.]*$')")
done
echo "first step begins after ${times[*]} s; median $(median "${times[@]}") s"
