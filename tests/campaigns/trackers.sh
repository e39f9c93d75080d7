#!/usr/bin/env bash
# Trackers at full length: what MLflow's server from PyPI, TensorBoard's and ClearML's own programs read back of a run (its process killed in the middle, MLflow's server too),
# and the time of a step beside servers that are broken in every way of tests/scripts/tracker_stub.py, in turns with runs that report nowhere.
# Usage: trackers.sh TEMPER MODEL [ROUNDS]; venvs in ${TEMPER_CACHE:-~/.cache/temper}; about 20 minutes on two cores.
set -uo pipefail
temper=$1 model=$2 rounds=${3:-3}
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
tracked() { MLFLOW_TRACKING_URI=http://127.0.0.1:$mlflow_port MLFLOW_EXPERIMENT_NAME=tickets CLEARML_PROJECT=temper TENSORBOARD_LOGGING_DIR=$work/boards train "output_dir=$work/read" --resume auto; }
tracked >"$work/log" 2>&1 &
child=$!
while [ "$(cat "$work"/read/*/metrics.jsonl 2>/dev/null | wc -l)" -lt 8 ] && kill -0 "$child" 2>/dev/null; do sleep 0.2; done
kill -KILL "$child" "$mlflow_pid"
wait "$child" "$mlflow_pid" 2>/dev/null
start_mlflow
tracked >"$work/log" 2>&1 || { tail -n 5 "$work/log"; exit 1; }
run=$(newest_run "$work/read")
"$temper" runs sync "$run" >"$work/log" 2>&1 || fail "sync: $(cat "$work/log")"
"$cache/mlflow/bin/python" "$root/tests/campaigns/trackers_readers.py" "$run" mlflow "http://127.0.0.1:$mlflow_port" 2>"$work/log" || fail "MLflow's client: $(tail -n 3 "$work/log")"
CLEARML_CACHE_DIR=$work/clearml CLEARML_CONFIG_FILE=$work/no.conf "$cache/boards/bin/python" "$root/tests/campaigns/trackers_readers.py" "$run" tensorboard clearml >"$work/readers" 2>"$work/log" ||
    fail "TensorBoard's and ClearML's readers: $(tail -n 3 "$work/log")"
grep -E "TensorBoard|importer:" "$work/readers"

# A step's time, each fault in turns with no tracker.
adapter_sha() { sha256sum "$1"/adapter/adapter_model.safetensors | cut -d' ' -f1; }
for fault in refused ok 500 429 hang hang-connect hang-body garbage wrong half drip redirect truncated reset; do
    rm -f "$work/port"
    if [ "$fault" = refused ]; then
        port=9
    else
        python3 "$root/tests/scripts/tracker_stub.py" "$fault" >"$work/port" 2>"$work/stub" &
        stub=$!
        pids+=("$stub")
        while [ ! -s "$work/port" ]; do sleep 0.1; done
        port=$(cat "$work/port")
    fi
    for round in $(seq "$rounds"); do
        train "output_dir=$work/$fault-none" report_to=none eval_steps=0 >"$work/log" 2>&1 || fail "$fault: $(tail -n 3 "$work/log")"
        began=$(date +%s%N)
        train "output_dir=$work/$fault-with" "tracking.mlflow_tracking_uri=http://127.0.0.1:$port" "tracking.otlp_endpoint=http://127.0.0.1:$port" report_to=[mlflow,otlp,tensorboard] \
            eval_steps=0 tracking.exit_seconds=2 >"$work/log" 2>&1 || fail "$fault: $(tail -n 3 "$work/log")"
        [ "$(adapter_sha "$(newest_run "$work/$fault-none")")" = "$(adapter_sha "$(newest_run "$work/$fault-with")")" ] || fail "$fault: another adapter"
    done
    python3 - "$fault" "$work/$fault-none" "$work/$fault-with" <<'PYTHON' || fail "$fault: steps are slower"
import json, pathlib, statistics, sys
def times(folder):  # seconds of each step but the first, which warms up
    for run in sorted(pathlib.Path(folder).iterdir()):
        rows = [json.loads(line) for line in open(run / "metrics.jsonl")]
        yield [(b["num_tokens"] - a["num_tokens"]) / b["tokens_per_second"] for a, b in zip(rows, rows[1:])]
pairs = [(w, n) for with_, none in zip(times(sys.argv[3]), times(sys.argv[2])) for w, n in zip(with_, none)]
ratios = sorted(w / n for w, n in pairs)
middle = statistics.median(ratios)
low = ratios[max(0, int(len(ratios) / 2 - 1.5 * len(ratios) ** 0.5))]  # of the median, about 99.7%
print(f"{sys.argv[1]:13} step time with trackers / without: median {middle:.4f} of {len(ratios)} steps, at least {low:.4f}", flush=True)
sys.exit(middle > 1.01 and low > 1.0)
PYTHON
    [ "$fault" = refused ] || { kill "$stub"; wait "$stub" 2>/dev/null; }
done
echo "$failures failed"
exit $((failures > 0))
