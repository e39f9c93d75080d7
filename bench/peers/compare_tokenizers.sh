#!/usr/bin/env bash
# Text to ids, temper beside Hugging Face tokenizers: the same documents in memory, one thread and all, in turns, equal ids checked by a hash.
# Usage: compare_tokenizers.sh TOKENIZER_BENCH MODEL_DIR [ROUNDS]; PYTHON names a Python with tokenizers 0.23.
# MODEL_DIR holds a tokenizer.json. The corpus (about MEGABYTES=100 of text that lies on this machine) is made once, in WORK.
set -euo pipefail
bench=$1 model=$2 rounds=${3:-3} python=${PYTHON:-python3} megabytes=${MEGABYTES:-100}
work=${WORK:-${TMPDIR:-/tmp}/temper-tokenizer-corpus}
here=$(dirname "$0")
mkdir -p "$work"
corpus=$work/corpus-$megabytes
[ -s "$corpus" ] || "$python" "$here/compare_tokenizers.py" corpus "$corpus" "$megabytes"
for ((round = 1; round <= rounds; ++round)); do
  for threads in $(printf '%s\n' 1 "$(nproc)" | sort -nu); do
    echo "temper     $("$bench" "$model" "$corpus" --threads "$threads")"
    echo "tokenizers $("$python" "$here/compare_tokenizers.py" encode "$model" "$corpus" "$threads")"
  done
done | tee "$work/results"
"$python" "$here/compare_tokenizers.py" summary "$work/results"
