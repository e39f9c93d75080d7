#!/bin/bash
# From 19 documents to embedded, indexed chunks, measured from the command: bench/features.sh TEMPER MODEL [RUNS=7]
# Prints wall seconds of each run with an empty store (process start, model, chunks, vectors, files, record), and of a run that changes nothing.
set -euo pipefail
[ $# -ge 2 ] || { echo "usage: bench/features.sh TEMPER MODEL [RUNS]" >&2; exit 2; }
temper=$(realpath "$1") model=$(realpath "$2") runs=${3:-7}
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/docs"
# The pages of this project cut into 19 documents of like length.
cat "$root"/CONTRIBUTING.md "$root"/docs/{config,cuda,dpo,limits,lora,models,preferences,quantised,tokenizers}.md >"$work/pages"
head -c 30000 "$work/pages" >"$work/all.md"
split -n l/19 -d --additional-suffix=.md "$work/all.md" "$work/docs/part"
cat >"$work/features.yaml" <<CONFIG
model: $model
store: $work/store
output_dir: $work/runs
sources: [$work/docs]
CONFIG
measure() {
    local began ended
    began=$(date +%s.%N)
    "$temper" features "$work/features.yaml" --json 2>"$work/log" >"$work/result" || { cat "$work/log" >&2; exit 1; }
    ended=$(date +%s.%N)
    awk "BEGIN { printf \"%.3f\", $ended - $began }"
}
for _ in $(seq "$runs"); do
    rm -rf "$work/store"
    echo "empty store: $(measure) s"
done
grep -o '"metrics":{[^{]*' "$work/result"
echo "unchanged:   $(measure) s"
