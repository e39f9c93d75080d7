#!/usr/bin/env bash
# temper gate on the command line: over folders of lm-eval and a trainer's state with their exit codes, and over runs of temper, up to promotion.
. "$(dirname "$0")/common.sh"
goldens=$root/tests/goldens/gate
cat >"$work/gate.yaml" <<'YAML'
rules:
  - {metric: tiny_choice/acc, min: 0.25, no_worse_by: 5%, not_significantly_worse: true}
  - {metric: tiny_group/acc, not_significantly_worse: true}
  - {metric: tiny_word/perplexity, no_worse_by: 5%, not_significantly_worse: true}
YAML
gate() { "$temper" gate --rules "$work/gate.yaml" "$@"; }
lm_eval=(--record "$goldens/lm_eval/second" --baseline "$goldens/lm_eval/first")
gate "${lm_eval[@]}" --json --junit "$work/junit.xml" --markdown "$work/table.md" >"$work/passed" 2>&1 || fail "lm-eval's second run: $(cat "$work/passed")"
python3 - "$work" <<'PYTHON' || fail "the forms of a verdict"
import json, math, sys, xml.etree.ElementTree
work = sys.argv[1]
verdict = json.loads(open(f"{work}/passed").read().splitlines()[-1])
assert verdict["passed"] and verdict["status"] == "passed" and len(verdict["checks"]) == 8, verdict
suite = xml.etree.ElementTree.parse(f"{work}/junit.xml").getroot().find("testsuite")
assert suite.get("tests") == "8" and suite.get("failures") == "0" and len(suite.findall("testcase")) == 8
assert open(f"{work}/table.md").read().count("| pass |") == 8
for check in verdict["checks"]:
    if check["kind"] == "not_significantly_worse":
        low, high = check["difference_interval"]
        assert low <= check["difference"] <= high and math.isclose(check["level"], 0.05 / 3) and check["p_value"] > check["level"], check
PYTHON
# Another model's worse answers are stopped: the samples of the first run, all right answers of one task, and all wrong ones.
for side in 1 0; do
    cp -r "$goldens/lm_eval/first" "$work/all$side"
    python3 - "$work/all$side" "$side" <<'PYTHON'
import glob, json, sys
results = glob.glob(f"{sys.argv[1]}/*/results_*.json")[0]
scores = json.load(open(results))
path = glob.glob(f"{sys.argv[1]}/*/samples_tiny_choice_*.jsonl")[0]
rows = [dict(json.loads(line), acc=float(sys.argv[2])) for line in open(path)]
open(path, "w").write("".join(json.dumps(row) + "\n" for row in rows))
scores["results"]["tiny_choice"]["acc,none"] = float(sys.argv[2])
json.dump(scores, open(results, "w"))
PYTHON
done
gate --record "$work/all0" --baseline "$work/all1" --junit "$work/junit.xml" >"$work/stopped"
[ $? -eq 3 ] || fail "a worse model is stopped"
grep -q 'gate FAILED: 3 of 8 checks' "$work/stopped" || fail "another table: $(cat "$work/stopped")"
grep -q 'failures="3"' "$work/junit.xml" || fail "another JUnit: $(cat "$work/junit.xml")"

# Mistakes are told from failures: exit 2, 65 and 66, with the place.
mistake() { printf '%s\n' "rules:" "  - $1" >"$work/mistake.yaml"; "$temper" gate --rules "$work/mistake.yaml" "${lm_eval[@]}"; }
expect_exit 2 'mistake.yaml:3:5: unknown key "metrik" in rules; did you mean metric\?' mistake 'min: 1
    metrik: 2'
expect_exit 2 'mistake.yaml:2: tiny_choice/acc: checks nothing' mistake 'metric: tiny_choice/acc'
expect_exit 2 'gate.yaml:2: tiny_choice/acc: compares with a baseline; give --baseline' gate --record "$goldens/lm_eval/first"
expect_exit 66 'no such|no run' gate --record "$work/nowhere" --baseline "$goldens/lm_eval/first"
echo '{' >"$work/broken.json"
expect_exit 65 'broken.json:2:1' gate --record "$work/broken.json"

# Missing and non-finite figures fail.
echo '{"loss": NaN, "acc": 0.9}' >"$work/figures.json"
printf 'rules:\n  - {metric: loss, max: 5}\n' >"$work/nan.yaml"
printf 'rules:\n  - {metric: ac, min: 0.5}\n' >"$work/missing.yaml"
printf 'rules:\n  - {metric: acc, min: 0.5}\n' >"$work/fine.yaml"
"$temper" gate --rules "$work/nan.yaml" --record "$work/figures.json" >"$work/stdout"; [ $? -eq 3 ] || fail "NaN passes"
grep -q 'nan is not finite' "$work/stdout" || fail "no reason: $(cat "$work/stdout")"
"$temper" gate --rules "$work/missing.yaml" --record "$work/figures.json" >"$work/stdout"; [ $? -eq 3 ] || fail "a missing figure passes"
grep -q 'did you mean acc' "$work/stdout" || fail "no nearest figure: $(cat "$work/stdout")"
"$temper" gate --rules "$work/fine.yaml" --record "$work/figures.json" >/dev/null || fail "a fine figure is stopped"
printf 'rules:\n  - {metric: eval_loss, no_worse_by: 0}\n' >"$work/loss.yaml"
"$temper" gate --rules "$work/loss.yaml" --record "$goldens/trainer_state.json" --baseline "$goldens/trainer_state.json" >/dev/null || fail "a trainer's state is worse than itself"
# A baseline that was stopped on its way is none; a name that tells no direction is asked for one.
echo '{"log_history": [{"eval_loss": 9}], "global_step": 5, "max_steps": 10}' >"$work/stopped.json"
"$temper" gate --rules "$work/loss.yaml" --record "$goldens/trainer_state.json" --baseline "$work/stopped.json" >"$work/stdout"; [ $? -eq 3 ] || fail "a stopped baseline passes"
grep -q 'the baseline .*it is at step 5 of 10, expected a finished one' "$work/stdout" || fail "no reason: $(cat "$work/stdout")"
echo '{"eval_passages_loss": 9, "loss_reduction": 1}' >"$work/figures.json"
echo '{"eval_passages_loss": 2, "loss_reduction": 1}' >"$work/before.json"
printf 'rules:\n  - {metric: eval_passages_loss, no_worse_by: 1}\n' >"$work/passages.yaml"
printf 'rules:\n  - {metric: loss_reduction, no_worse_by: 1}\n' >"$work/reduction.yaml"
"$temper" gate --rules "$work/passages.yaml" --record "$work/figures.json" --baseline "$work/before.json" >/dev/null; [ $? -eq 3 ] || fail "a loss that rises passes"
expect_exit 2 'reduction.yaml:2: loss_reduction: .*add better: higher, or lower' "$temper" gate --rules "$work/reduction.yaml" --record "$work/figures.json" --baseline "$work/before.json"

# Runs of temper: an adapter is trained and evaluated beside the base, let in, and then is the baseline by its alias.
tiny_config "$work/tiny.yaml"
"$temper" sft "$work/tiny.yaml" max_steps=1 >/dev/null 2>"$work/stderr" || fail "sft: $(tail -n 3 "$work/stderr")"
tuned=$(newest_run "$work/runs")
evaluate() { "$temper" eval --model "$model" --tasks tiny_choice,tiny_group --tasks-dir "$root/tests/goldens/eval/tasks" --output-dir "$work/evals" "$@" >/dev/null 2>"$work/stderr" || fail "eval: $(tail -n 3 "$work/stderr")"; }
evaluate --run-name base
evaluate --run-name tuned --adapter "$tuned/adapter"
cat >"$work/runs.yaml" <<'YAML'
rules:
  - {metric: tiny_choice/acc, not_significantly_worse: true}
  - {metric: performance.seconds, max: 600}
YAML
registry=(--registry "$work/registry")
runs_gate() { "$temper" gate --rules "$work/runs.yaml" --output-dir "$work/evals" "${registry[@]}" "$@"; }
promote() { "$temper" registry promote "$tuned" --name tickets --alias production --verdict "$work/verdict.json" "${registry[@]}"; }
runs_gate --record base --baseline base --verdict "$work/verdict.json" >/dev/null || fail "the base model is stopped"
expect_exit 3 'the verdict judged no adapter' promote
runs_gate --record tuned --baseline base --verdict "$work/verdict.json" >/dev/null || fail "the tuned model is stopped: $(runs_gate --record tuned --baseline base)"
promote >/dev/null || fail "promote"
runs_gate --record tuned --baseline tickets@production --verdict "$work/verdict.json" >"$work/stdout" || fail "the same adapter is stopped: $(cat "$work/stdout")"
grep -q 'tickets@production, version 1' "$work/stdout" || fail "the baseline is not named: $(cat "$work/stdout")"
TEMPER_OUTPUT_DIR=$work/evals "$temper" gate --rules "$work/runs.yaml" --record tuned --baseline base >"$work/stdout" 2>&1 || fail "TEMPER_OUTPUT_DIR: $(cat "$work/stdout")"
# An adapter's settings are a part of what is judged.
grep -q "\"adapter_config_sha256\": \"$(sha256sum "$tuned/adapter/adapter_config.json" | cut -d' ' -f1)\"" "$work/verdict.json" || fail "settings of the adapter"
cp -r "$tuned/adapter" "$work/adapter"
evaluate --run-name tuned --adapter "$work/adapter"
grep -q 'finished already' "$work/stderr" || fail "the same adapter elsewhere is evaluated again"
sed -i 's/"lora_alpha": 8/"lora_alpha": 80/' "$work/adapter/adapter_config.json"
evaluate --run-name tuned --adapter "$work/adapter"
[ "$(ls -d "$work"/evals/*-tuned-* | wc -l)" -eq 2 ] || fail "another lora_alpha counts as the same evaluation"
finish
