#!/usr/bin/env bash
# Memory of a CUDA device: what --dry-run predicts against the peak of the run, nothing taken after the first step, and a device that is too small:
# found at the start, with settings that fit, which are then tried. The device is that of tests/temper_emulated.
# Usage: cuda_memory_test.sh PATH_OF_TEMPER
. "$(dirname "$0")/common.sh"
temper=$(dirname "$1")/tests/temper_emulated
export TEMPER_EMULATION_CHECKS=${TEMPER_EMULATION_CHECKS:-fast}
[ -x "$temper" ] || { echo "cuda_memory_test: no $temper: skipped"; exit 77; }
head -n 12 "$root/jobs/data/tickets_train.jsonl" >"$work/train.jsonl"
head -n 4 "$root/jobs/data/tickets_heldout.jsonl" >"$work/eval.jsonl"
head -n 6 "$root/jobs/data/tickets_pairs.jsonl" >"$work/pairs.jsonl"
config() {  # config ROWS: the settings of a run
    cat <<CONFIG
model: $model
output_dir: $work/runs
run_name: tiny
data: {train: $work/$1.jsonl, max_length: 256, shuffle: false}
lora: {r: 4, lora_alpha: 8}
train: {max_steps: 2, global_batch_size: 6, micro_batch_tokens: 1024, leaf_tokens: 256, learning_rate: 1e-3, save_steps: 1}
CONFIG
}
config train >"$work/sft.yaml"
config pairs >"$work/dpo.yaml"

# plan COMMAND [key=value ...]: bytes of the device that the run will take.
plan() {
    "$temper" "$1" "$work/$1.yaml" device=cuda "${@:2}" --dry-run --json 2>/dev/null | tail -n 1 |
        python3 -c "import json,sys; print(json.load(sys.stdin)['memory']['device_bytes'])"
}
field() { python3 -c "import json,sys; print(json.load(open(sys.argv[1] + '/run.json'))['performance'][sys.argv[2]])" "$1" "$2"; }

# compare NAME COMMAND [key=value ...]
compare() {
    local name=$1 command=$2 planned
    shift 2
    planned=$(plan "$command" "$@")
    rm -rf "$work/runs"
    "$temper" "$command" "$work/$command.yaml" device=cuda "$@" >"$work/log" 2>&1 || { fail "$name: $(tail -n 3 "$work/log")"; return; }
    grep -q "after the first step" "$work/log" && fail "$name: $(grep -m 1 "after the first step" "$work/log")"
    python3 - "$name" "$planned" "$(field "$(newest_run "$work/runs")" peak_device_memory_bytes)" <<'PYTHON' || fail "$name: the plan is off"
import sys
name, plan, peak = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
print(f"{name:36} plan {plan / 1e6:7.3f} MB  peak {peak / 1e6:7.3f} MB  {100 * (plan / peak - 1):+5.2f}%")
sys.exit(not abs(plan / peak - 1) <= 0.10)
PYTHON
}
compare "sft" sft
compare "sft, float32" sft dtype=float32
compare "sft, passes of one leaf" sft micro_batch_tokens=256
compare "sft, recomputed" sft gradient_checkpointing=true
compare "sft, evaluation" sft "data.eval=$work/eval.jsonl" eval_steps=1
compare "sft, DoRA, dropout, r 64" sft r=64 use_dora=true lora_dropout=0.1
compare "sft, head and embedding whole" sft 'lora.modules_to_save=[embed_tokens, lm_head]'
compare "dpo" dpo
compare "dpo, float32, recomputed" dpo dtype=float32 gradient_checkpointing=true
compare "dpo, no shared prompts, evaluation" dpo prefix_sharing=false "data.eval=$work/pairs.jsonl" eval_steps=2
adapter=$(newest_run "$work/runs")/adapter
cp -r "$adapter" "$work/adapter"
compare "dpo, references beforehand" dpo precompute_ref_log_probs=true global_batch_size=2 micro_batch_tokens=512
compare "dpo, an adapter as reference" dpo "lora.init_adapter=$work/adapter"

if has_mpi; then
    rm -rf "$work/runs"
    mpirun -n 2 --bind-to none "$temper" sft "$work/sft.yaml" device=cuda leaf_tokens=64 max_steps=3 >"$work/log" 2>&1 || fail "2 ranks: $(tail -n 3 "$work/log")"
    grep -q "after the first step" "$work/log" && fail "2 ranks: $(grep -m 1 "after the first step" "$work/log")"
    grep -q "exchange gradients over MPI" "$work/log" || fail "2 ranks: how they exchange gradients is not said"
    expect_exit 2 'rank_exchange: nccl cannot be used' mpirun -n 2 --bind-to none "$temper" sft "$work/sft.yaml" device=cuda rank_exchange=nccl
fi

# A device with less than that: auto recomputes where that is enough, else the run does not begin.
all=$(plan sft) recomputed=$(plan sft gradient_checkpointing=true)
export TEMPER_EMULATION_MEMORY=$(((all + recomputed) / 2))
[ "$(plan sft)" -eq "$recomputed" ] || fail "auto did not recompute for a device of $TEMPER_EMULATION_MEMORY bytes"
"$temper" sft "$work/sft.yaml" device=cuda >"$work/log" 2>&1 || fail "recomputed by the plan: $(tail -n 3 "$work/log")"
expect_exit 2 'on emulated and .* are available \(.*activations.*micro_batch_tokens=[0-9]+ would fit, or [0-9]+ with train.gradient_checkpointing=true' \
    "$temper" sft "$work/sft.yaml" device=cuda gradient_checkpointing=false
tokens=$(grep -o 'micro_batch_tokens=[0-9]*' "$work/stderr" | head -n 1)
"$temper" sft "$work/sft.yaml" device=cuda gradient_checkpointing=false "$tokens" >"$work/log" 2>&1 || fail "$tokens: $(tail -n 3 "$work/log")"
unset TEMPER_EMULATION_MEMORY
least=$(plan sft gradient_checkpointing=true micro_batch_tokens=1)
export TEMPER_EMULATION_MEMORY=$((least - 1))
expect_exit 2 'no train.micro_batch_tokens fits, nor does train.gradient_checkpointing' "$temper" sft "$work/sft.yaml" device=cuda
"$temper" sft "$work/sft.yaml" device=cuda --dry-run >"$work/log" 2>&1 || fail "a dry run only warns"
grep -q "warning: the run needs" "$work/log" || fail "the dry run does not warn: $(tail -n 2 "$work/log")"
finish
