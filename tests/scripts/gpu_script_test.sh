#!/usr/bin/env bash
# bench/gpu.sh where there is no GPU: on the emulated device its commands run and no row says that anything was passed or measured; a part that fails
# stands in the table and does not stop the others. Usage: gpu_script_test.sh PATH_OF_TEMPER
. "$(dirname "$0")/common.sh"
emulated=$(dirname "$temper")/tests/temper_emulated
[ -x "$emulated" ] || { echo "gpu_script_test: no $emulated: skipped"; exit 77; }
export MODELS=$work/models TEMPER_EMULATION_CHECKS=fast
gpu() { bash "$root/bench/gpu.sh" "$@" >"$work/log" 2>&1; }  # gpu PART ...
statuses() { cut -f5 "$RESULTS/rows.tsv" | sort -u | tr '\n' ' '; }

export RESULTS=$work/emulated
SIZES=tiny TEMPER=$emulated gpu build peak first_step nf4 memcheck table || fail "parts on the emulated device: $(tail -n 3 "$work/log")"
[ "$(statuses)" = "not run " ] || fail "rows on the emulated device: $(cat "$RESULTS/rows.tsv")"
[ "$(cut -f1 "$RESULTS/rows.tsv" | sort -u | wc -l)" -eq 5 ] || fail "a part is without a row: $(cat "$RESULTS/rows.tsv")"
grep -q 'command to first step.*emulated: [0-9.]' "$RESULTS/rows.tsv" || fail "the commands did not run: $(cat "$RESULTS/rows.tsv")"
grep -q 'no GPU has run anything here' "$RESULTS/gpu.md" || fail "the table does not say that it is of no GPU"

SIZES=tiny TEMPER=$emulated gpu reference || fail "the CPU's half of the trajectories: $(tail -n 3 "$work/log")"
for command in sft dpo; do [ "$(grep -c '"loss"' "$RESULTS/reference/$command-tiny/metrics.jsonl")" -eq 20 ] || fail "the CPU's run of $command: $(tail -n 3 "$work/log")"; done

export RESULTS=$work/failing
! SIZES=none TEMPER=$emulated gpu first_step peak table || fail "a part that fails: exit 0"
[ "$(statuses)" = "failed not run " ] || fail "rows beside a part that failed: $(cat "$RESULTS/rows.tsv")"
grep -q '| first_step |.*| failed |' "$RESULTS/gpu.md" || fail "the table does not show the part that failed"

export RESULTS=$work/none
CUDA_VISIBLE_DEVICES='' SIZES=tiny TEMPER=$temper gpu tests peak sft_tiny table || fail "parts without a device: $(tail -n 3 "$work/log")"
[ "$(statuses)" = "not run " ] && grep -q 'sees no GPU' "$RESULTS/rows.tsv" || fail "rows without a device: $(cat "$RESULTS/rows.tsv")"
expect_exit 2 "there is no part 'dance'" bash "$root/bench/gpu.sh" dance
finish
