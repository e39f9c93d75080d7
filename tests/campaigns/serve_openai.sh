#!/bin/bash
# temper-serve on real models, asked by PyPI's openai client: chats (whole, streamed, many at once), vectors, errors, before and after the pointer moves;
# greedy answers are those of temper generate, vectors those of temper embed. Then start-up time, memory and tokens a second.
#     serve_openai.sh TEMPER MODEL EMBEDDING_MODEL        temper-serve lies beside TEMPER; the client goes into ${TEMPER_CACHE:-~/.cache/temper}
set -euo pipefail
temper=$(realpath "$1") model=$(realpath "$2") embedding_model=$(realpath "$3")
root=$(cd "$(dirname "$0")/../.." && pwd)
venv=${TEMPER_CACHE:-$HOME/.cache/temper}/venv-openai
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMP_WAIT_POLICY=passive
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import openai, numpy' 2>/dev/null || "$venv/bin/pip" install --quiet openai==3.54.0 numpy

step() { "$@" >"$work/out" 2>"$work/log" || { tail -n 20 "$work/log"; echo "failed: $*"; exit 1; }; }
sed -e "s|^model: .*|model: $model|" -e "s|^output_dir: .*|output_dir: $work/runs|" "$root/jobs/quickstart.yaml" >"$work/sft.yaml"
cd "$root"
for name in a b; do
    steps=$([ $name = a ] && echo 2 || echo 4)
    step "$temper" sft "$work/sft.yaml" "run_name=$name" "max_steps=$steps" global_batch_size=2 learning_rate=5e-3 warmup_steps=0 save_steps=0 threads=0
    step "$temper" registry add "$(ls -d "$work"/runs/*-"$name"-*)" --name tickets --registry "$work/registry"
done
step "$temper" registry alias tickets candidate 1 --registry "$work/registry"
head -n 8 jobs/data/tickets_heldout.jsonl >"$work/rows.jsonl"
printf '%s\n' '{"messages": [{"role": "user", "content": "What is the capital of France?"}]}' '{"messages": [{"role": "user", "content": "Count: \u4e00 \u4e8c \ud83d\udc0d"}]}' >>"$work/rows.jsonl"
for name in a b; do
    step "$temper" generate --model "$model" --adapter "$(ls -d "$work"/runs/*-"$name"-*)/adapter" --input "$work/rows.jsonl" --output "$work/greedy_$name.jsonl" --max-new-tokens 48
done
printf '%s\n' '{"text": "a cat sat on the mat"}' '{"text": "Where is my order?"}' '{"text": "der Hund schl\u00e4ft"}' >"$work/texts.jsonl"
step "$temper" embed --model "$embedding_model" --input "$work/texts.jsonl" --output "$work/vectors.npy" --format npy
cat >"$work/serve.yaml" <<CONFIG
registry: {directory: $work/registry, name: tickets, alias: candidate, poll_seconds: 0.5}
embedding_model: $embedding_model
embedding_name: vectors
port: 0
CONFIG
"$venv/bin/python" "$root/tests/campaigns/serve_openai.py" "$(dirname "$temper")/temper-serve" "$temper" "$work"
