#!/usr/bin/env bash
# The same bits, stopped and resumed, on any ranks, with the real model: one configuration run whole on 1 to 4 ranks, 1 and 2 threads and two settings of micro_batch_tokens, then
# KILLS runs (20) killed by SIGKILL at random moments and resumed on another number of ranks until done. One SHA-256 of the adapter.
# Usage: kill_resume.sh TEMPER MODEL [KILLS] [SEED]; needs about half an hour on two cores.
set -uo pipefail
temper=$1 model=$2 kills=${3:-20}
RANDOM=${4:-7}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-campaign.XXXXXX")
trap 'rm -rf "$work"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_rmaps_base_oversubscribe=1
head -n 48 "$root/jobs/data/tickets_train.jsonl" >"$work/train.jsonl"
cat >"$work/run.yaml" <<CONFIG
model: $model
run_name: campaign
data: {train: $work/train.jsonl, max_length: 256}
lora: {r: 16, lora_alpha: 32}
train: {max_steps: 6, global_batch_size: 16, micro_batch_tokens: 2048, learning_rate: 5e-4, warmup_steps: 1, save_steps: 1}
CONFIG
adapter_sha() { sha256sum "$1"/*Z-*/adapter/adapter_model.safetensors | cut -d' ' -f1; }
launch() { # launch RANKS ARGS...
    local ranks=$1
    shift
    if [ "$ranks" -gt 1 ]; then mpirun -n "$ranks" --bind-to none "$temper" sft "$work/run.yaml" "$@"; else "$temper" sft "$work/run.yaml" "$@"; fi
}

failures=0
launch 1 "output_dir=$work/reference" threads=2 >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
reference=$(adapter_sha "$work/reference")
echo "reference $reference"
for setting in "1 threads=1" "1 threads=2 micro_batch_tokens=700" "2 threads=1" "2 threads=2 micro_batch_tokens=700" "3 threads=1" "4 threads=1"; do
    set -- $setting
    out=$work/whole-$(echo "$setting" | tr ' =' '__')
    launch "$1" "output_dir=$out" "${@:2}" >"$work/log" 2>&1 || { tail -n 5 "$work/log"; failures=$((failures + 1)); }
    sha=$(adapter_sha "$out")
    [ "$sha" = "$reference" ] || failures=$((failures + 1))
    echo "whole: ranks $1, ${*:2}: $sha"
done
for kill in $(seq 1 "$kills"); do
    out=$work/killed-$kill
    tries=0 log=""
    while :; do
        tries=$((tries + 1))
        ranks=$((1 + RANDOM % 4))
        setsid bash -c "$(declare -f launch); temper='$temper' work='$work'; launch $ranks output_dir=$out threads=1 --resume auto" >"$work/log" 2>&1 &
        child=$!
        if [ "$tries" -le 3 ]; then
            sleep "$((RANDOM % 9)).$((RANDOM % 10))"
            kill -KILL -- "-$child" 2>/dev/null && pkill -KILL -f "output_dir=$out" 2>/dev/null
        fi
        wait "$child"
        code=$?
        log="$log $ranks:$code"
        [ "$code" -eq 0 ] && break
        [ "$tries" -gt 12 ] && break
    done
    sha=$(adapter_sha "$out")
    [ "$sha" = "$reference" ] || failures=$((failures + 1))
    echo "killed $kill (ranks:exit$log): $sha"
    rm -rf "$out"
done
echo "$failures failed"
exit $((failures > 0))
