#!/usr/bin/env bash
# On a private Slurm of two virtual nodes: a job is signalled before its time limit, exits with 75, is requeued and finishes; its adapter
# has the SHA-256 of a run that was never stopped. Usage: slurm_requeue.sh TEMPER MODEL
set -uo pipefail
temper=$(realpath "$1") model=$(realpath "$2")
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-slurm.XXXXXX")
trap 'bash "$root/tests/campaigns/slurm_down.sh" "$work/slurm"; rm -rf "$work"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
cat >"$work/run.yaml" <<CONFIG
model: $model
run_name: slurm
output_dir: $work/runs
threads: 1
data: {train: $root/jobs/data/tickets_train.jsonl, max_length: 256}
train: {max_steps: ${STEPS:-24}, global_batch_size: 16, learning_rate: 5e-4, save_steps: 10}
CONFIG
"$temper" sft "$work/run.yaml" "output_dir=$work/plain" threads=2 >"$work/plain.log" 2>&1 || { tail "$work/plain.log"; exit 1; }
plain=$(sha256sum "$work"/plain/*Z-*/adapter/adapter_model.safetensors | cut -d' ' -f1)
bash "$root/tests/campaigns/slurm_up.sh" "$work/slurm" 2 || exit 1
. "$work/slurm/env"
cd "$root" || exit 1
# Two minutes of time and the signal 60 s before its end: the job is stopped and requeued until it is done.
TEMPER=$temper sbatch --wait --parsable --nodes=2 --ntasks=2 --cpus-per-task=1 --time=2 --signal=B:USR1@60 --output="$work/job.log" jobs/slurm/sft.sbatch "$work/run.yaml"
code=$?
restarts=$(grep -c 'exit 75' "$work/job.log")
slurm=$(sha256sum "$work"/runs/*Z-*/adapter/adapter_model.safetensors | cut -d' ' -f1)
tail -n 40 "$work/job.log"
echo "job exit $code, stopped with 75 and requeued: $restarts times"
echo "plain $plain"
echo "slurm $slurm"
[ "$code" -eq 0 ] && [ "$restarts" -ge 1 ] && [ "$plain" = "$slurm" ]
