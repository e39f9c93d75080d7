#!/bin/bash
# Eleven tasks of all four types on a real model, in float32: every loglikelihood, metric, error and text against lm-evaluation-harness 0.4.13.
#     eval_reference.sh TEMPER MODEL      ${PYTHON:-python3} has lm_eval 0.4.13 and torch
set -euo pipefail
temper=$(realpath "$1") model=$(realpath "$2")
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tasks=$root/tests/goldens/eval/tasks
mkdir "$work/golden"
begin=$SECONDS
HF_HUB_OFFLINE=1 "${PYTHON:-python3}" "$root/tests/goldens/make_eval_goldens.py" "$model" "$work/golden" >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
echo "reference: $((SECONDS - begin)) s"
run() {  # run NAME ARGUMENTS...
    local name=$1
    shift
    "$temper" eval --model "$model" --dtype float32 --output-dir "$work/$name" --bootstrap-iters 2000 "$@" 2>"$work/log" || { tail "$work/log"; exit 1; }
    python3 "$root/tests/scripts/compare_eval.py" "$(ls -d "$work/$name"/*Z-*)" "$work/golden/$name.json"
}
begin=$SECONDS
run plain --tasks "tiny,$tasks/subjects.yaml"
run chat --tasks "$tasks/choice.yaml,tiny_blank,tiny_sum,tiny_story" --apply-chat-template --fewshot-as-multiturn no --system-instruction "Be brief."
run turns --tasks "$tasks/choice.yaml,tiny_sum" --apply-chat-template --num-fewshot 2
echo "temper: $((SECONDS - begin)) s"
