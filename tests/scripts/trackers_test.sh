#!/usr/bin/env bash
# Trackers against a stand-in of their servers: what they hold is the journal, and a server that is broken in any of fourteen ways changes no bit of the run, is not waited
# for, and has everything once after `temper runs sync`.
. "$(dirname "$0")/common.sh"
tiny_config "$work/tiny.yaml"
unset "${!MLFLOW_@}" "${!CLEARML_@}" "${!OTEL_@}" TENSORBOARD_LOGGING_DIR
export CLEARML_API_ACCESS_KEY=key CLEARML_API_SECRET_KEY=secret
mode() { python3 -c 'import sys, urllib.request; urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/_mode", sys.argv[2].encode())' "$port" "$1"; }
check() { python3 "$root/tests/scripts/tracker_check.py" "$@"; }
train() { "$temper" sft "$work/tiny.yaml" eval_steps=4 "$@"; }

train "output_dir=$work/none" >"$work/log" 2>&1 || fail "without trackers: $(tail -n 3 "$work/log")"
reference=$(adapter_sha "$(newest_run "$work/none")")
[ ! -e "$(newest_run "$work/none")/trackers" ] || fail "trackers that nobody asked for"

# Chosen by the environment; all at once, a stage under its parent. No second run of anything after a sync.
stand_in fine tracker_server.py
export MLFLOW_TRACKING_URI=http://127.0.0.1:$port MLFLOW_EXPERIMENT_NAME=tickets CLEARML_API_HOST=http://127.0.0.1:$port CLEARML_FILES_HOST=http://127.0.0.1:$port/ CLEARML_PROJECT=tickets OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$port \
    TENSORBOARD_LOGGING_DIR=$work/boards
train "output_dir=$work/fine" >"$work/log" 2>&1 || fail "with trackers: $(tail -n 3 "$work/log")"
run=$(newest_run "$work/fine")
[ "$(adapter_sha "$run")" = "$reference" ] || fail "another adapter with trackers"
check "$port" "$run" mlflow clearml otlp tensorboard || fail "trackers of a whole run"
"$temper" runs sync --all --output-dir "$work/fine" --json >"$work/stdout" 2>"$work/stderr" || fail "sync: $(tail -n 3 "$work/stderr")"
rm "$run"/trackers/mlflow.json  # the server itself knows what it has
"$temper" runs sync "$run" >"$work/stdout" 2>"$work/stderr" || fail "sync anew: $(cat "$work/stderr")"
check "$port" "$run" mlflow clearml otlp tensorboard || fail "trackers after sync"
unset MLFLOW_TRACKING_URI CLEARML_API_HOST CLEARML_FILES_HOST CLEARML_PROJECT OTEL_EXPORTER_OTLP_ENDPOINT TENSORBOARD_LOGGING_DIR

# Chosen by the configuration; what the settings refuse.
train "output_dir=$work/offline" tracking.report_to=[clearml,tensorboard] >"$work/log" 2>&1 || fail "offline: $(tail -n 3 "$work/log")"
check 0 "$(newest_run "$work/offline")" clearml-offline tensorboard || fail "offline trackers"
expect_exit 2 'mlflow has no server' train tracking.report_to=mlflow
expect_exit 2 "http or https URL, found 'sqlite:///x.db'" train tracking.report_to=mlflow tracking.mlflow_tracking_uri=sqlite:///x.db
expect_exit 2 'report_to.*one of' train report_to=wandb
MLFLOW_TRACKING_URI=file:./mlruns train "output_dir=$work/store" max_steps=1 >"$work/log" 2>&1 || fail "a store that is no server"
grep -q "'file:./mlruns' is no http or https server" "$work/log" || fail "no word about a store that is no server"

# One run a fault, several at a time. The server comes back; sync; everything once.
one_fault() { # one_fault FAULT
    local fault=$1 port run began seconds
    case $fault in
        refused) port=9 ;;
        *) stand_in "$fault" tracker_server.py "$fault" ;;
    esac
    began=$(date +%s%N)
    train "output_dir=$work/$fault" tracking.exit_seconds=0.5 "tracking.mlflow_tracking_uri=http://127.0.0.1:$port" "tracking.otlp_endpoint=http://127.0.0.1:$port" \
        "tracking.clearml_api_host=http://127.0.0.1:$port" "tracking.clearml_files_host=http://127.0.0.1:$port" tracking.clearml_project=tickets >"$work/$fault.log" 2>&1 || { echo "FAILED: $fault: $(tail -n 3 "$work/$fault.log")"; return; }
    seconds=$((($(date +%s%N) - began) / 1000000000))
    run=$(newest_run "$work/$fault")
    [ "$(adapter_sha "$run")" = "$reference" ] || echo "FAILED: $fault: another adapter"
    [ "$seconds" -le 15 ] || echo "FAILED: $fault: the run took $seconds s"
    grep -q 'nothing is lost, and temper runs sync' "$work/$fault.log" || echo "FAILED: $fault: no word about what is missing: $(tail -n 3 "$work/$fault.log")"
    case $fault in
        refused | hang-connect) stand_in "$fault-back" tracker_server.py ;;
        *) mode ok ;;
    esac
    MLFLOW_TRACKING_URI=http://127.0.0.1:$port OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:$port CLEARML_API_HOST=http://127.0.0.1:$port CLEARML_FILES_HOST=http://127.0.0.1:$port \
        CLEARML_PROJECT=tickets "$temper" runs sync "$run" >"$work/$fault.sync" 2>&1 ||
        echo "FAILED: $fault: sync: $(tail -n 3 "$work/$fault.sync")"
    check "$port" "$run" mlflow otlp clearml 2>&1 || echo "FAILED: $fault: not the journal"
    kill "${servers[@]}" 2>/dev/null
}
faults="refused hang-connect 500 500-applied 429 hang hang-body garbage html wrong half drip redirect truncated reset"
for fault in $faults; do
    (servers=(); one_fault "$fault") >"$work/$fault.verdict" 2>&1 &
    [ "$(jobs -rp | wc -l)" -lt 6 ] || wait -n
done
wait $(jobs -p | grep -vxF "$(printf '%s\n' "${servers[@]}")")
for fault in $faults; do [ ! -s "$work/$fault.verdict" ] || fail "$fault: $(cat "$work/$fault.verdict")"; done

# Killed in the middle before a server that fails every third time, and run again: the same tracker run, each figure once.
stand_in flaky tracker_server.py flaky
killed() { exec "$temper" sft "$work/tiny.yaml" eval_steps=4 "output_dir=$work/killed" num_train_epochs=8 "tracking.mlflow_tracking_uri=http://127.0.0.1:$port" tracking.report_to=[mlflow,tensorboard] save_steps=9 --resume auto; }
killed >"$work/log" 2>&1 &
child=$!
for _ in $(seq 200); do
    [ "$(wc -l 2>/dev/null <"$(newest_run "$work/killed" 2>/dev/null)/metrics.jsonl")" -ge 16 ] 2>/dev/null && break
    sleep 0.05
done
kill -KILL "$child" || fail "it ended before it could be killed"
wait "$child" 2>/dev/null
(killed) >"$work/log" 2>&1 || fail "resumed: $(tail -n 3 "$work/log")"
run=$(newest_run "$work/killed")
mode ok
"$temper" runs sync "$run" >"$work/stdout" 2>&1 || fail "sync of the killed run: $(cat "$work/stdout")"
check "$port" "$run" mlflow tensorboard || fail "a killed and resumed run"
finish
