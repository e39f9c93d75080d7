#!/usr/bin/env bash
# What MLflow's server from PyPI, TensorBoard's and ClearML's own programs read back of a run whose process was killed in the middle, MLflow's server too.
# Usage: trackers.sh TEMPER MODEL; venvs in ${TEMPER_CACHE:-~/.cache/temper}; about 3 minutes on two cores.
set -uo pipefail
temper=$1 model=$2
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/campaigns/mlflow_server.sh"
unset "${!CLEARML_@}" "${!OTEL_@}" TENSORBOARD_LOGGING_DIR
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
boards=${TEMPER_CACHE:-$HOME/.cache/temper}/boards
[ -x "$boards/bin/python" ] || { python3 -m venv "$boards" && "$boards/bin/pip" install -q tensorboard==2.21.0 clearml==2.1.12; } || exit 1
cat >"$work/run.yaml" <<CONFIG
model: $model
run_name: tracked
data: {train: $root/jobs/data/tickets_train.jsonl, eval: $root/jobs/data/tickets_heldout.jsonl, max_length: 128}
lora: {r: 4, lora_alpha: 8}
train: {max_steps: 24, global_batch_size: 4, micro_batch_tokens: 1024, learning_rate: 5e-4, save_steps: 5, eval_steps: 12}
CONFIG
start_server
# A command, not a function: what runs in the background is temper itself, which can be killed.
tracked=(env MLFLOW_EXPERIMENT_NAME=tickets CLEARML_PROJECT=temper "TENSORBOARD_LOGGING_DIR=$work/boards"
    "$temper" sft "$work/run.yaml" "output_dir=$work/read" --resume auto)
"${tracked[@]}" >"$work/log" 2>&1 &
child=$!
while [ "$(cat "$work"/read/*/metrics.jsonl 2>/dev/null | wc -l)" -lt 8 ] && kill -0 "$child" 2>/dev/null; do sleep 0.2; done
kill -KILL "$child"
stop_server
wait "$child" 2>/dev/null
start_server
"${tracked[@]}" >"$work/log" 2>&1 || { tail -n 5 "$work/log"; exit 1; }
run=$(ls -d "$work"/read/*Z-*)
"$temper" runs sync "$run" >"$work/log" 2>&1 || fail "sync: $(cat "$work/log")"
"$python" "$root/tests/campaigns/trackers_readers.py" "$run" mlflow "$MLFLOW_TRACKING_URI" 2>"$work/log" || fail "MLflow's client: $(tail -n 3 "$work/log")"
CLEARML_CACHE_DIR=$work/clearml CLEARML_CONFIG_FILE=$work/no.conf "$boards/bin/python" "$root/tests/campaigns/trackers_readers.py" "$run" tensorboard clearml >"$work/readers" 2>"$work/log" ||
    fail "TensorBoard's and ClearML's readers: $(tail -n 3 "$work/log")"
grep -E "TensorBoard|importer:" "$work/readers"

echo "$failures failed"
exit $((failures > 0))
