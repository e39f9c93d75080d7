#!/usr/bin/env bash
# What a resume looks at before it goes on, that a refused one leaves everything as it was, and that a checkpoint that could not be read once is in
# nobody's way later: such a run still ends with the bytes of an undisturbed one.
. "$(dirname "$0")/common.sh"
cp -r "$model" "$work/model"
model=$work/model
tiny_config "$work/tiny.yaml"
settings=("$work/tiny.yaml" num_train_epochs=12 save_total_limit=100)
sft() { "$temper" sft "${settings[@]}" "$@"; }
until_step() {  # until_step STEP OUTPUT_DIR SIGNAL: started, and stopped when a checkpoint of that step or a later one is there
    local step=$1 runs=$2 signal=$3 child
    "$temper" sft "${settings[@]}" "output_dir=$runs" --resume auto >"$work/log" 2>&1 &
    child=$!
    for _ in $(seq 400); do
        [ -n "$(ls -d "$runs"/*Z-*/checkpoints/step-* 2>/dev/null | sed 's/.*step-0*//' | awk -v least="$step" '$1 >= least')" ] && break
        sleep 0.05
    done
    kill "-$signal" "$child"
    wait "$child" 2>/dev/null
}
sft "output_dir=$work/quiet" >"$work/log" 2>&1 || fail "an undisturbed run: $(tail -n 3 "$work/log")"
until_step 6 "$work/runs" USR1
run=$(newest_run "$work/runs")
checkpoints() { (cd "$run/checkpoints" && ls -d step-*); }
before=$(checkpoints)

# Other weights, other data: refused, and nothing is lost by having asked.
cp "$model/model.safetensors" "$work/weights"
python3 - "$model/model.safetensors" <<'PYTHON'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
for at in range(len(data) // 2, len(data), 64):
    data[at] ^= 1
open(sys.argv[1], "wb").write(data)
PYTHON
expect_exit 2 "the weights of model .*/model' changed" sft "output_dir=$work/runs" --resume auto
cp "$work/weights" "$model/model.safetensors"
cp "$work/eval.jsonl" "$work/kept"
head -n 4 "$work/kept" >"$work/eval.jsonl"
expect_exit 2 'the evaluation data changed' sft "output_dir=$work/runs" --resume auto
cp "$work/kept" "$work/eval.jsonl"
cp "$work/train.jsonl" "$work/kept"
head -n 48 "$work/kept" >"$work/train.jsonl"
expect_exit 2 'the training data.* changed' sft "output_dir=$work/runs" --resume "$run/checkpoints/step-00000002"
cp "$work/kept" "$work/train.jsonl"
[ "$(checkpoints)" = "$before" ] || fail "a refused resume changed the checkpoints: $(checkpoints)"
cp -r "$run/checkpoints/step-00000002" "$run/checkpoints/copy"
expect_exit 2 'is called step-00000002' sft "output_dir=$work/runs" --resume "$run/checkpoints/copy"
rm -r "$run/checkpoints/copy"

# The newest cannot be read for a while: the run goes on from the one before, is killed, and goes on although the newest is back.
newest=$(checkpoints | tail -n 1)
mv "$run/checkpoints/$newest/manifest.json" "$work/manifest"
step=$(checkpoints | tail -n 2 | head -n 1 | sed 's/step-0*//')
until_step "$(($(sed "s/step-0*//" <<<"$newest") + 1))" "$work/runs" KILL
grep -q "from step $step" "$work/log" || fail "it did not go on from step $step: $(grep step "$work/log" | head -n 3)"
[ -d "$run/checkpoints/aside-$newest" ] || fail "$newest was not set aside: $(ls "$run/checkpoints")"
mv "$work/manifest" "$run/checkpoints/aside-$newest/manifest.json"
sft "output_dir=$work/runs" --resume auto >"$work/log" 2>&1 || fail "the last resume: exit $?: $(tail -n 3 "$work/log")"
[ "$(adapter_sha "$run")" = "$(adapter_sha "$work"/quiet/*Z-*)" ] || fail "another adapter than that of an undisturbed run"

# A signal as soon as the program listens, before it has read a row.
"$temper" sft "$work/tiny.yaml" "output_dir=$work/early" num_train_epochs=100 >"$work/log" 2>&1 &
child=$!
listens() { (( 0x$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$child/status") & 0x200 )); }  # SIGUSR1 is signal 10
for _ in $(seq 1000); do listens && break; sleep 0.005; done
kill -USR1 "$child"
wait "$child"
code=$?
[ "$code" -eq 75 ] || fail "a signal at the start: exit $code: $(tail -n 2 "$work/log")"
finish
