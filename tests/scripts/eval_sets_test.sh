#!/usr/bin/env bash
# Evaluation sets: answers, grades with intervals, tags, comparisons; ranks, kills and filters; what a mistake in the file is told as.
. "$(dirname "$0")/common.sh"
cat >"$work/rows.json" <<'JSON'
[{"id": "a", "tags": ["short", "animal"], "prompt": "Name a bird.", "reference": "robin"},
 {"id": "b", "tags": ["short"], "messages": [{"role": "user", "content": "Name a colour."}, {"role": "assistant", "content": "red"}]},
 {"id": "c", "tags": ["long", "animal"], "prompt": [{"role": "user", "content": "Tell about a fish."}], "reference": ["A fish swims.", "It swims."]},
 {"id": 4, "prompt": "Count to three.", "reference": "1 2 3"},
 {"id": "e", "tags": "short", "prompt": "Say yes.", "reference": "yes"}]
JSON
cat >"$work/set.yaml" <<'YAML'
name: small
data: rows.json
generation: {max_new_tokens: 12}
metrics: [exact_match, token_f1, rouge1, chrf]
checks:
  - {name: brief, words: {max: 6}, when: {tags: [short]}}
  - {script: latin}
YAML
evaluate() {  # evaluate DIR ARGUMENTS...
    local out=$1
    shift
    "$temper" eval --dtype float32 --output-dir "$work/$out" "$@" >"$work/stdout" 2>"$work/stderr" || fail "$out: $(tail -n 3 "$work/stderr")"
}
files() { (cd "$(newest_run "$work/$1")/eval" && sed '/total_evaluation_time_seconds/d' results.json && cat samples_*.jsonl comparison.json) | sha256sum; }

evaluate plain --model "$model" --sets "$work/set.yaml" --json
grep -q '"status": *"finished"' "$work/stdout" || fail "result: $(tail -n 1 "$work/stdout")"
grep -Eq '^small: 5 rows$' "$work/stdout" || fail "no table: $(cat "$work/stdout")"
whole=$(files plain)
python3 - "$(newest_run "$work/plain")" <<'PYTHON' || fail "results"
import json, math, sys
run = sys.argv[1]
results = json.load(open(f"{run}/eval/results.json"))
samples = [json.loads(line) for line in open(f"{run}/eval/samples_small.jsonl")]
assert [row["id"] for row in samples] == ["a", "b", "c", "4", "e"], samples
value = results["results"]["small"]
for metric in ("exact_match", "token_f1", "rouge1", "check/brief", "check/script", "checks_passed"):
    rows = [row[metric] for row in samples if metric in row]
    assert math.isclose(value[metric + ",none"], sum(rows) / len(rows), abs_tol=1e-12), metric
    low, high = results["intervals"]["small"][metric]
    assert low <= value[metric + ",none"] <= high and value[metric + "_stderr,none"] >= 0, metric
assert "chrf,none" in value and [("check/brief" in row) for row in samples] == [True, True, False, False, True]
assert set(results["tags"]["small"]) == {"short", "animal", "long"} and results["tags"]["small"]["short"]["rows"] == 3
short = results["tags"]["small"]["short"]["metrics"]["check/brief"]
assert short["rows"] == 3 and short["interval"][0] <= short["value"] <= short["interval"][1], short
assert samples[1]["target"] == "red" and samples[1]["arguments"]["gen_args_0"]["arg_0"].count("Name a colour.") == 1
assert all(row["resps"] == [row["filtered_resps"]] and row["finish_reason"] in ("stop", "length") for row in samples)
for key in ("configs", "versions", "n-shot", "higher_is_better", "n-samples", "group_subtasks", "config"):
    assert key in results, key
assert results["n-samples"]["small"] == {"original": 5, "effective": 5}
record = json.load(open(f"{run}/run.json"))
assert [(stage["name"], stage["status"]) for stage in record["stages"]] == [("evaluate", "finished"), ("grade", "finished")], record["stages"]
assert record["metrics"]["small/exact_match,none"] == value["exact_match,none"] and record["data"][0]["rows"] == 5, record["metrics"]
PYTHON

# Answers are those of temper generate on the same prompts.
printf '%s\n' '{"prompt": [{"role": "user", "content": "Tell about a fish."}]}' >"$work/one.jsonl"
"$temper" generate --model "$model" --dtype float32 --input "$work/one.jsonl" --output "$work/one.out" --max-new-tokens 12 2>/dev/null
python3 - "$work/one.out" "$(newest_run "$work/plain")/eval/samples_small.jsonl" <<'PYTHON' || fail "another answer than temper generate's"
import json, sys
assert json.loads(open(sys.argv[1]).read())["prediction"] == json.loads(open(sys.argv[2]).read().splitlines()[2])["filtered_resps"][0]
PYTHON

# Found again; two ranks and one thread; killed and started again: the same bytes.
evaluate plain --model "$model" --sets "$work/set.yaml"
grep -q "finished already" "$work/stderr" || fail "a finished run was run again"
grep -Eq '^ +exact_match ' "$work/stdout" || fail "no scores of the finished run: $(cat "$work/stdout")"
grep -q "report $work/plain/.*/report.html" "$work/stderr" || fail "no report is named: $(cat "$work/stderr")"
# A copy of the model is the same one until its template is another.
cp -r "$model" "$work/model"
evaluate plain --model "$work/model" --sets "$work/set.yaml"
grep -q "finished already" "$work/stderr" || fail "the same model elsewhere was run again"
python3 - "$work/model/tokenizer_config.json" <<'PYTHON'
import json, sys
config = json.load(open(sys.argv[1]))
config["chat_template"] += "\n"
json.dump(config, open(sys.argv[1], "w"))
PYTHON
evaluate other --model "$model" --sets "$work/set.yaml"
evaluate other --model "$work/model" --sets "$work/set.yaml"
[ "$(ls -d "$work"/other/*Z-* | wc -l)" -eq 2 ] || fail "another chat template counts as the same evaluation"
if has_mpi; then
    mpirun -n 2 --oversubscribe --bind-to none "$temper" eval --model "$model" --dtype float32 --output-dir "$work/ranks" --threads 1 --sets "$work/set.yaml" \
        >"$work/stdout" 2>"$work/stderr" || fail "two ranks: $(tail -n 3 "$work/stderr")"
    [ "$(files ranks)" = "$whole" ] || fail "two ranks changed a result"
fi
for wait in 0.05 0.15 0.3 0.6; do
    timeout -s KILL "$wait" "$temper" eval --model "$model" --dtype float32 --output-dir "$work/killed" --sets "$work/set.yaml" >/dev/null 2>&1
done
evaluate killed --model "$model" --sets "$work/set.yaml"
[ "$(ls -d "$work"/killed/*Z-* | wc -l)" -eq 1 ] || fail "a killed run was not continued"
[ "$(files killed)" = "$whole" ] || fail "a kill changed a result"

# Rows by id and tag
evaluate some --model "$model" --sets "$work/set.yaml" --tags short,animal
[ "$(wc -l <"$(newest_run "$work/some")/eval/samples_small.jsonl")" -eq 1 ] || fail "--tags"
evaluate some --model "$model" --sets "$work/set.yaml" --ids 4,b
[ "$(wc -l <"$(newest_run "$work/some")/eval/samples_small.jsonl")" -eq 2 ] || fail "--ids"
expect_exit 2 'no row has the id zz' "$temper" eval --model "$model" --sets "$work/set.yaml" --ids zz --output-dir "$work/bad"

# A matrix: the model, another prompt, and the answers of the run above; a run against itself differs by nothing.
cat >"$work/matrix.yaml" <<YAML
sets: set.yaml
model: $model
systems:
  - base
  - {name: terse, system: Be brief., prompt: "Q: {{ id }}"}
  - {name: before, run: $(newest_run "$work/plain")}
YAML
evaluate matrix --matrix "$work/matrix.yaml" --json
python3 - "$(newest_run "$work/matrix")" "$(newest_run "$work/plain")" <<'PYTHON' || fail "comparison"
import json, sys
run, plain = sys.argv[1:]
comparison = json.load(open(f"{run}/eval/comparison.json"))
assert comparison["baseline"] == "base" and comparison["systems"] == ["base", "terse", "before"]
metrics = comparison["sets"]["small"]["metrics"]
for metric, entry in metrics.items():
    before = entry["systems"]["before"]
    assert before["difference"] == 0 and before["difference_interval"] == [0, 0] and before["p_value"] > 0.99, (metric, before)
    assert "difference" not in entry["systems"]["base"]
    terse = entry["systems"]["terse"]
    assert abs(terse["difference"] - (terse["value"] - entry["systems"]["base"]["value"])) < 1e-12
    assert terse["difference_interval"][0] <= terse["difference"] <= terse["difference_interval"][1]
assert "short" in comparison["sets"]["small"]["tags"]
base, before = ([json.loads(line) for line in open(f"{run}/eval/{name}/samples_small.jsonl")] for name in ("base", "before"))
assert base == before == [json.loads(line) for line in open(f"{plain}/eval/samples_small.jsonl")]
terse = [json.loads(line) for line in open(f"{run}/eval/terse/samples_small.jsonl")]
assert "Be brief." in terse[0]["arguments"]["gen_args_0"]["arg_0"] and "Q: a" in terse[0]["arguments"]["gen_args_0"]["arg_0"]
report = open(f"{run}/report.html").read()
assert "Name a bird." in report and "terse" in report and "<script" not in report
PYTHON
evaluate against --model "$model" --sets "$work/set.yaml" --baseline "$(newest_run "$work/plain")"
grep -Eq 'exact_match +model .* difference +0.0000' "$work/stdout" || fail "no difference to the baseline: $(cat "$work/stdout")"

# Mistakes
bad() {  # bad TEXT SED-SCRIPT
    sed -e "$2" "$work/set.yaml" >"$work/bad.yaml"
    expect_exit "${3:-2}" "$1" "$temper" eval --model "$model" --sets "$work/bad.yaml" --output-dir "$work/bad"
}
bad 'bad\.yaml:3:1: .*generationn.*generation' 's/^generation/generationn/'
bad 'bad\.yaml:3:[0-9]+: .*max_new_tokens' 's/tokens: 12/tokens: none/'
bad 'unknown metric .rogue1' 's/rouge1/rogue1/'
bad "bad\.yaml:6:[0-9]+: unknown check 'wordz'; did you mean words" 's/words:/wordz:/'
bad 'bad\.yaml:7:[0-9]+: unknown script' 's/latin/latyn/'
bad 'nothing grades the answers' '4,$d'
bad 'absent\.json' 's/rows.json/absent.json/' 66

# What is missing in a row, or in a baseline, is told before a model answers.
early() {  # early CODE TEXT ARGUMENTS...
    local code=$1 text=$2
    shift 2
    expect_exit "$code" "$text" "$temper" eval --model "$model" --output-dir "$work/early" "$@"
    [ ! -e "$work/early" ] || fail "a run was begun: $*"
}
echo '{"prompt": "Say no."}' >"$work/bare.jsonl"
sed 's/rows.json/bare.jsonl/; s/metrics: .*/metrics: [rouge1]/' "$work/set.yaml" >"$work/bare.yaml"
early 65 "bare\.jsonl:1: metrics compare an answer with the row's 'reference'" --sets "$work/bare.yaml"
sed 's/\[rouge1\]/[recall@5]/' "$work/bare.yaml" >"$work/ranking.yaml"
early 65 'bare\.jsonl:1: rows of rankings' --sets "$work/ranking.yaml"
printf 'name: judged\ndata: bare.jsonl\njudges: [faithfulness]\nendpoint: {model: m}\n' >"$work/judged.yaml"
early 65 "bare\.jsonl:1: field 'context' is missing" --sets "$work/judged.yaml"
early 65 'no answer to row c of .*: systems are compared on the same rows' --sets "$work/set.yaml" --ids c --baseline "$(newest_run "$work/some")"
early 2 'eval: --num-fewshot is for --tasks' --sets "$work/set.yaml" --num-fewshot 2
early 2 'eval: --max-length is for --tasks' --sets "$work/set.yaml" --max-length 64
sed -i 's/"e"/"a"/' "$work/rows.json"
expect_exit 65 'id a stands at .* already' "$temper" eval --model "$model" --sets "$work/set.yaml" --output-dir "$work/bad"
expect_exit 2 'one of --tasks, --sets and --matrix' "$temper" eval --model "$model"
sed -i 's/name: terse/name: base/' "$work/matrix.yaml"
expect_exit 2 'matrix\.yaml:3:1: systems: two of the name base' "$temper" eval --matrix "$work/matrix.yaml" --output-dir "$work/bad"
finish
