#!/usr/bin/env bash
# Every fuzz target for SECONDS each (300), under address and undefined-behaviour sanitizers, with a seed of its own each time.
# Usage: fuzz.sh [SECONDS] [SEED]. A crash leaves its input in build/fuzz/NAME.input; `fuzz_NAME --runs 0 FILE` runs it again.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
seconds=${1:-300} seed=${2:-$(date +%s)}
. scripts/find_cmake.sh
cmake --preset debug-asan >/dev/null && cmake --build --preset debug-asan --target fuzz_targets || exit 1
mkdir -p build/fuzz
goldens=tests/goldens
declare -A seeds=(
    [safetensors]="$goldens/safetensors $goldens/tiny_chat/model.safetensors"
    [gguf]="$goldens/gguf/aligned.gguf $goldens/gguf/kinds.gguf $goldens/tokenizers/llama3.gguf"
    [jsonl]="tests/fuzz/seeds/rows.jsonl"
    [arrow]="$goldens/data/arrow"
    [train_config]="jobs/quickstart.yaml tests/fuzz/seeds/run.yaml"
    [chat_template]="$goldens/templates"
    [tokenizer]="$goldens/tiny_chat/tokenizer.json $goldens/tokenizers/odd_parts $goldens/tokenizers/metaspace"
    [model_config]="$goldens/models/llama2_mha/config.json $goldens/models/llama3_scaled/config.json $goldens/models/qwen2_bias/config.json $goldens/models/phi4_longrope/config.json $goldens/models/gemma3_windows/config.json $goldens/models/qwen2_yarn_window/config.json"
)
failures=0
for name in "${!seeds[@]}"; do
    # shellcheck disable=SC2086
    if result=$("build/debug-asan/tests/fuzz_$name" --seconds "$seconds" --seed "$seed" --last "build/fuzz/$name.input" ${seeds[$name]} 2>"build/fuzz/$name.log"); then
        echo "$name: $result"
    else
        echo "$name: FAILED (seed $seed), input in build/fuzz/$name.input: $(grep -m 1 -E 'ERROR|runtime error' "build/fuzz/$name.log")"
        failures=$((failures + 1))
    fi
done
exit $((failures > 0))
