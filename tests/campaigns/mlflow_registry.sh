#!/usr/bin/env bash
# The registry's mirror in MLflow itself, and runs that MLflow's own client began: a server on loopback, what temper sends there, read back by the client from PyPI.
# The server is killed in between.      mlflow_registry.sh PATH_OF_TEMPER
set -euo pipefail
temper=$(realpath "$1")
root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/tests/campaigns/mlflow_server.sh"
cd "$work"
export MLFLOW_EXPERIMENT_NAME=tickets
start_server
head -n 32 "$root/jobs/data/tickets_train.jsonl" >train.jsonl
cat >run.yaml <<CONFIG
model: $root/tests/goldens/tiny_chat
data: {train: train.jsonl, max_length: 256}
lora: {r: 4, lora_alpha: 8}
train: {max_steps: 3, global_batch_size: 8, micro_batch_tokens: 1024, learning_rate: 5e-3}
CONFIG
printf 'rules:\n  - {metric: performance.seconds, max: 600}\n' >gate.yaml
train() { "$temper" sft run.yaml "$@" >log 2>&1 || { tail -n 5 log; exit 1; }; }
promote() {
    "$temper" gate --record "$1" --rules gate.yaml --verdict "$1.json" >log 2>&1
    "$temper" registry promote "$1" --name tickets --alias production --verdict "$1.json" >out 2>warnings
}

train run_name=first
train run_name=second seed=2
train run_name=third seed=3
"$temper" registry add first --name tickets --alias candidate
promote second
[ ! -s warnings ] || { cat warnings; exit 1; }
stop_server
promote third
grep -q 'temper registry sync mirrors the rest' warnings || { echo "no word about a server that is down"; cat warnings; exit 1; }
"$temper" registry sync && { echo "sync without a server"; exit 1; } || [ $? -eq 74 ]
start_server
"$temper" registry sync
[ "$("$temper" registry sync)" = "0 versions created, 3 known already, 0 aliases moved" ] || { echo "the second sync: $("$temper" registry sync)"; exit 1; }
"$temper" registry alias tickets v3 1 2>warnings
grep -q "reserved" warnings || { echo "no word about a name that MLflow reserves"; exit 1; }

# Runs that the client begins: one with its own figures, one whose server dies.
begin() {
    "$python" - "$1" <<'PYTHON'
import sys, mlflow
mlflow.set_experiment("theirs")
with mlflow.start_run(run_name=sys.argv[1]) as run:
    mlflow.log_param("source", "shop")
    mlflow.log_metric("prepared", 5)
    mlflow.set_tag("team", "shop")
print(run.info.run_id)
PYTHON
}
theirs=$(begin theirs 2>>client.log | tail -n 1)  # the client prints addresses, too
later=$(begin later 2>>client.log | tail -n 1)
MLFLOW_RUN_ID=$theirs train run_name=fourth
MLFLOW_RUN_ID=$theirs train run_name=fifth
stop_server
MLFLOW_RUN_ID=$later train run_name=sixth tracking.exit_seconds=0.5
start_server
"$temper" runs sync --all >log 2>&1 || { cat log; exit 1; }
"$python" - "$theirs" "$later" 2>>client.log <<'PYTHON' || { tail -n 5 client.log; exit 1; }
import glob, hashlib, json, pathlib, sys
import mlflow
client = mlflow.MlflowClient()
record = lambda name: json.load(open(glob.glob(f"runs/*-{name}-*/run.json")[0]))
sha256 = lambda data: hashlib.sha256(data).hexdigest()
versions = sorted(client.search_model_versions("name='tickets'"), key=lambda v: int(v.version))
assert len(versions) == 3, versions
for name, version in zip(("first", "second", "third"), versions):
    run = client.get_run(version.run_id)
    assert run.data.tags["temper.run_id"] == record(name)["run_id"] == version.tags["temper.run_id"], version
    assert version.source == run.info.artifact_uri + "/adapter", version
    folder = pathlib.Path(mlflow.artifacts.download_artifacts(f"models:/tickets/{version.version}"))
    data = (folder / "adapter_model.safetensors").read_bytes()
    assert sha256(data) == version.tags["temper.adapter_sha256"] == sha256(pathlib.Path(glob.glob(f"runs/*-{name}-*/adapter/adapter_model.safetensors")[0]).read_bytes()), version
assert [v.tags["temper.gate"] for v in versions] == ["not judged", "passed", "passed"], versions
assert client.get_model_version_by_alias("tickets", "production").version == versions[2].version
assert client.get_registered_model("tickets").aliases == {"candidate": versions[0].version, "production": versions[2].version}, client.get_registered_model("tickets").aliases
print(f"registry: MLflow {mlflow.__version__}'s client finds {len(versions)} versions, loads each one's adapter with the bytes that were registered, and production")
theirs, later = sys.argv[1:]
def of(name):
    found = client.search_runs([client.get_experiment_by_name("theirs").experiment_id], f"tags.`temper.run_id` = '{record(name)['run_id']}'")
    assert len(found) == 1, (name, found)
    return found[0]
for name, wanted, title in (("fourth", theirs, "theirs"), ("sixth", later, "later")):
    run = of(name)
    assert run.info.run_id == wanted and run.info.run_name == title and run.info.status == "FINISHED", run
    assert run.data.params["source"] == "shop" and run.data.metrics["prepared"] == 5 and run.data.tags["team"] == "shop"
    rows = [json.loads(line) for line in open(glob.glob(f"runs/*-{name}-*/metrics.jsonl")[0])]
    history = client.get_metric_history(wanted, "loss")
    assert sorted((m.step, m.value) for m in history) == sorted((row["step"], row["loss"]) for row in rows), history
assert of("fifth").data.tags["mlflow.parentRunId"] == theirs
print("MLFLOW_RUN_ID: two runs that the client began were gone on in, each figure once; a third is nested")
PYTHON
