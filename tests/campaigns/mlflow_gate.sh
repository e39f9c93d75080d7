#!/usr/bin/env bash
# temper gate and temper prompts against MLflow itself: a server on loopback, runs that its own Python client logs, read from the server and from a
# folder of runs, and prompts that the client loads back.      mlflow_gate.sh PATH_OF_TEMPER
set -euo pipefail
temper=$(realpath "$1")
. "$(dirname "$0")/mlflow_server.sh"
cd "$work"
start_server

log_runs() {  # log_runs URI: ids of a good, a worse, a NaN and an unfinished run
    MLFLOW_ALLOW_FILE_STORE=true MLFLOW_TRACKING_URI=$1 "$python" - <<'PYTHON'
import mlflow
mlflow.set_experiment("gate")
for name, figures in {"good": [0.6, 0.8], "worse": [0.9, 0.7], "nan": [0.8, float("nan")]}.items():
    with mlflow.start_run(run_name=name) as run:
        for step, value in enumerate(figures):
            mlflow.log_metric("eval/acc", value, step=step)
    print("id", run.info.run_id)
client = mlflow.MlflowClient()
run = client.create_run(mlflow.get_experiment_by_name("gate").experiment_id)
client.log_metric(run.info.run_id, "eval/acc", 0.9)
print("id", run.info.run_id)
PYTHON
}
printf 'rules:\n  - {metric: eval/acc, min: 0.5, no_worse_by: 0.05}\n' >gate.yaml
expect() {  # expect CODE RECORD BASELINE
    local code=0
    "$temper" gate --rules gate.yaml --record "$2" --baseline "$3" >out 2>&1 || code=$?
    [ "$code" -eq "$1" ] || { echo "exit $code instead of $1: $2 against $3"; cat out; exit 1; }
}
check_runs() {  # check_runs URI
    local ids
    mapfile -t ids < <(log_runs "$1" 2>>client.log | sed -n 's/^id //p')
    [ "${#ids[@]}" -eq 4 ] || { echo "$1: the client logged ${#ids[@]} runs"; tail -n 5 client.log; exit 1; }
    MLFLOW_TRACKING_URI=$1
    expect 0 "mlflow:${ids[0]}" "mlflow:${ids[1]}"
    expect 3 "mlflow:${ids[1]}" "mlflow:${ids[0]}"
    expect 3 "mlflow:${ids[2]}" "mlflow:${ids[0]}"
    expect 3 "mlflow:${ids[3]}" "mlflow:${ids[0]}"
    expect 66 "mlflow:00000000000000000000000000000000" "mlflow:${ids[0]}"
    echo "gate: good, worse, NaN, unfinished and absent runs of ${1%%:*}: as expected"
}
check_runs "http://127.0.0.1:$port"
check_runs "file://$work/mlruns"
MLFLOW_TRACKING_URI=http://127.0.0.1:$port

printf 'name: judge\ndescription: first\ntemplate: |\n  Is {{ answer }} right?\ntags: {team: shop}\n' >judge.yaml
printf 'name: assistant\nmessages:\n  - {role: system, content: Be brief.}\n  - {role: user, content: "{{ question }}"}\n' >assistant.yaml
"$temper" prompts add judge.yaml assistant.yaml --alias production
sed 's/right/wrong/' judge.yaml >judge2.yaml
"$temper" prompts add judge2.yaml --alias candidate
"$temper" prompts sync
[ "$("$temper" prompts sync)" = "0 versions created, 3 known already, 0 aliases moved" ] || { echo "the second sync: $("$temper" prompts sync)"; exit 1; }
"$python" - <<'PYTHON'
import mlflow
judge = mlflow.genai.load_prompt("prompts:/judge@production")
assert judge.template == "Is {{ answer }} right?\n" and judge.version == 1 and judge.tags["team"] == "shop", judge
assert mlflow.genai.load_prompt("prompts:/judge@candidate").format(answer="this") == "Is this wrong?\n"
chat = mlflow.genai.load_prompt("prompts:/assistant@production")
assert chat.template == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{{ question }}"}], chat.template
assert chat.format(question="why?")[1]["content"] == "why?"
print("prompts: loaded by MLflow", mlflow.__version__, "as they were registered")
PYTHON
