#!/usr/bin/env bash
# jobs/nightly.sh on the tiny model: killed before, in and after the work of every stage and started again each time, it ends as a night that nobody
# disturbed. A second night that the gate stops leaves production as it is, and later ones are compared with the production of their evening.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/nightly_configs.sh"
nightly_configs "$work" 64 4 32 3 1
head -n 24 "$root/jobs/data/tickets_heldout.jsonl" >"$work/heldout.jsonl"
cat >"$work/tickets.yaml" <<'YAML'
task: tickets
dataset_path: json
dataset_kwargs: {data_files: {test: heldout.jsonl}}
test_split: test
output_type: loglikelihood
doc_to_text: "{{prompt[-1].content}}"
doc_to_target: "{{completion[0].content}}"
metric_list: [{metric: perplexity, aggregation: perplexity, higher_is_better: false}]
YAML
cat >"$work/gate.yaml" <<'YAML'
rules:
  - {metric: tickets/perplexity, name: held-out tickets, not_significantly_worse: true}
YAML
cat >"$work/night.env" <<ENV
: "\${NAME:=tickets}" "\${NIGHT:=1}" "\${MODEL:=$model}" "\${SFT_CONFIG:=$work/sft.yaml}" "\${DPO_CONFIG=$work/dpo.yaml}" "\${RULES:=$work/gate.yaml}"
: "\${OUTPUT_DIR:=$work/runs}" "\${REGISTRY:=$work/registry}" "\${RANKS:=1}" "\${TEMPER:=$temper}"
EVAL=(--tasks $work/tickets.yaml)
TRAIN=() SFT=() DPO=()
ENV
# temper, but the first time in a stage its caller is killed before the work, the second time both in the middle of it, the third time after it.
cat >"$work/killer" <<KILLER
#!/usr/bin/env bash
[ -n "\${NIGHTLY_STAGE:-}" ] || exec "$temper" "\$@"
mark=$work/killed.\$NIGHTLY_STAGE
case \$(cat "\$mark" 2>/dev/null) in
    "") echo before >"\$mark"; kill -9 \$PPID; exit 9 ;;
    before)
        echo during >"\$mark"
        "$temper" "\$@" & sleep 0.0\$((RANDOM % 90 + 10)); kill -9 \$! 2>/dev/null; kill -9 \$PPID; exit 9 ;;
    during)
        "$temper" "\$@" || exit; echo after >"\$mark"; kill -9 \$PPID; exit 9 ;;
    *) exec "$temper" "\$@" ;;
esac
KILLER
chmod +x "$work/killer"
night() { bash "$root/jobs/nightly.sh" "$work/night.env" >"$work/out" 2>"$work/err"; }

stand_in mlflow tracker_server.py

OUTPUT_DIR=$work/quiet REGISTRY=$work/quiet_registry night || fail "an undisturbed night: exit $?: $(tail -n 3 "$work/err")"
starts=0
export MLFLOW_TRACKING_URI=http://127.0.0.1:$port
until TEMPER=$work/killer night; do
    code=$?
    starts=$((starts + 1))
    [ "$code" -eq 137 ] && [ "$starts" -lt 40 ] || break
done
# Eight stages call temper: three kills each.
[ "$starts" -eq 24 ] || fail "killed $starts times, the last exit $code: $(tail -n 3 "$work/err")"
grep -q "MLflow's registry: as here" "$work/out" || fail "the mirror: $(cat "$work/runs/nightly/1/mirror.json") $(tail -n 20 "$work/err")"
python3 - "$work" "$MLFLOW_TRACKING_URI" <<'PYTHON' || fail "what MLflow has"
import collections, json, pathlib, sys, urllib.request
state = json.load(urllib.request.urlopen(sys.argv[2] + "/_state"))
assert not state.get("errors"), state["errors"]
records = [json.load(open(path)) for path in pathlib.Path(sys.argv[1], "runs").glob("[!.]*/run.json")]
runs = collections.Counter(run["tags"]["temper.run_id"] for run in state["runs"].values())
assert set(runs) <= {record["run_id"] for record in records} and set(runs.values()) == {1}, runs
(dpo,) = [record for record in records if record["kind"] == "dpo"]
model = state["models"]["tickets"]
(version,) = model["versions"]
assert model["aliases"] == {"production": "1"} and version["tags"]["temper.gate"] == "passed", model
assert version["tags"]["temper.run_id"] == dpo["run_id"] == state["runs"][version["run_id"]]["tags"]["temper.run_id"], version
assert version["source"] == state["runs"][version["run_id"]]["artifact_uri"] + "/adapter", version
PYTHON
unset MLFLOW_TRACKING_URI
runs_of() { ls -d "$work/$1"/*Z-*"$2"* | wc -l; }
for name in nightly-1-sft nightly-1-dpo; do
    [ "$(runs_of runs "$name")" -eq 1 ] || fail "$(runs_of runs "$name") runs $name"
    [ "$(adapter_sha "$work"/runs/*"$name"*)" = "$(adapter_sha "$work"/quiet/*"$name"*)" ] || fail "$name: another adapter"
done
[ "$(runs_of runs eval-)" -eq 2 ] || fail "$(runs_of runs eval-) evaluations"
python3 - "$work" <<'PYTHON' || fail "another night"
import json, pathlib, sys
work = pathlib.Path(sys.argv[1])
def state(runs, registry):
    verdict = json.load(open(work / runs / "nightly/1/verdict.json"))
    production = json.load(open(work / registry / "tickets/aliases/production.json"))
    history = json.load(open(work / registry / "tickets/history/production.json"))["moves"]
    versions = len(list((work / registry / "tickets/versions").glob("*.json")))
    same = ("name", "kind", "passed", "value", "baseline", "p_value", "difference", "samples")
    return {"checks": [{key: check.get(key) for key in same} for check in verdict["checks"]], "adapter": production["adapter_sha256"],
            "judged": verdict["record"]["adapter_sha256"], "version": production["version"], "moves": len(history), "versions": versions}
killed, quiet = state("runs", "registry"), state("quiet", "quiet_registry")
assert killed == quiet, (killed, quiet)
assert killed["moves"] == 1 and killed["versions"] == 1 and killed["adapter"] == killed["judged"], killed
# What begins with a point was being made when its process was killed: it was never a run.
records = [json.load(open(path)) for path in (work / "runs").glob("[!.]*/run.json")]
(night,) = [record for record in records if record["kind"] == "exec"]
parts = [record for record in records if record["kind"] != "exec"]
assert len(parts) == 4 and all(part["parent_run_id"] == night["run_id"] for part in parts), [part["parent_run_id"] for part in parts]
assert night["status"] == "finished" and night["tags"]["outcome"] == "promoted" and night["metrics"]["gate_failures"] == 0, night
for run in [*(work / "runs").glob("*nightly-1-sft-*"), *(work / "runs").glob("*nightly-1-dpo-*")]:
    steps = [json.loads(line)["step"] for line in open(run / "metrics.jsonl") if "loss" in json.loads(line)]
    assert steps == sorted(set(steps)), (run, steps)
PYTHON
# Done is done: the report again, and no work.
before=$(ls "$work/runs" | wc -l)
night || fail "a finished night: exit $?"
grep -q 'held-out tickets: better than the baseline by' "$work/out" || fail "no answer in the report: $(cat "$work/out")"
[ "$(ls "$work/runs" | wc -l)" -eq "$before" ] || fail "a finished night works again"
RULES=$work/dpo.yaml night
[ $? -eq 2 ] || fail "other settings are taken"

# Tonight's adapter has learnt next to nothing: exit 3, production stays, and the adapter is there as a candidate.
production=$(cat "$work/registry/tickets/aliases/production.json")
sed 's/5e-3/1e-9/' "$work/sft.yaml" >"$work/bad.yaml"
NIGHT=2 SFT_CONFIG=$work/bad.yaml DPO_CONFIG= night
[ $? -eq 3 ] || fail "a worse adapter passes: $(cat "$work/out")"
grep -q 'held-out tickets: worse than the baseline' "$work/out" || fail "no answer in the report: $(cat "$work/out")"
[ "$production" = "$(cat "$work/registry/tickets/aliases/production.json")" ] || fail "production moved"
[ "$("$temper" registry resolve tickets@candidate --registry "$work/registry")" = "$(ls -d "$work"/runs/*nightly-2-sft*)/adapter" ] || fail "no candidate"
NIGHT=2 SFT_CONFIG=$work/bad.yaml DPO_CONFIG= night
[ $? -eq 3 ] || fail "a stopped night forgets its exit code"

# Two better nights: each is compared with what production was as it began, the second with an adapter that a comparison had let in.
# sha_in FILE [KEY]: the adapter that a file's JSON, or an object in it, is of.
sha_in() { python3 -c 'import functools, json, sys; print(functools.reduce(dict.get, sys.argv[2:], json.load(open(sys.argv[1])))["adapter_sha256"])' "$@"; }
production_sha() { sha_in "$work/registry/tickets/aliases/production.json"; }
for NIGHT in 3 4; do
    before=$(production_sha)
    sed "s/max_steps: 4/max_steps: $((NIGHT * 4))/" "$work/sft.yaml" >"$work/night$NIGHT.yaml"
    NIGHT=$NIGHT SFT_CONFIG=$work/night$NIGHT.yaml DPO_CONFIG= night || fail "night $NIGHT: exit $?: $(cat "$work/out")"
    compared=$(sha_in "$work/runs/nightly/$NIGHT/verdict.json" baseline)
    [ -n "$before" ] && [ "$compared" = "$before" ] || fail "night $NIGHT is compared with $compared instead of $before"
    [ "$(production_sha)" = "$(adapter_sha "$work"/runs/*nightly-$NIGHT-sft*)" ] || fail "night $NIGHT: production is another adapter"
done

# A signal, once to one process and once to ranks: the training saves, the night ends with 75, nothing goes on alone, and the next start goes on.
sed 's/max_steps: 4/max_steps: 4000/; s/save_steps: 1/save_steps: 1000/' "$work/sft.yaml" >"$work/long.yaml"
run=
steps() { ls "$run"/checkpoints 2>/dev/null | sed 's/step-0*//' | tail -n 1; }
stopped_at=0
for turn in "1 USR1" "2 TERM"; do
    read -r RANKS signal <<<"$turn"
    has_mpi || RANKS=1
    RANKS=$RANKS NIGHT=5 SFT_CONFIG=$work/long.yaml DPO_CONFIG= bash "$root/jobs/nightly.sh" "$work/night.env" >"$work/out" 2>"$work/err" &
    night=$!
    for _ in $(seq 600); do
        run=$(ls -d "$work"/runs/*nightly-5-sft* 2>/dev/null)
        [ -n "$run" ] && grep -q '"name": "train"' "$run/run.json" && grep -q '"status": "running"' "$run/run.json" && break
        sleep 0.05
    done
    sleep 0.5
    kill "-$signal" "$night"
    wait "$night"
    code=$?
    [ "$code" -eq 75 ] || fail "$signal to a night: exit $code: $(tail -n 3 "$work/err")"
    is_running "$work/long.yaml" && fail "$signal left a process"
    grep -q '"status": "preempted"' "$run/run.json" || fail "$signal: the training's record: $(grep '"status"' "$run/run.json")"
    [ "$(steps)" -gt "$stopped_at" ] || fail "$signal: stopped at step $(steps) after $stopped_at"
    stopped_at=$(steps)
done
finish
