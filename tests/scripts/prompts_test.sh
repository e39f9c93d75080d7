#!/usr/bin/env bash
# temper prompts on the command line, its mirror on a stand-in of MLflow's server, and temper gate over runs of such a server.
. "$(dirname "$0")/common.sh"
cat >"$work/judge.yaml" <<'YAML'
name: judge
description: first
template: |
  Is {{ answer }} right?
tags: {team: shop}
YAML
cat >"$work/assistant.yaml" <<'YAML'
name: assistant
messages:
  - {role: system, content: Be brief.}
  - {role: user, content: "{{ question }}"}
YAML
prompts() { "$temper" prompts "$@" --prompts "$work/prompts"; }
prompts add "$work/judge.yaml" "$work/assistant.yaml" --alias production >/dev/null || fail "add"
sed 's/right?/right? Say yes or no./; s/first/second/' "$work/judge.yaml" >"$work/judge2.yaml"
prompts add "$work/judge2.yaml" --alias candidate >"$work/stdout" || fail "the second version"
grep -Eq '^judge version 2  [0-9a-f]{12}  <- candidate$' "$work/stdout" || fail "add says: $(cat "$work/stdout")"
prompts add "$work/judge.yaml" | grep -q 'judge version 1 ' || fail "a text that is known is another version"
[ "$(prompts list | wc -l)" -eq 3 ] || fail "list: $(prompts list)"
prompts diff judge@production judge@candidate | grep -Fxq -- '+ Is {{ answer }} right? Say yes or no.' || fail "diff: $(prompts diff judge@production judge@candidate)"
prompts show judge:1 >"$work/shown.yaml"
prompts add "$work/shown.yaml" | grep -q 'judge version 1 ' || fail "what show prints is another prompt: $(cat "$work/shown.yaml")"
prompts alias judge@candidate production >/dev/null || fail "alias"
[ "$(prompts show judge@production --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["version"])')" = 2 ] || fail "the alias did not move"
printf 'name: judge\ntemplat: x\n' >"$work/wrong.yaml"
expect_exit 2 'wrong.yaml:2:1: unknown key "templat"; did you mean template\?' prompts add "$work/assistant.yaml" "$work/wrong.yaml"
expect_exit 66 'did you mean judge\?' prompts show juge@production

TEMPER_PROMPTS=$work/prompts "$temper" prompts list >"$work/listed" && [ "$(cat "$work/listed")" = "$(prompts list)" ] || fail "TEMPER_PROMPTS: $(cat "$work/listed")"

# An evaluation names a prompt by its alias, and records which text that was.
head -n 4 "$root/jobs/data/tickets_heldout.jsonl" >"$work/rows.jsonl"
printf 'name: ask\ntemplate: |\n  Make a ticket of: {{ prompt[-1].content }}\n' >"$work/ask.yaml"
prompts add "$work/ask.yaml" --alias production >/dev/null || fail "add ask"
printf 'name: tickets\ndata: rows.jsonl\nprompt: alias:ask@production\nmetrics: [exact_match]\ngeneration: {max_new_tokens: 2}\n' >"$work/set.yaml"
TEMPER_PROMPTS=$work/prompts "$temper" eval --model "$model" --sets "$work/set.yaml" --output-dir "$work/runs" >/dev/null 2>"$work/stderr" || fail "eval: $(tail -n 3 "$work/stderr")"
python3 - "$work" <<'PYTHON' || fail "the evaluation's prompt"
import glob, hashlib, json, sys
run = glob.glob(f"{sys.argv[1]}/runs/*Z-*")[0]
record = json.load(open(f"{run}/run.json"))["config"]["evaluation_sets"]["tickets"]
template = "Make a ticket of: {{ prompt[-1].content }}\n"
assert record["prompt_reference"] == "alias:ask@production" and record["prompt"] == template, record
version = json.load(open(f"{sys.argv[1]}/prompts/ask/versions/0001.json"))
assert record["prompt_sha256"] == version["sha256"] == hashlib.sha256(template.encode()).hexdigest(), (record, version)
sample = json.loads(open(f"{run}/eval/samples_tickets.jsonl").readline())
assert "Make a ticket of: " + sample["doc"]["prompt"][-1]["content"] in sample["arguments"]["gen_args_0"]["arg_0"], sample["arguments"]
PYTHON
expect_exit 66 'prompts.*no prompt ask' "$temper" eval --model "$model" --sets "$work/set.yaml" --output-dir "$work/runs"
rm -r "$work/prompts/ask"

# The mirror: each version once, however often.
stand_in mlflow mlflow_server.py "$work/runs.json"
export MLFLOW_TRACKING_URI=http://127.0.0.1:$port
expect_exit 74 'status 401' prompts sync
export MLFLOW_TRACKING_TOKEN=secret
prompts sync | grep -q '3 versions created, 0 known already, 3 aliases moved' || fail "the first sync"
prompts sync | grep -q '0 versions created, 3 known already, 0 aliases moved' || fail "the second sync"
sed 's/right?/wrong?/' "$work/judge.yaml" >"$work/judge3.yaml"
prompts add "$work/judge3.yaml" --alias candidate >/dev/null
prompts sync | grep -q '1 versions created, 3 known already, 1 aliases moved' || fail "the third sync"
python3 - "$MLFLOW_TRACKING_URI" <<'PYTHON' || fail "what the server holds"
import json, sys, urllib.request
models = json.load(urllib.request.urlopen(sys.argv[1] + "/state"))["models"]
judge = models["judge"]
tags = [{tag["key"]: tag["value"] for tag in version["tags"]} for version in judge["versions"]]
assert {"key": "mlflow.prompt.is_prompt", "value": "true"} in judge["tags"], judge
assert [tag["mlflow.prompt.text"] for tag in tags] == [f"Is {{{{ answer }}}} {end}\n" for end in ("right?", "right? Say yes or no.", "wrong?")], tags
assert judge["aliases"] == {"candidate": "3", "production": "2"} and tags[0]["team"] == "shop" and judge["versions"][1]["description"] == "second"
chat = {tag["key"]: tag["value"] for tag in models["assistant"]["versions"][0]["tags"]}
assert chat["_mlflow_prompt_type"] == "chat" and json.loads(chat["mlflow.prompt.text"])[1]["role"] == "user", chat
PYTHON
expect_exit 2 'expected the URL of an MLflow server' prompts sync --mlflow mlruns

# A gate over the server's runs.
cat >"$work/runs.json" <<'JSON'
{"aa01": {"info": {"run_id": "aa01", "status": "FINISHED"}, "data": {"metrics": [{"key": "eval/acc", "value": 0.8, "step": 3}, {"key": "loss", "value": "NaN"}]}},
 "aa02": {"info": {"run_id": "aa02", "status": "FINISHED"}, "data": {"metrics": [{"key": "eval/acc", "value": 0.7}, {"key": "loss", "value": 0.5}]}},
 "aa03": {"info": {"run_id": "aa03", "status": "RUNNING"}, "data": {"metrics": [{"key": "eval/acc", "value": 0.9}]}}}
JSON
printf 'rules:\n  - {metric: eval/acc, min: 0.5, no_worse_by: 0.05}\n' >"$work/gate.yaml"
gate() { "$temper" gate --rules "$work/gate.yaml" --record "mlflow:$1" --baseline "mlflow:$2" >"$work/stdout" 2>"$work/stderr"; }
gate aa01 aa02 || fail "a better run is stopped: $(cat "$work/stdout" "$work/stderr")"
gate aa02 aa01; [ $? -eq 3 ] || fail "a worse run passes"
gate aa03 aa01; [ $? -eq 3 ] || fail "a run that is not finished passes"
grep -q 'it is running, expected a finished one' "$work/stdout" || fail "no reason: $(cat "$work/stdout")"
printf 'rules:\n  - {metric: loss, max: 1}\n' >"$work/gate.yaml"
gate aa01 aa02; [ $? -eq 3 ] || fail "NaN passes"
gate aa04 aa02; [ $? -eq 66 ] || fail "a run that is not there: $(cat "$work/stderr")"
finish
