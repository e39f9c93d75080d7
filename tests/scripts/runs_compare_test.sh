#!/bin/bash
# temper runs compare and report: two trainings on data that differs, an evaluation of each adapter, and which one is better.
. "$(dirname "$0")/common.sh"
cd "$work" || exit 1
export TEMPER_OUTPUT_DIR=$work/runs
tasks=$root/tests/goldens/eval/tasks
tiny_config tiny.yaml
head -n 62 train.jsonl >fewer.jsonl
sed -n '3p' "$root/jobs/data/tickets_heldout.jsonl" >>fewer.jsonl
train() { "$temper" sft tiny.yaml train.max_steps=2 train.save_steps=0 "$@" --json 2>>log | tail -n 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["run_dir"])'; }
evaluate() { "$temper" eval --model "$model" --tasks "$tasks/choice.yaml" --dtype float32 --bootstrap-iters 0 "$@" >>log 2>&1 || fail "eval $*: $(tail -n 3 log)"; }
a=$(train run_name=old)
b=$(train run_name=new data.train=fewer.jsonl lora.r=8 train.learning_rate=0.5)
[ -d "$a" ] && [ -d "$b" ] || { fail "no runs: $(tail -n 5 log)"; finish; }
"$temper" runs compare "$a" "$b" >text || fail "compare without evaluations"
grep -q 'no scores: .*-old-.* has no evaluation' text || fail "said: $(cat text)"
evaluate --adapter "$a/adapter" --run-name old-eval
evaluate --adapter "$b/adapter" --run-name new-eval
"$temper" runs compare old- new- --output-dir runs >text 2>stderr && fail "a part of an id that two runs have"
"$temper" runs compare "$a" "$b" --report page.html >text 2>stderr || fail "compare: $(cat stderr)"
grep -q 'a  .*-old-.*scores of .*old-eval' text || fail "no scores of the evaluation: $(cat text)"
grep -Eq 'tiny_choice[a-z_]*/acc,none: .* -> .*\(95%: .* p .*samples\)' text || fail "no certainty: $(cat text)"
grep -q 'rows added, .* removed' text && grep -q '^    [+-] {' text || fail "no data: $(cat text)"
grep -q 'lora.r: 4 -> 8' text && grep -q 'kernels: the same' text || fail "no settings: $(cat text)"
grep -q '<svg' page.html && grep -q 'Scores side by side' page.html || fail "page.html"
"$temper" runs compare "$a" "$b" --json | python3 -c '
import json, sys
r = json.loads(sys.stdin.read())
assert r["status"] == "done" and r["scores"] and r["data"][0]["added"] == 1 and r["data"][0]["removed"] == 2, r
for score in r["scores"]:
    assert score["low"] <= score["mean_difference"] <= score["high"] and 0 < score["p"] <= 1, score
' || fail "compare --json"
"$temper" runs report "$b" --baseline "$a" >stdout || fail "report"
grep -q 'Settings that differ' "$b/report.html" && grep -q '<h2>Stages</h2>' "$b/report.html" || fail "report.html"
# The trainings' own records: stages and times.
python3 -c '
import json, sys
r = json.load(open(sys.argv[1] + "/run.json"))
assert [s["name"] for s in r["stages"]] == ["prepare", "train"] and all(s["status"] == "finished" for s in r["stages"]), r["stages"]
assert r["kind"] == "sft" and r["performance"]["wall_seconds"] >= r["stages"][1]["seconds"] > 0, r
' "$a" || fail "record of a training"
finish
