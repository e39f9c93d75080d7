#!/usr/bin/env bash
# Every fuzz target, or those named, under libFuzzer with address and undefined-behaviour sanitizers (the preset fuzz: clang).
# Usage: fuzz.sh [SECONDS=60 | RUNS=1000000] [SEED=N] [NAME...]; the environment's MAX_LEN caps an input's bytes
# Seeds come from tests/fuzz/targets, words from tests/fuzz/dictionaries, and what earlier runs found interesting from
# build/fuzz/corpus/NAME. An input that fails is left as build/fuzz/NAME-crash-...; `build/fuzz/tests/fuzz/fuzz_NAME FILE` runs it again.
# Kept under tests/fuzz/found/NAME/ it is run by the ordinary tests from then on.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
seconds=60 runs=-1 seed=$(date +%s) names=()
for argument in "$@"; do
    case $argument in
        SECONDS=*) seconds=${argument#*=} ;;
        RUNS=*) runs=${argument#*=} seconds=0 ;;
        SEED=*) seed=${argument#*=} ;;
        *) names+=("$argument") ;;
    esac
done
. scripts/find_cmake.sh
command -v clang++ >/dev/null || bash scripts/install_packages.sh clang libclang-rt-14-dev || exit 1
cmake --preset fuzz >/dev/null && cmake --build --preset fuzz --target fuzz_targets || exit 1

export LSAN_OPTIONS=suppressions=$PWD/tests/lsan.supp:print_suppressions=0
folder=build/fuzz failures=0
[ -w /dev/shm ] && export TMPDIR=/dev/shm
while read -r name seeds; do
    [[ $name =~ ^[a-z] ]] || continue
    [ ${#names[@]} -eq 0 ] || [[ " ${names[*]} " == *" $name "* ]] || continue
    rm -rf "$folder/seeds/$name"
    mkdir -p "$folder/seeds/$name" "$folder/corpus/$name"
    # libFuzzer wants folders; a name says where its file came from.
    # shellcheck disable=SC2086
    find $seeds $(ls -d "tests/fuzz/found/$name" 2>/dev/null) -type f -size -257k | while read -r file; do
        cp "$file" "$folder/seeds/$name/${file//\//_}"
    done
    words=()
    [ -f "tests/fuzz/dictionaries/$name.dict" ] && words=(-dict="tests/fuzz/dictionaries/$name.dict")
    start=$(date +%s)
    if "$folder/tests/fuzz/fuzz_$name" -runs="$runs" -max_total_time="$seconds" -seed="$seed" -timeout=20 -rss_limit_mb=4096 \
        -max_len="${MAX_LEN:-262144}" "${words[@]}" -artifact_prefix="$folder/$name-" -print_final_stats=1 \
        "$folder/corpus/$name" "$folder/seeds/$name" >"$folder/$name.log" 2>&1 </dev/null; then
        echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/$name.log") runs in $(($(date +%s) - start)) s," \
            "$(grep -oE 'cov: [0-9]+' "$folder/$name.log" | tail -n 1)"
    else
        echo "$name: FAILED (seed $seed), see $folder/$name.log: $(grep -m 1 -E 'ERROR|runtime error|Test unit written' "$folder/$name.log")"
        failures=$((failures + 1))
    fi
done <tests/fuzz/targets
exit $((failures > 0))
