#!/usr/bin/env bash
# Two ranks of one thread against one rank of one thread: 16 leaves of 512 tokens a step, in turns, tokens/s of whole steps; the adapters
# must be the same, bit for bit.   Usage: two_ranks.sh TEMPER MODEL [ROUNDS]
set -euo pipefail
temper=$1 model=$2 rounds=${3:-3}
. "$(dirname "$0")/rows_512.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-ranks.XXXXXX")
trap 'rm -rf "$work"' EXIT
long_rows 16 "$work/text.jsonl"
cat >"$work/run.yaml" <<CONFIG
model: $model
run_name: ranks
threads: 1
data: {train: $work/text.jsonl, max_length: 512, shuffle: false}
train: {max_steps: 2, global_batch_size: 16, micro_batch_tokens: 1024, learning_rate: 1e-4, lr_scheduler_type: constant, save_steps: 0}
CONFIG
one=() two=()
for round in $(seq 1 "$rounds"); do
    "$temper" sft "$work/run.yaml" output_dir="$work/one-$round" 2>"$work/log" || { tail "$work/log" >&2; exit 1; }
    mpirun -n 2 --bind-to hwthread "$temper" sft "$work/run.yaml" output_dir="$work/two-$round" 2>"$work/log" || { tail "$work/log" >&2; exit 1; }
    one+=("$(field "$work"/one-$round/*Z-* tokens_per_second)")
    two+=("$(field "$work"/two-$round/*Z-* tokens_per_second)")
    echo "round $round: tokens/s one rank ${one[-1]}, two ranks ${two[-1]}"
done
same=$(sha256sum "$work"/*/*Z-*/adapter/adapter_model.safetensors | cut -d' ' -f1 | sort -u | wc -l)
[ "$same" -eq 1 ] || { echo "FAILED: the adapters differ"; exit 1; }
python3 -c "print(f'median: two ranks / one rank = {$(median "${two[@]}") / $(median "${one[@]}"):.3f}; one adapter')"
