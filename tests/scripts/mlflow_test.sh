#!/usr/bin/env bash
# MLflow's model registry and runs that others began, against a stand-in: what temper registry does is mirrored, each version once whatever the server does;
# MLFLOW_RUN_ID names the run that is gone on in.
. "$(dirname "$0")/common.sh"
tiny_config "$work/tiny.yaml"
unset "${!MLFLOW_@}" "${!CLEARML_@}" "${!OTEL_@}" TENSORBOARD_LOGGING_DIR
stand_in mlflow tracker_server.py
server=http://127.0.0.1:$port
ask() { # ask PATH [BODY]
    python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], sys.argv[2].encode() if len(sys.argv) > 2 else None).read().decode())' "$server/$1" "${@:2}"
}
train() { "$temper" sft "$work/tiny.yaml" max_steps=2 "run_name=$1" "learning_rate=$2" >"$work/stdout" 2>"$work/stderr" || fail "sft: $(tail -n 3 "$work/stderr")"; }
registry() { "$temper" registry "$@" --registry "$work/registry"; }
runs=(--output-dir "$work/runs")

# Of four runs the server knows the second and the third.
train first 5e-3
export MLFLOW_TRACKING_URI=$server MLFLOW_EXPERIMENT_NAME=tickets
train second 4e-3
train third 3e-3
unset MLFLOW_TRACKING_URI
train fourth 2e-3
registry add first --name tickets --alias candidate "${runs[@]}" >/dev/null 2>"$work/stderr" || fail "add without a server"
[ ! -s "$work/stderr" ] || fail "words about a server that nobody named: $(cat "$work/stderr")"

# While the server is down the registry moves, and says what is missing.
verdict true "$work/runs/*second*" "$work/passed.json"
export MLFLOW_TRACKING_URI=http://127.0.0.1:9
registry promote second --name tickets --alias production --verdict "$work/passed.json" "${runs[@]}" --json >"$work/out" 2>"$work/stderr" || fail "promote while the server is down: $(cat "$work/stderr")"
grep -q 'temper registry sync mirrors the rest' "$work/stderr" || fail "no word about what is missing: $(cat "$work/stderr")"
python3 -c 'import json, sys; out = json.load(open(sys.argv[1])); assert out["status"] == "done" and out["mlflow"]["problems"], out' "$work/out" || fail "the result"
[ "$(registry resolve tickets@production)" = "$(registry resolve tickets:2)" ] || fail "production did not move"
expect_exit 74 'tickets:.*127.0.0.1:9' registry sync

# It is back; answers get lost on the way.
export MLFLOW_TRACKING_URI=$server
for fault in half 500-applied garbage truncated; do
    ask _mode "$fault" >/dev/null
    registry sync >/dev/null 2>"$work/stderr"
    [ $? -eq 74 ] || fail "sync before a server with $fault: $(cat "$work/stderr")"
done
ask _mode ok >/dev/null
registry sync 2>"$work/stderr" >"$work/out" || fail "sync: $(cat "$work/stderr")"
registry sync 2>"$work/stderr" | grep -qx '0 versions created, 2 known already, 0 aliases moved' || fail "the second sync: $(registry sync 2>&1)"

# A move mirrors by itself; the same one again is no move.
for _ in 1 2; do registry add third --name tickets --alias candidate "${runs[@]}" >/dev/null 2>"$work/stderr" || fail "add: $(cat "$work/stderr")"; done
verdict false "$work/runs/*fourth*" "$work/stopped.json"
registry add fourth --name tickets --verdict "$work/stopped.json" "${runs[@]}" >/dev/null || fail "add the fourth"
registry alias tickets latest 1 >/dev/null 2>"$work/stderr" || fail "an alias that MLflow reserves"
grep -q "tickets@latest.*reserved" "$work/stderr" || fail "no word about an alias that MLflow reserves: $(cat "$work/stderr")"
rm "$work/registry/tickets/aliases/latest.json"
verdict true "$work/runs/*third*" "$work/third.json"
registry promote third --name tickets --alias production --verdict "$work/third.json" "${runs[@]}" >/dev/null || fail "promote the third"
registry rollback --name tickets --alias production >/dev/null || fail "rollback"
for _ in 1 2 3 4; do registry sync >/dev/null 2>>"$work/sync.log" & syncs+=($!); done
wait "${syncs[@]}" || fail "four at once: $(cat "$work/sync.log")"
ask _state >"$work/state"
python3 - "$work" <<'PYTHON' || fail "what the server holds"
import glob, hashlib, json, sys
work = sys.argv[1]
state = json.load(open(f"{work}/state"))
assert not state.get("errors"), state["errors"]
model = state["models"]["tickets"]
assert list(state["models"]) == ["tickets"] and model["aliases"] == {"candidate": "3", "production": "2"}, model
names = ("first", "second", "third", "fourth")
assert len(model["versions"]) == 4, model["versions"]
for number, (name, version) in enumerate(zip(names, model["versions"]), 1):
    (run,) = glob.glob(f"{work}/runs/*{name}*")
    record = json.load(open(run + "/run.json"))
    sha256 = hashlib.sha256(open(run + "/adapter/adapter_model.safetensors", "rb").read()).hexdigest()
    assert version["tags"]["temper.run_id"] == record["run_id"] and version["tags"]["temper.adapter_sha256"] == sha256, version
    assert version["tags"]["temper.version"] == str(number), version
    tracked = [(i, r) for i, r in state["runs"].items() if r["tags"]["temper.run_id"] == record["run_id"]]
    if name in ("second", "third"):
        assert version["run_id"] == tracked[0][0] and version["source"] == tracked[0][1]["artifact_uri"] + "/adapter", version
    else:
        assert not tracked and version["run_id"] is None and version["source"] == f"temper:/{record['run_id']}/adapter", version
assert [v["tags"]["temper.gate"] for v in model["versions"]] == ["not judged", "passed", "passed", "stopped"], model
moves = [m[2] for m in state["alias_moves"] if m[1] == "production"]
assert moves == ["2", "3", "2"], moves
PYTHON

# A run that has not reached the server whole is waited for: its version keeps its source for ever.
ask _mode 500 >/dev/null
"$temper" sft "$work/tiny.yaml" max_steps=1 run_name=fifth tracking.exit_seconds=0.2 >"$work/stdout" 2>&1 || fail "sft while the server is down"
ask _mode ok >/dev/null
registry add fifth --name other "${runs[@]}" >/dev/null 2>"$work/stderr" || fail "add the fifth"
grep -q 'temper runs sync .*fifth.* comes first' "$work/stderr" || fail "no word about the run: $(cat "$work/stderr")"
"$temper" runs sync "$work"/runs/*fifth* >/dev/null 2>&1 || fail "runs sync"
registry sync 2>&1 | grep -qx '1 versions created, 4 known already, 0 aliases moved' || fail "sync after the run's: $(registry sync 2>&1)"
expect_exit 2 'expected the URL of an MLflow server' registry sync --mlflow mlruns
expect_exit 2 'expected the URL of an MLflow server' registry alias tickets candidate 1 --mlflow mlruns
MLFLOW_TRACKING_URI=mlruns expect_exit 2 'expected the URL of an MLflow server' registry sync
[ "$(registry resolve tickets@candidate)" = "$(registry resolve tickets:3)" ] || fail "an alias moved although the server's URL is wrong"

# MLFLOW_RUN_ID: the run is gone on in; what comes behind it is nested there; the server's being down, and a sync elsewhere, change nothing.
begin() { # begin NAME: a run of somebody's, its id
    ask api/2.0/mlflow/runs/create "{\"experiment_id\": \"1\", \"run_name\": \"$1\", \"start_time\": 1700000000000, \"tags\": [{\"key\": \"mlflow.runName\", \"value\": \"$1\"}, {\"key\": \"team\", \"value\": \"shop\"}]}" |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["run"]["info"]["run_id"])'
}
theirs=$(begin theirs)
ask api/2.0/mlflow/runs/log-batch "{\"run_id\": \"$theirs\", \"metrics\": [{\"key\": \"prepared\", \"value\": 5, \"timestamp\": 1700000000000, \"step\": 0}], \"params\": [{\"key\": \"source\", \"value\": \"shop\"}]}" >/dev/null
MLFLOW_RUN_ID=$theirs "$temper" sft "$work/tiny.yaml" max_steps=2 run_name=sixth >"$work/stdout" 2>&1 || fail "sft with MLFLOW_RUN_ID"
MLFLOW_RUN_ID=$theirs "$temper" sft "$work/tiny.yaml" max_steps=1 run_name=seventh >"$work/stdout" 2>&1 || fail "another with the same MLFLOW_RUN_ID"
later=$(begin later)
ask _mode 500 >/dev/null
MLFLOW_RUN_ID=$later "$temper" runs exec --name eighth "${runs[@]}" -- "$temper" sft "$work/tiny.yaml" max_steps=1 run_name=ninth tracking.exit_seconds=0.2 >"$work/stdout" 2>&1 || fail "a step with MLFLOW_RUN_ID"
ask _mode ok >/dev/null
"$temper" runs sync --all "${runs[@]}" >"$work/stdout" 2>&1 || fail "sync: $(cat "$work/stdout")"
"$temper" runs sync --all "${runs[@]}" >"$work/stdout" 2>&1 || fail "the second sync: $(cat "$work/stdout")"
expect_exit 0 'MLFLOW_RUN_ID:.*has no run 0123' env MLFLOW_RUN_ID=0123 "$temper" sft "$work/tiny.yaml" max_steps=1 run_name=tenth tracking.exit_seconds=0.5
ask _state >"$work/state"
python3 - "$work" "$theirs" "$later" <<'PYTHON' || fail "runs that others began"
import glob, json, sys
work, theirs, later = sys.argv[1:]
state = json.load(open(f"{work}/state"))
assert not state.get("errors"), state["errors"]
runs = state["runs"]
def of(name):
    (run,) = glob.glob(f"{work}/runs/*-{name}-*")
    run_id = json.load(open(run + "/run.json"))["run_id"]
    found = [(i, r) for i, r in runs.items() if r["tags"].get("temper.run_id") == run_id]
    assert len(found) == 1, (name, found)
    return found[0]
sixth, run = of("sixth")
assert sixth == theirs and run["tags"]["mlflow.runName"] == "theirs" and run["tags"]["team"] == "shop" and run["status"] == "FINISHED", run
assert sorted(m["step"] for m in run["metrics"] if m["key"] == "loss") == [1, 2] and len([m for m in run["metrics"] if m["key"] == "prepared"]) == 1
assert run["params"]["source"] == "shop" and run["params"]["train.max_steps"] == "2" and "mlflow.parentRunId" not in run["tags"]
seventh, run = of("seventh")
assert seventh != theirs and run["tags"]["mlflow.parentRunId"] == theirs and run["experiment_id"] == runs[theirs]["experiment_id"], run
assert of("eighth")[0] == later and runs[later]["tags"]["mlflow.runName"] == "later"
assert of("ninth")[1]["tags"]["mlflow.parentRunId"] == later, of("ninth")
PYTHON
finish
