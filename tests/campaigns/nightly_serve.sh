#!/bin/bash
# Nights of jobs/nightly.sh on the real model under a server that PyPI's openai client never stops asking: one night puts the first adapter into
# production, one promotes a better one, one trains a bad one that the gate stops. No request is lost, each is answered by an adapter that was in
# production, greedy answers are those of temper generate with it, vectors stay; after the stopped night everything is as it was.
#     nightly_serve.sh TEMPER MODEL EMBEDDING_MODEL       temper-serve lies beside TEMPER; some 15 minutes on two cores
set -euo pipefail
temper=$(realpath "$1") model=$(realpath "$2") embedding_model=$(realpath "$3")
root=$(cd "$(dirname "$0")/../.." && pwd)
venv=${TEMPER_CACHE:-$HOME/.cache/temper}/venv-openai
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
export OMP_WAIT_POLICY=passive OUTPUT_DIR=$work/runs REGISTRY=$work/registry MODEL=$model TEMPER=$temper RANKS=1
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c 'import openai, numpy' 2>/dev/null || "$venv/bin/pip" install --quiet openai==3.54.0 numpy

night() {  # night NAME EXIT_CODE STEPS LEARNING_RATE: a night ends as it must
    cat >"$work/$1.env" <<ENV
. $root/jobs/nightly.env
EVAL=(--sets jobs/tickets_eval.yaml --limit 30) TRAIN=(save_steps=0 threads=2) SFT=(max_steps=$3 learning_rate=$4) DPO=(max_steps=4 data.eval=null)
ENV
    local code=0 begin=$SECONDS
    NIGHT=$1 bash "$root/jobs/nightly.sh" "$work/$1.env" >"$work/$1.md" 2>"$work/$1.log" || code=$?
    [ "$code" -eq "$2" ] || { tail -n 20 "$work/$1.log"; echo "night $1: exit $code instead of $2"; exit 1; }
    echo "night $1: exit $code after $((SECONDS - begin)) s: $(grep -m 1 '^- whole\|^| whole' "$work/$1.md" || head -n 1 "$work/$1.md")"
}
adapter() { "$temper" registry resolve tickets@production --registry "$REGISTRY"; }
answers() {  # answers NAME: what temper generate says with production's adapter
    "$temper" generate --model "$model" --adapter "$(adapter)" --input "$work/rows.jsonl" --output "$work/greedy_$1.jsonl" --max-new-tokens 48 2>"$work/generate.log"
}

head -n 8 "$root/jobs/data/tickets_heldout.jsonl" >"$work/rows.jsonl"
printf '%s\n' '{"text": "a cat sat on the mat"}' '{"text": "Where is my order?"}' >"$work/texts.jsonl"
"$temper" embed --model "$embedding_model" --input "$work/texts.jsonl" --output "$work/vectors.npy" --format npy >/dev/null 2>&1
night first 0 10 1e-3
answers first
cat >"$work/serve.yaml" <<CONFIG
registry: {directory: $REGISTRY, name: tickets, alias: production, poll_seconds: 0.5}
embedding_model: $embedding_model
embedding_name: vectors
port: 0
CONFIG
"$(dirname "$temper")/temper-serve" --config "$work/serve.yaml" >"$work/url" 2>"$work/server.log" &
server=$!
for _ in $(seq 100); do [ -s "$work/url" ] && break; sleep 0.2; done
client() { "$venv/bin/python" "$root/tests/campaigns/nightly_serve.py" "$(cat "$work/url")" "$work" "$@"; }
client check first 1
client ask "$work/stop" >"$work/asked" &
asking=$!
night better 0 20 1e-3
answers better
client check better 2
night bad 3 4 0.3
client check better 2
touch "$work/stop"
wait "$asking" || { cat "$work/asked"; exit 1; }
client count first better <"$work/asked"
kill "$server"
wait "$server"
server=
echo "all checks passed"
