#!/bin/bash
# temper runs: steps of other programs with records, nested; what scripts log; list, show and query over them; exit codes and signals passed on.
. "$(dirname "$0")/common.sh"
cd "$work" || exit 1
export TEMPER=$temper MODEL=$model TEMPER_OUTPUT_DIR=$work/runs
runs() { "$temper" runs "$@"; }
field() {  # field RUN EXPRESSION: of its record, r
    python3 -c 'import json, sys; r = json.load(open(sys.argv[1] + "/run.json")); print(eval(sys.argv[2]))' "$1" "$2"
}

# A step: its output, its exit code, its record; a temper command within it is nested, and so is a step within a step.
cat >step.sh <<'STEP'
echo "to stdout"
echo "to stderr" >&2
echo "a report" >report.txt
"$TEMPER" runs log "$TEMPER_RUN_DIR" loss=0.5 params.beta=0.1 tags.outcome=success artifacts.report=report.txt note=fine || exit 1
for step in 1 2 3; do "$TEMPER" runs log "$TEMPER_RUN_DIR" --step $step loss=0.$((5 - step)) || exit 1; done
"$TEMPER" runs exec --name inner -- sh -c 'exit 4'
[ $? -eq 4 ] || exit 1
"$TEMPER" convert "$MODEL" --output model.gguf || exit 1
exit 3
STEP
runs exec --name outer --tag team=support -- sh step.sh extra --json >stdout 2>stderr
code=$?
[ "$code" -eq 3 ] || fail "exit $code of a step that ends with 3: $(cat stderr)"
[ "$(head -n 1 stdout)" = "to stdout" ] && grep -q '^to stderr$' stderr || fail "the output does not come through: $(cat stdout stderr)"
outer=$(ls -d runs/*-outer-*) inner=$(ls -d runs/*-inner-*) convert=$(ls -d runs/*-convert-*)
grep -q '^to stdout$' "$outer/output.log" && grep -q '^to stderr$' "$outer/output.log" || fail "output.log: $(cat "$outer/output.log")"
[ "$(field "$outer" '(r["kind"], r["status"], r["exit_code"], r["message"])')" = "('exec', 'failed', 3, 'exit code 3')" ] || fail "record: $(cat "$outer/run.json")"
[ "$(field "$outer" 'r["config"]["command"][2:]')" = "['extra', '--json']" ] || fail "the command's own options were taken: $(cat "$outer/run.json")"
[ "$(field "$outer" '(r["metrics"]["loss"], r["params"], r["tags"])')" = "(0.2, {'beta': 0.1, 'note': 'fine'}, {'team': 'support', 'outcome': 'success'})" ] ||
    fail "logged: $(cat "$outer/run.json")"
[ "$(field "$outer" 'sorted(a["role"] for a in r["artifacts"])')" = "['log', 'report']" ] || fail "artifacts: $(cat "$outer/run.json")"
[ "$(field "$outer" '[a["sha256"] for a in r["artifacts"] if a["role"] == "log"][0]')" = "$(sha256sum "$outer/output.log" | cut -d' ' -f1)" ] || fail "hash of the log"
[ "$(field "$outer" 'r["performance"]["wall_seconds"] > 0 and r["performance"]["cpu_seconds"] > 0')" = True ] || fail "no times: $(cat "$outer/run.json")"
[ "$(wc -l <"$outer/metrics.jsonl")" -eq 3 ] || fail "steps: $(cat "$outer/metrics.jsonl")"
for nested in "$inner" "$convert"; do
    [ "$(field "$nested" 'r["parent_run_id"]')" = "$(basename "$outer")" ] || fail "$nested is not nested: $(cat "$nested/run.json")"
done
[ "$(field "$convert" '(r["kind"], r["status"], len(r["artifacts"]), r["artifacts"][0]["path"])')" = "('convert', 'finished', 1, 'model.gguf')" ] ||
    fail "record of convert: $(cat "$convert/run.json")"

# A step that is finished is not run again, one that is not is.
count() { cat counted 2>/dev/null | wc -l; }
for turn in 1 2; do runs exec --name once --resume auto -- sh -c 'echo x >>counted' 2>stderr || fail "resume: $(cat stderr)"; done
[ "$(count)" -eq 1 ] && grep -q 'finished already' stderr || fail "a finished step was run again"
for turn in 1 2; do runs exec --name stopped --resume auto -- sh -c 'echo x >>counted; exit 75' 2>/dev/null; [ $? -eq 75 ] || fail "75 is not passed on"; done
[ "$(count)" -eq 3 ] || fail "a step that was stopped was not run again"
stopped=$(ls -d runs/*-stopped-*)
[ "$(field "$stopped" '(r["status"], r["exit_code"])')" = "('preempted', 75)" ] || fail "record of a stopped step: $(cat "$stopped/run.json")"

# Signals reach the program; a program that is not there; a wrapper that is killed leaves a run that is seen as interrupted.
"$temper" runs exec --name signalled -- sh -c 'trap "echo caught; exit 75" TERM; touch started; while :; do sleep 0.1; done' >caught 2>/dev/null &
step=$!
for _ in $(seq 100); do [ -e started ] && break; sleep 0.1; done
kill -TERM $step
wait $step
code=$?
[ "$code" -eq 75 ] && grep -q caught caught || fail "SIGTERM: exit $code, $(cat caught)"
expect_exit 127 'no-such-program: cannot be started: No such file' runs exec --name absent -- no-such-program
rm -f started
"$temper" runs exec --name killed -- sh -c 'touch started; exec sleep 60' >/dev/null 2>&1 &
step=$!
for _ in $(seq 100); do [ -e started ] && break; sleep 0.1; done
kill -KILL $step
wait $step 2>/dev/null
[ "$(runs query "status = 'interrupted'" --show run_name | grep -c killed)" -eq 1 ] || fail "a killed step: $(runs list)"

# list: nested ones stand below; query, with fields; nothing found; misspelt; wrong.
runs list >listed || fail "list"
grep -q "^  $(basename "$inner")  *failed" listed || fail "nesting: $(cat listed)"
[ "$(runs query "tags.outcome='success' and metrics.loss<0.3" --show metrics.loss,tags.team | tail -n 1 | awk '{print $1, $3, $4}')" = "$(basename "$outer") 0.2 support" ] ||
    fail "query: $(runs query "tags.outcome='success' and metrics.loss<0.3" --show metrics.loss,tags.team)"
runs query "status = 'failed'" --json | python3 -c 'import json, sys; r = json.load(sys.stdin); assert [x["run_name"] for x in r["runs"]] == ["outer", "inner", "absent"], r' ||
    fail "query --json"
runs query "metrics.los > 0" >stdout 2>stderr || fail "an unknown name is no failure"
[ ! -s stdout ] && grep -q 'column 1: no run has metrics.los; did you mean metrics.loss' stderr || fail "no hint: $(cat stderr)"
# Names of figures have commas, and are shown by their quotes; one that no run has is told.
runs log outer 'metrics.support/rouge1,none=0.75' || fail "log of a figure's name"
runs query "tags.outcome='success'" --show 'metrics.`support/rouge1,none`,metrics."support/rougeL,none"' >stdout 2>stderr || fail "--show of a quoted name: $(cat stderr)"
[ "$(tail -n 1 stdout | awk '{print $3, $4}')" = "0.75 -" ] || fail "--show of a quoted name: $(cat stdout)"
grep -q -- '--show: no run has metrics.support/rougeL,none; did you mean metrics.support/rouge1,none' stderr || fail "no hint: $(cat stderr)"
expect_exit 2 '\-\-show: no field "none"' runs list --show 'metrics.support/rouge1,none'
expect_exit 2 '\-\-show: column 9: the text that begins here has no closing `' runs list --show 'metrics.`loss'
# A record of other types is passed over.
mkdir -p runs/broken
sed 's/"status": "[a-z]*"/"status": null/' "$outer/run.json" >runs/broken/run.json
runs list >listed 2>stderr || fail "a broken record stops the list: $(cat stderr)"
grep -q 'broken/run.json: status: found null, expected a text' stderr && grep -q "$(basename "$outer")" listed || fail "a broken record: $(cat stderr listed)"
rm -r runs/broken
expect_exit 2 "query: column 14: found '~'" runs query 'metrics.loss ~ 3'
expect_exit 66 'no run of that path' runs show nothing
runs show outer | grep -q "$(basename "$inner")  exec  failed" || fail "show: no nested runs: $(runs show outer)"
expect_exit 2 'metrics.loss: expected a number, found "high"' runs log outer metrics.loss=high
expect_exit 66 'artifacts.report: none.txt: no such file' runs log outer artifacts.report=none.txt
expect_exit 2 'keeps its own curves' runs log "$convert" --step 3 loss=1
expect_exit 2 'no command is given' runs exec --name empty

# The index anew, and where it cannot be: the same answers.
runs list --json >before.json
rm runs/.index.sqlite
runs index --rebuild --json | python3 -c 'import json, sys; r = json.load(sys.stdin); assert r["records_read"] == r["runs"] > 5, r' || fail "index --rebuild"
runs list --json >after.json
cmp -s before.json after.json || fail "another answer of a new index"
rm runs/.index.sqlite && mkdir runs/.index.sqlite && touch runs/.index.sqlite/taken
runs list --json >memory.json 2>/dev/null
cmp -s before.json memory.json || fail "another answer without a file"

# Options that every record has; they are checked before anything is made.
expect_exit 2 '\-\-tag: found "none", expected name=value' "$temper" convert "$model" --output never.gguf --tag none
expect_exit 2 '\-\-parent: found "x"' "$temper" convert "$model" --output never.gguf --parent x
printf 'currency: USD\nmachines:\n  - {device: cpu, per_device_hour: 3600}\n' >prices.yaml
"$temper" convert "$model" --output priced.gguf --run-name priced --price-table prices.yaml 2>/dev/null || fail "convert with prices"
priced=$(ls -d runs/*-priced-*)
[ "$(field "$priced" 'r["cost"]["currency"] == "USD" and 0 < r["cost"]["amount"] < 100 and r["performance"]["cost"] == r["cost"]["amount"]')" = True ] ||
    fail "cost: $(cat "$priced/run.json")"
"$temper" convert "$model" --output priced.gguf --run-name fails 2>/dev/null && fail "an output that exists was written over"
[ "$(field "$(ls -d runs/*-fails-*)" '(r["status"], r["exit_code"])')" = "('failed', 2)" ] || fail "record of a failure"

# What is misspelt leaves no run.
printf '{"prompt": "a", "prediction": "b", "reference": "b"}\n' >rows.jsonl
misspelt() { expect_exit "$1" "$2" "$TEMPER" "${@:3}" --output-dir "$work/misspelt"; }
misspelt 66 "model 'modle' does not exist" generate --model modle --input rows.jsonl --output out.jsonl
misspelt 66 "adapter 'adaptor' does not exist" generate --model "$MODEL" --adapter adaptor --input rows.jsonl --output out.jsonl
misspelt 66 'rosw.jsonl: there is no such file' generate --model "$MODEL" --input rosw.jsonl --output out.jsonl
misspelt 66 "model 'modle' does not exist" convert modle --output out.gguf
misspelt 66 "adapter 'adaptor' does not exist" merge --model "$MODEL" --adapter adaptor --output merged
misspelt 2 "unknown metric 'exact_mtach'" score --predictions rows.jsonl --metrics exact_mtach --rows scored.jsonl
misspelt 66 'rosw.jsonl: there is no such file' score --predictions rosw.jsonl --metrics exact_match --rows scored.jsonl
misspelt 2 "unknown task 'tiny_chioce'" eval --model "$MODEL" --tasks tiny_chioce
[ ! -e "$work/misspelt" ] || fail "runs of misspelt commands: $(ls "$work/misspelt")"
finish
