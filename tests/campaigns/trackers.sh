#!/usr/bin/env bash
# What MLflow's server from PyPI, TensorBoard's and ClearML's own programs read back of a run whose process was killed in the middle, MLflow's server too.
# Usage: trackers.sh TEMPER MODEL; venvs in ${TEMPER_CACHE:-~/.cache/temper}; about 3 minutes on two cores.
set -uo pipefail
temper=$1 model=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
cache=${TEMPER_CACHE:-$HOME/.cache/temper}
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-campaign.XXXXXX")
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$work"' EXIT
unset "${!MLFLOW_@}" "${!CLEARML_@}" "${!OTEL_@}" TENSORBOARD_LOGGING_DIR
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
venv() { # venv NAME PACKAGE...
    [ -x "$cache/$1/bin/python" ] || { python3 -m venv "$cache/$1" && "$cache/$1/bin/pip" install -q "${@:2}"; } || exit 1
}
venv mlflow mlflow==3.17.2
venv boards tensorboard==2.21.0 clearml==2.1.12
cat >"$work/run.yaml" <<CONFIG
model: $model
run_name: tracked
data: {train: $root/jobs/data/tickets_train.jsonl, eval: $root/jobs/data/tickets_heldout.jsonl, max_length: 128}
lora: {r: 4, lora_alpha: 8}
train: {max_steps: 24, global_batch_size: 4, micro_batch_tokens: 1024, learning_rate: 5e-4, save_steps: 5, eval_steps: 12}
CONFIG
train() { "$temper" sft "$work/run.yaml" "$@"; }
newest_run() { ls -d "$1"/*Z-* | tail -n 1; }

start_mlflow() {
    (cd "$work" && MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false PATH=$cache/mlflow/bin:$PATH exec mlflow server --host 127.0.0.1 --port "$mlflow_port" --workers 1 \
        --backend-store-uri sqlite:///mlflow.db --artifacts-destination ./artifacts) >>"$work/mlflow.log" 2>&1 &
    mlflow_pid=$!
    pids+=("$mlflow_pid")
    for _ in $(seq 240); do curl -sf -m 2 "http://127.0.0.1:$mlflow_port/health" >"$work/health" && return; sleep 0.5; done
    tail -n 20 "$work/mlflow.log"
    exit 1
}
mlflow_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
start_mlflow
# A command, not a function: what runs in the background is temper itself, which can be killed.
tracked=(env "MLFLOW_TRACKING_URI=http://127.0.0.1:$mlflow_port" MLFLOW_EXPERIMENT_NAME=tickets CLEARML_PROJECT=temper "TENSORBOARD_LOGGING_DIR=$work/boards"
    "$temper" sft "$work/run.yaml" "output_dir=$work/read" --resume auto)
"${tracked[@]}" >"$work/log" 2>&1 &
child=$!
while [ "$(cat "$work"/read/*/metrics.jsonl 2>/dev/null | wc -l)" -lt 8 ] && kill -0 "$child" 2>/dev/null; do sleep 0.2; done
kill -KILL "$child" "$mlflow_pid"
wait "$child" "$mlflow_pid" 2>/dev/null
start_mlflow
"${tracked[@]}" >"$work/log" 2>&1 || { tail -n 5 "$work/log"; exit 1; }
run=$(newest_run "$work/read")
"$temper" runs sync "$run" >"$work/log" 2>&1 || fail "sync: $(cat "$work/log")"
"$cache/mlflow/bin/python" "$root/tests/campaigns/trackers_readers.py" "$run" mlflow "http://127.0.0.1:$mlflow_port" 2>"$work/log" || fail "MLflow's client: $(tail -n 3 "$work/log")"
CLEARML_CACHE_DIR=$work/clearml CLEARML_CONFIG_FILE=$work/no.conf "$cache/boards/bin/python" "$root/tests/campaigns/trackers_readers.py" "$run" tensorboard clearml >"$work/readers" 2>"$work/log" ||
    fail "TensorBoard's and ClearML's readers: $(tail -n 3 "$work/log")"
grep -E "TensorBoard|importer:" "$work/readers"

echo "$failures failed"
exit $((failures > 0))
