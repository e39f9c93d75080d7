#!/usr/bin/env bash
# Evaluation during training, the best checkpoint, early stopping, and the row kinds and losses on a tiny model.
. "$(dirname "$0")/common.sh"
tiny_config "$work/tiny.yaml"
python3 - "$work" <<'PYTHON'
import json, sys
work = sys.argv[1]
rows = [json.loads(line) for line in open(f"{work}/train.jsonl")]
with open(f"{work}/messages.jsonl", "w") as out:
    for row in rows:
        out.write(json.dumps({"messages": row["prompt"] + row["completion"]}) + "\n")
PYTHON

# A rate far too high makes evaluation worse and worse: the run stops early and keeps its best adapter.
"$temper" sft "$work/tiny.yaml" "output_dir=$work/best" learning_rate=0.3 lr_scheduler_type=constant max_grad_norm=0 num_train_epochs=20 eval_steps=1 \
    load_best_model_at_end=true early_stopping_patience=3 save_steps=1 save_total_limit=2 --json >"$work/stdout" 2>"$work/stderr" || fail "best: $(tail -n 3 "$work/stderr")"
python3 - "$work/stdout" "$work"/best/*Z-* <<'PYTHON' || fail "best checkpoint or early stopping"
import json, pathlib, sys
result = json.loads(open(sys.argv[1]).read().splitlines()[-1])
run = pathlib.Path(sys.argv[2])
rows = [json.loads(line) for line in open(run / "metrics.jsonl")]
evals = [(row["eval_loss"], row["step"]) for row in rows if "eval_loss" in row]
steps = max(row["step"] for row in rows)
best = min(evals)
performance = json.load(open(run / "run.json"))["performance"]
assert 0 < performance["share_of_peak"] < 1 and performance["flops_per_second"] > 0, performance
assert result["status"] == "finished" and steps < 80, (result, steps)
assert steps == best[1] + 3, (steps, best)
kept = sorted(int(path.name[5:]) for path in (run / "checkpoints").glob("step-*"))
assert best[1] in kept, (best, kept)
PYTHON

# Stopped early between two lines of the journal: the last steps have theirs, the record says why it ended, and it is the same after a stop.
early=(output_dir=$work/early learning_rate=0.3 lr_scheduler_type=constant max_grad_norm=0 num_train_epochs=20 eval_steps=1 early_stopping_patience=2 save_steps=1 logging_steps=50)
"$temper" sft "$work/tiny.yaml" "${early[@]}" >"$work/stdout" 2>"$work/stderr" || fail "early: $(tail -n 3 "$work/stderr")"
grep -q 'stopped early after step [0-9]* of 80: 2 evaluations without a better eval_loss' "$work/stderr" || fail "an early stop is not said: $(tail -n 3 "$work/stderr")"
python3 - "$work"/early/*Z-* <<'PYTHON' || fail "the end of a run that stopped early"
import json, pathlib, sys
run = pathlib.Path(sys.argv[1])
record = json.load(open(run / "run.json"))
rows = [json.loads(line) for line in open(run / "metrics.jsonl")]
(logged,) = [row for row in rows if "loss" in row]
assert logged["step"] == max(row["step"] for row in rows) and logged["num_tokens"] > 0, logged
assert record["status"] == "finished" and record["message"].startswith("stopped early after step"), record["message"]
assert record["metrics"]["loss"] == logged["loss"] and record["metrics"]["grad_norm"] == logged["grad_norm"], record["metrics"]
PYTHON

# An update that leaves the adapter without numbers is no result.
expect_exit 17 'the update of step 1 made .* not finite; it was not saved' "$temper" sft "$work/tiny.yaml" "output_dir=$work/infinite" data.eval=null learning_rate=1e300 max_steps=1
[ -z "$(ls -d "$work"/infinite/*/adapter "$work"/infinite/*/checkpoints/step-* 2>/dev/null)" ] || fail "an adapter that is not finite was kept"

# A template of the run's own goes with its adapter: to those who use it, to one merged with it, and to a training that begins with it.
echo '{% for m in messages %}[{{ m.role }}] {{ m.content }}{{ eos_token }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}' >"$work/own.jinja"
"$temper" sft "$work/tiny.yaml" "output_dir=$work/own" "data.chat_template=$work/own.jinja" max_steps=1 >/dev/null 2>"$work/stderr" || fail "a template of its own: $(tail -n 3 "$work/stderr")"
adapter=$(newest_run "$work/own")/adapter
cmp "$work/own.jinja" "$adapter/chat_template.jinja" || fail "the adapter has no template"
"$temper" tokenize --model "$model" --chat-template "$adapter/chat_template.jinja" --input "$work/train.jsonl" --limit 1 --show 2>&1 | grep -q '\[user\]' || fail "tokenize has no template to show rows by"
"$temper" merge --model "$model" --adapter "$adapter" --output "$work/merged_own" >/dev/null 2>"$work/stderr" || fail "merge: $(tail -n 3 "$work/stderr")"
echo '{"messages": [{"role": "user", "content": "hello"}]}' >"$work/hello.jsonl"
"$temper" tokenize --model "$work/merged_own" --input "$work/hello.jsonl" --output "$work/hello.ids" --chat 2>"$work/stderr" && grep -q '\[user\] hello' "$work/hello.ids" || fail "the merged model has another template: $(cat "$work/hello.ids" "$work/stderr")"
"$temper" sft "$work/tiny.yaml" "output_dir=$work/next" "lora.init_adapter=$adapter" lora.r=4 lora.lora_alpha=8 max_steps=1 >/dev/null 2>"$work/stderr" || fail "the next training: $(tail -n 3 "$work/stderr")"
cmp "$work/own.jinja" "$(newest_run "$work/next")/adapter/chat_template.jinja" || fail "the next training has another template"
template_of() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["data_report"]["train"]["chat_template_sha256"])' "$1/run.json"; }
[ "$(template_of "$(newest_run "$work/next")")" = "$(template_of "$(newest_run "$work/own")")" ] || fail "the next training reads its rows by another template"

# The assistant's turns alone are fewer tokens than whole conversations, and as many as the completions.
report() { "$temper" sft "$work/tiny.yaml" --dry-run --json "$@" 2>/dev/null | tail -n 1 | python3 -c 'import json, sys; print(json.load(sys.stdin)["data"]["train"]["supervised_tokens"])'; }
completions=$(report)
assistant=$(report "data.train=$work/messages.jsonl" data.assistant_only_loss=true)
whole=$(report "data.train=$work/messages.jsonl")
[ "$assistant" -gt 0 ] && [ "$assistant" -le "$completions" ] && [ "$whole" -gt "$completions" ] || fail "supervised tokens: completions $completions, assistant $assistant, whole $whole"

# The last step is evaluated, also where it is a step that saves; a record with a best model speaks of that model.
"$temper" sft "$work/tiny.yaml" "output_dir=$work/last" --json >"$work/stdout" 2>"$work/stderr" || fail "last: $(tail -n 3 "$work/stderr")"
python3 - "$work"/last/*Z-* "$work"/best/*Z-* <<'PYTHON' || fail "evaluation at the end, or of the best"
import json, pathlib, sys
last, best = (pathlib.Path(path) for path in sys.argv[1:])
rows = lambda run: [json.loads(line) for line in open(run / "metrics.jsonl")]
record = lambda run: json.load(open(run / "run.json"))
evals = [row for row in rows(last) if "eval_loss" in row]
assert [row["step"] for row in evals] == [8], evals
assert record(last)["environment"]["versions"]["temper"] and record(last)["environment"]["git"], record(last)["environment"]
metrics = record(best)["metrics"]
least = min((row for row in rows(best) if "eval_loss" in row), key=lambda row: row["eval_loss"])
assert metrics["best_step"] == least["step"] and metrics["eval_loss"] == least["eval_loss"], (metrics, least)
PYTHON

# Going on from an earlier checkpoint forgets the later ones, and ends as the run did the first time.
run=$(newest_run "$work/last")
first=$(adapter_sha "$run")
python3 - "$run/run.json" <<'PYTHON'
import json, sys
record = json.load(open(sys.argv[1]))
record["status"] = "failed"
json.dump(record, open(sys.argv[1], "w"))
PYTHON
"$temper" sft "$work/tiny.yaml" "output_dir=$work/last" "--resume=$run/checkpoints/$(ls "$run/checkpoints" | head -n 1)/" >"$work/stdout" 2>"$work/stderr" ||
    fail "from a chosen checkpoint: $(tail -n 3 "$work/stderr")"
[ "$(adapter_sha "$run")" = "$first" ] || fail "another adapter from a chosen checkpoint"

# Both masks hold: a prompt's own assistant turns are not learnt.
python3 - "$work" <<'PYTHON'
import json, sys
work = sys.argv[1]
rows = [json.loads(line) for line in open(f"{work}/train.jsonl")]
with open(f"{work}/turns.jsonl", "w") as plain, open(f"{work}/answered.jsonl", "w") as answered:
    for row in rows:
        question = row["prompt"][-1]
        plain.write(json.dumps({"prompt": row["prompt"], "completion": row["completion"]}) + "\n")
        answered.write(json.dumps({"prompt": row["prompt"] + [{"role": "assistant", "content": "One moment, I look it up."}, question], "completion": row["completion"]}) + "\n")
PYTHON
[ "$(report "data.train=$work/answered.jsonl" data.assistant_only_loss=true data.max_length=1024)" = "$(report "data.train=$work/turns.jsonl" data.assistant_only_loss=true data.max_length=1024)" ] ||
    fail "an assistant's turn of the prompt is learnt"

# A finished run is found again and left alone.
"$temper" sft "$work/tiny.yaml" "output_dir=$work/once" --json >"$work/first" 2>/dev/null || fail "first"
"$temper" sft "$work/tiny.yaml" "output_dir=$work/once" --resume auto --json >"$work/second" 2>/dev/null || fail "second"
cmp -s "$work/first" "$work/second" || fail "a finished run is not reported alike"
[ "$(ls -d "$work"/once/*Z-* | wc -l)" -eq 1 ] || fail "a finished run was run again"

# Merged weights speak as base and adapter do.
adapter=$(newest_run "$work/once")/adapter
"$temper" merge --model "$model" --adapter "$adapter" --output "$work/merged" --output-dir "$work/runs" 2>"$work/log" || fail "merge"
grep -q "^weights .* 100%" "$work/log" || fail "merge shows no progress: $(cat "$work/log")"
with_adapter=$("$temper" generate --model "$model" --adapter "$adapter" --prompt "order two lamps" --max-new-tokens 8 --dtype float32 2>/dev/null)
merged=$("$temper" generate --model "$work/merged" --prompt "order two lamps" --max-new-tokens 8 --dtype float32 2>/dev/null)
[ -n "$with_adapter" ] || fail "nothing generated"
[ "$with_adapter" = "$merged" ] || fail "merged: '$merged' instead of '$with_adapter'"

# Rows generated together are the same as one by one.
"$temper" generate --model "$model" --adapter "$adapter" --input "$work/eval.jsonl" --output "$work/together.jsonl" --output-dir "$work/runs" --max-new-tokens 12 2>/dev/null || fail "together"
"$temper" generate --model "$model" --adapter "$adapter" --input "$work/eval.jsonl" --output "$work/alone.jsonl" --output-dir "$work/runs" --max-new-tokens 12 --slots 1 2>/dev/null || fail "alone"
cmp -s "$work/together.jsonl" "$work/alone.jsonl" || fail "rows depend on the batch they are generated in"

# Rows of every form that training takes are asked alike; an empty file has no answers.
python3 - "$work" <<'PYTHON'
import csv, json, sys
work, text = sys.argv[1], "order two lamps"
rows = [{"prompt": [{"role": "user", "content": text}]},
        {"messages": [{"role": "user", "content": text}, {"role": "assistant", "content": "right"}]},
        {"conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": "right"}]},
        {"prompt": [{"from": "human", "value": text}]},
        {"instruction": text, "input": "", "output": "right"},
        {"instruction": text},
        {"text": text}, {"prompt": text}]
open(work + "/forms.jsonl", "w").writelines(json.dumps(row) + "\n" for row in rows)
with open(work + "/forms.csv", "w") as out:
    csv.writer(out).writerows([["instruction", "output"], [text, "right"]])
PYTHON
for form in forms.jsonl forms.csv; do
    "$temper" generate --model "$model" --adapter "$adapter" --input "$work/$form" --output "$work/$form.out" --output-dir "$work/runs" --max-new-tokens 12 2>"$work/log" ||
        fail "$form: $(tail -n 2 "$work/log")"
done
python3 - "$work" <<'PYTHON' || fail "rows of other forms are asked otherwise"
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1] + "/forms.jsonl.out")]
table = [json.loads(line) for line in open(sys.argv[1] + "/forms.csv.out")]
assert len({row["prediction"] for row in rows[:6] + table}) == 1, rows
assert rows[6]["prediction"] == rows[7]["prediction"]
assert [row.get("reference") for row in rows + table] == [None, "right", "right", None, "right", None, None, None, "right"], rows
assert rows[2]["conversations"] and "messages" not in rows[2] and "prompt" not in rows[4] and set(rows[5]) == {"instruction", "prediction", "finish_reason"}
PYTHON
echo '{"question": "hi"}' >"$work/question.jsonl"
expect_exit 65 'question.jsonl:1: no prompt: expected "prompt", "messages".*found fields question' "$temper" generate --model "$model" --input "$work/question.jsonl" --output "$work/none.jsonl" --output-dir "$work/runs"
: >"$work/empty.jsonl"
"$temper" generate --model "$model" --input "$work/empty.jsonl" --output "$work/empty.out" --output-dir "$work/runs" 2>"$work/log" && grep -q "0 rows in $work/empty.out" "$work/log" ||
    fail "an empty input: $(tail -n 2 "$work/log")"
finish
