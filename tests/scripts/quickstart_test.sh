#!/usr/bin/env bash
# The quickstart's two configurations and its report, a few steps on a tiny model.
. "$(dirname "$0")/common.sh"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
cd "$root"
head -n 6 jobs/data/tickets_heldout.jsonl >"$work/heldout.jsonl"

tune() {  # tune NAME sft|dpo CONFIG [KEY=VALUE ...]
    local name=$1
    shift
    "$temper" "$@" "model=$model" "output_dir=$work/$name" max_steps=2 global_batch_size=4 2>"$work/stderr" || fail "$name: $(tail -n 3 "$work/stderr")"
    newest_run "$work/$name"
}
sft=$(tune sft sft jobs/quickstart.yaml | tail -n 1)
dpo=$(tune dpo dpo jobs/quickstart_dpo.yaml "lora.init_adapter=$sft/adapter" | tail -n 1)
[ "$(adapter_sha "$sft")" != "$(adapter_sha "$dpo")" ] || fail "dpo left the adapter as it was"

# The evaluation as the quickstart runs it, over six messages and eight tokens.
sed -e 's/max_new_tokens: 80/max_new_tokens: 8/' -e "s|data: .*|data: $work/heldout.jsonl|" jobs/tickets_eval.yaml >"$work/tickets_eval.yaml"
cat >"$work/matrix.yaml" <<MATRIX
sets: tickets_eval.yaml
model: $model
systems:
  - base
  - {name: sft, adapter: $sft/adapter}
  - {name: dpo, adapter: $dpo/adapter}
MATRIX
"$temper" eval --matrix "$work/matrix.yaml" --output-dir "$work/eval" >"$work/stdout" 2>"$work/stderr" || fail "eval: $(tail -n 3 "$work/stderr")"
# Graded again with other answers: of six tickets SFT gets three right, DPO two of those and two others.
python3 - "$(newest_run "$work/eval")/eval" "$work/given" <<'PYTHON'
import json, os, sys
for name, right in (("base", ""), ("sft", "012"), ("dpo", "0134")):
    rows = [json.loads(line) for line in open(f"{sys.argv[1]}/{name}/samples_tickets.jsonl")]
    assert len(rows) == 6 and all(row["checks"]["ticket"] for row in rows), rows
    for i, row in enumerate(rows):
        row["filtered_resps"] = [row["target"] if str(i) in right else "none"]
    os.makedirs(f"{sys.argv[2]}/{name}/eval")
    open(f"{sys.argv[2]}/{name}/eval/samples_tickets.jsonl", "w").writelines(json.dumps(row) + "\n" for row in rows)
PYTHON
cat >"$work/given.yaml" <<MATRIX
sets: tickets_eval.yaml
systems:
  - {name: base, run: $work/given/base}
  - {name: sft, run: $work/given/sft}
  - {name: dpo, run: $work/given/dpo}
MATRIX
"$temper" eval --matrix "$work/given.yaml" --output-dir "$work/graded" >"$work/stdout" 2>"$work/stderr" || fail "eval of answers: $(tail -n 3 "$work/stderr")"
python3 jobs/quickstart_report.py "$dpo" "$(newest_run "$work/graded")" >"$work/report" || fail "the report ended with $?"
says() { grep -Eq -- "$1" "$work/report" || fail "the report lacks '$1': $(cat "$work/report")"; }
says '^6 held-out messages +base +SFT +SFT \+ DPO$'
says '^whole ticket right +0\.0% +50\.0% +66\.7%$'
says '^a ticket by its form +0\.0% +50\.0% +66\.7%$'
says '^  95% interval +0\.0 to 0\.0 +[0-9.]+ to [0-9.]+ +[0-9.]+ to 100\.0$'
says '^whole tickets, SFT less base: \+50\.0 points, 95% interval [0-9.]+ to [0-9.]+, p 0\.[0-9]+$'
says '^ +standard error +0\.0 +22\.4 +21\.1 '
says '\+16\.7 points, standard error 30\.7 '  # differences 0 0 -1 1 1 0
says '^held-out pairs .* [0-9.]+%, standard error [0-9.]+ '
[ "$(grep -c '^message' "$work/report")" -eq 2 ] || fail "two messages were to be shown"
finish
