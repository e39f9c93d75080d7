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

mkdir -p "$dpo/quickstart"
for name in base sft dpo; do
    adapter=()
    [ "$name" = base ] || adapter=(--adapter "${!name}/adapter")
    "$temper" generate --model "$model" "${adapter[@]}" --input "$work/heldout.jsonl" --output "$dpo/quickstart/$name.jsonl" --output-dir "$work/runs" --max-new-tokens 8 2>"$work/stderr" ||
        fail "generate $name: $(tail -n 3 "$work/stderr")"
done
# Of six tickets SFT gets three right, DPO two of those and two others.
python3 - "$dpo/quickstart" <<'PYTHON'
import json, sys
for name, right in (("base", ""), ("sft", "012"), ("dpo", "0134")):
    path = f"{sys.argv[1]}/{name}.jsonl"
    rows = [json.loads(line) for line in open(path)]
    assert len(rows) == 6 and all({"prompt", "prediction", "reference"} <= row.keys() for row in rows), rows
    for i, row in enumerate(rows):
        row["prediction"] = row["reference"] if str(i) in right else "none"
    open(path, "w").writelines(json.dumps(row) + "\n" for row in rows)
PYTHON
for name in base sft dpo; do
    "$temper" score --predictions "$dpo/quickstart/$name.jsonl" --metrics json_fields,exact_match --json | tail -n 1 >"$dpo/quickstart/$name.scores.json"
done
python3 jobs/quickstart_report.py "$dpo" >"$work/report" || fail "the report ended with $?"
says() { grep -Eq -- "$1" "$work/report" || fail "the report lacks '$1': $(cat "$work/report")"; }
says '^6 held-out messages +base +SFT +SFT \+ DPO$'
says '^whole ticket right +0\.0% +50\.0% +66\.7%$'
says '^ +standard error +0\.0 +22\.4 +21\.1$'
says '\+16\.7 points, standard error 30\.7 '  # differences 0 0 -1 1 1 0
says '^held-out pairs .* [0-9.]+%, standard error [0-9.]+ '
[ "$(grep -c '^message' "$work/report")" -eq 2 ] || fail "two messages were to be shown"
finish
