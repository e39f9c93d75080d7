#!/usr/bin/env bash
# Judges over a stand-in endpoint: verdicts, repairs, both orders of a pair, costs, and nothing asked twice after a kill.
. "$(dirname "$0")/common.sh"

python3 - "$work" <<'PYTHON'
import json, sys
with open(f"{sys.argv[1]}/rows.jsonl", "w") as out:
    for i in range(12):
        out.write(json.dumps({"id": f"r{i}", "tags": ["even" if i % 2 == 0 else "odd"], "prompt": f"What is thing {i}?", "context": [f"Thing {i} is round.", "All are."],
                              "reference": "round"}) + "\n")
PYTHON
write_set() {  # write_set [line …]: the set over the last stand-in, with further lines
    cat >"$work/set.yaml" <<YAML
name: things
data: rows.jsonl
generation: {max_new_tokens: 4}
metrics: [exact_match]
judges: [faithfulness, relevance, hallucination, preference]
endpoint: {base_url: "http://127.0.0.1:$port/v1", model: stand-in, api_key_env: "", concurrency: 3}
prices: [{model: stand-in, input: 10, output: 100}]
YAML
    printf '%s\n' "$@" >>"$work/set.yaml"
}
answers() {  # answers NAME WORDS...: a run whose answers are the given words in turn
    python3 - "$work/rows.jsonl" "$work/$1" "${@:2}" <<'PYTHON'
import hashlib, json, os, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
os.makedirs(f"{sys.argv[2]}/eval")
with open(f"{sys.argv[2]}/eval/samples_things.jsonl", "w") as out:
    for i, row in enumerate(rows):
        hash = hashlib.sha256(json.dumps(row, indent=2, ensure_ascii=False).encode()).hexdigest()
        out.write(json.dumps({"doc_hash": hash, "filtered_resps": [f"{sys.argv[3 + i % (len(sys.argv) - 3)]} {i}"]}) + "\n")
PYTHON
}
answers old plain
answers new good invented malformed fenced hopeless good
cat >"$work/matrix.yaml" <<YAML
sets: set.yaml
systems: [{name: old, run: $work/old}, {name: new, run: $work/new}]
YAML
judge() {  # judge DIR
    "$temper" eval --matrix "$work/matrix.yaml" --output-dir "$work/$1" --json >"$work/stdout" 2>"$work/stderr"
}

# 24 answers to 3 judges, and 12 pairs in both orders: 96 questions. Malformed and hopeless answers are asked again by the judges of a score.
stand_in_model whole judge_server.py
write_set
judge whole || fail "eval: $(tail -n 3 "$work/stderr")"
run=$(newest_run "$work/whole")
python3 - "$run/eval" "$work/whole.requests" <<'PYTHON' || fail "verdicts"
import collections, hashlib, json, pathlib, sys
folder, log = pathlib.Path(sys.argv[1]), [json.loads(line) for line in open(sys.argv[2])]
comparison = json.load(open(folder / "comparison.json"))
metrics = comparison["sets"]["things"]["metrics"]
value = lambda metric, system: metrics["judge/" + metric]["systems"][system]["value"]
new = [json.loads(line) for line in open(folder / "new" / "samples_things.jsonl")]
# good, invented, malformed, fenced, hopeless (no verdict), good: a score of 5 is 1, of 2 a quarter
assert abs(value("faithfulness", "new") - (1 + .25 + .25 + .25 + 1) / 5) < 1e-12 and value("faithfulness", "old") == .25, metrics
assert abs(value("hallucination", "new") - .2) < 1e-12 and metrics["judge/hallucination"]["higher_is_better"] is False
assert abs(value("preference", "new") - (1 + .5 * 4 + 1) / 6) < 1e-12 and "old" not in metrics["judge/preference"]["systems"], metrics["judge/preference"]
assert new[4]["judges"]["relevance"]["rejected"] and "judge/relevance" not in new[4]
assert new[0]["judges"]["preference"]["first"]["winner"] == "A" and new[0]["judges"]["preference"]["swapped"]["winner"] == "B"
judging = comparison["judging"]["things"]
report = judging["judges"]
# Of the twelve pairs four are told apart by their words; in the other eight the judge takes what stands first.
assert report["preference"]["changed_with_order"] == 8 and report["preference"]["questions"] == 24, report
assert report["faithfulness"]["repaired"] == 2 and report["faithfulness"]["rejected"] == 2 and report["faithfulness"]["questions"] == 24
assert report["faithfulness"]["prompt_sha256"] == hashlib.sha256(open(report["faithfulness"]["prompt"], "rb").read()).hexdigest()
turns = collections.Counter((kind, turn) for kind, turn, _ in log)
assert turns == {("faithfulness", 1): 24, ("faithfulness", 2): 4, ("relevance", 1): 24, ("relevance", 2): 4, ("hallucination", 1): 24, ("hallucination", 2): 4,
                 ("preference", 1): 24}, turns
assert len({body for _, _, body in log}) == len(log) == judging["answers"], (len(log), judging)
assert judging["prompt_tokens"] == 1000 * len(log) and abs(judging["cost"] - len(log) * .02) < 1e-9
record = json.load(open(folder.parent / "run.json"))
assert abs(record["performance"]["cost"] - judging["cost"]) < 1e-9
(use,) = record["usage"]
assert (use["model"], use["prompt_tokens"], use["completion_tokens"]) == ("stand-in", 1000 * len(log), 100 * len(log)), use
# Hopeless answers have no verdict: the value is of the other rows, and says of how many.
assert json.load(open(folder / "new" / "results.json"))["rows"]["things"]["judge/relevance"] == sum("judge/relevance" in row for row in new) < 12
assert record["config"]["evaluation_sets"]["things"]["judges"]["relevance"]["prompt_sha256"], record["config"]
PYTHON
asked=$(requests whole)

# Killed, stopped by a signal, and to the end: the same verdicts, and no answer asked for twice but those under way.
stand_in_model slow judge_server.py 0.05
write_set
"$temper" eval --matrix "$work/matrix.yaml" --output-dir "$work/slow" >/dev/null 2>&1 & job=$!
for _ in $(seq 1 200); do [ "$(requests slow)" -ge 20 ] && break; sleep 0.05; done
kill -KILL "$job"
wait "$job" 2>/dev/null
"$temper" eval --matrix "$work/matrix.yaml" --output-dir "$work/slow" >/dev/null 2>"$work/stderr" & job=$!
for _ in $(seq 1 200); do [ "$(requests slow)" -ge 50 ] && break; sleep 0.05; done
kill -TERM "$job"
wait "$job"
[ $? -eq 75 ] || fail "stopped by SIGTERM, it did not exit with 75: $(tail -n 2 "$work/stderr")"
judge slow || fail "the last part: $(tail -n 2 "$work/stderr")"
[ "$(ls -d "$work"/slow/*Z-* | wc -l)" -eq 1 ] || fail "resuming made another run"
[ "$(requests slow)" -le $((asked + 3)) ] || fail "$(requests slow) requests, $asked undisturbed: answers were asked for twice"
for name in old new; do
    cmp -s "$run/eval/$name/samples_things.jsonl" "$(newest_run "$work/slow")/eval/$name/samples_things.jsonl" || fail "other verdicts after a kill"
done
before=$(requests slow)
judge slow || fail "again"
[ "$(requests slow)" -eq "$before" ] || fail "a finished run asked again"

# A judge of one's own, a cost that ends it, and mistakes
stand_in_model own judge_server.py
cat >"$work/own.jinja" <<'JINJA'
Is it short? {{ question }} <answer>
{{ answer }}
</answer> Reply with {"score": 1 to 5}.
JINJA
write_set 'max_cost: 0.2'
sed -i 's|^judges: .*|judges: [{kind: score, name: brevity, prompt: own.jinja}]|; s|concurrency: 3|concurrency: 1|' "$work/set.yaml"
judge own || fail "a judge of one's own: $(tail -n 3 "$work/stderr")"
[ "$(requests own)" -eq 10 ] || fail "$(requests own) requests for a cost of 0.2, each 0.02"
python3 - "$(newest_run "$work/own")/eval/comparison.json" <<'PYTHON' || fail "max_cost"
import json, sys
report = json.load(open(sys.argv[1]))["judging"]["things"]["judges"]["brevity"]
assert report["unasked"] == 14 and report["questions"] == 10, report
PYTHON
printf 'rules:\n  - {metric: old/things/judge/brevity, min: 0}\n' >"$work/gate.yaml"
"$temper" gate --record "$(newest_run "$work/own")" --rules "$work/gate.yaml" >"$work/stdout"; [ $? -eq 3 ] || fail "a judge of some rows passes a gate"
grep -q '10 of 12 rows are judged' "$work/stdout" || fail "no reason: $(cat "$work/stdout")"
judge own || fail "a judge of one's own, again"
[ "$(requests own)" -eq 10 ] || fail "$(requests own) requests: max_cost did not hold"
sed -i '/^max_cost/d' "$work/set.yaml"
judge own || fail "a judge of one's own without a limit: $(tail -n 3 "$work/stderr")"
[ "$(requests own)" -eq 28 ] || fail "$(requests own) requests for 24 questions and 4 again: answers were asked for twice"
[ "$(ls -d "$work"/own/*Z-* | wc -l)" -eq 1 ] || fail "a higher max_cost made another run"
python3 - "$(newest_run "$work/own")/eval/comparison.json" <<'PYTHON' || fail "what max_cost had left"
import json, sys
report = json.load(open(sys.argv[1]))["judging"]["things"]["judges"]["brevity"]
assert report["unasked"] == 0 and report["questions"] == 24, report
PYTHON
printf '{{ answer }} {{ nothing }}' >"$work/own.jinja"
expect_exit 65 "own\.jinja: template:1:[0-9]+: .*nothing" "$temper" eval --matrix "$work/matrix.yaml" --output-dir "$work/bad"
write_set
sed -i 's/faithfulness/faithful/' "$work/set.yaml"
expect_exit 2 'set\.yaml:5:[0-9]+: .*faithful' "$temper" eval --matrix "$work/matrix.yaml" --output-dir "$work/bad"
write_set
sed -i 's/"context"/"contexts"/' "$work/rows.jsonl"
rm -r "$work/old" "$work/new"
answers old plain
answers new good
expect_exit 65 "rows\.jsonl:1: field 'context' is missing" "$temper" eval --matrix "$work/matrix.yaml" --output-dir "$work/bad"
finish
