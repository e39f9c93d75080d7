#!/usr/bin/env bash
# Training and generation on a CUDA device, against the CPU: 20-step trajectories in float32, and the laws that hold on each device alone: the same
# command twice, other micro-batches, ranks and stops give one adapter. The device is the emulated one of tests/temper_emulated, or with
# TEMPER_TEST_GPU=1 a real one and the program that was given. Usage: cuda_test.sh PATH_OF_TEMPER
. "$(dirname "$0")/common.sh"
cpu_program=$temper
if [ "${TEMPER_TEST_GPU:-0}" = 0 ]; then
    temper=$(dirname "$1")/tests/temper_emulated
    export TEMPER_EMULATION_CHECKS=${TEMPER_EMULATION_CHECKS:-fast}
    [ -x "$temper" ] || { echo "cuda_test: no $temper: skipped"; exit 77; }
fi
"$temper" --version | grep '^CUDA' | grep -qv none || fail "the program has no CUDA kernels"
head -n 24 "$root/jobs/data/tickets_train.jsonl" >"$work/train.jsonl"
head -n 8 "$root/jobs/data/tickets_heldout.jsonl" >"$work/eval.jsonl"
head -n 12 "$root/jobs/data/tickets_pairs.jsonl" >"$work/pairs.jsonl"
cat >"$work/sft.yaml" <<CONFIG
model: $model
output_dir: $work/runs
run_name: tiny
data: {train: $work/train.jsonl, eval: $work/eval.jsonl, max_length: 96}
lora: {r: 4, lora_alpha: 8}
train: {max_steps: 6, global_batch_size: 6, micro_batch_tokens: 512, leaf_tokens: 128, learning_rate: 5e-3, save_steps: 2}
CONFIG
sed "s/tickets_train/pairs/; s#train: $work/train.jsonl, eval: $work/eval.jsonl#train: $work/pairs.jsonl#; s/learning_rate: 5e-3/learning_rate: 2e-3/" \
    "$work/sft.yaml" >"$work/dpo.yaml"

run() {  # run NAME COMMAND PROGRAM RANKS [key=value ...]: prints the adapter's hash
    local out=$work/$1 command=$2 program=$3 ranks=$4
    shift 4
    local launcher=()
    [ "$ranks" -gt 1 ] && launcher=(mpirun -n "$ranks" --bind-to none)
    "${launcher[@]}" "$program" "$command" "$work/$command.yaml" "output_dir=$out" "$@" >"$work/log" 2>&1 || fail "run $out: $(tail -n 3 "$work/log")"
    adapter_sha "$(newest_run "$out")"
}

# agree NAME OTHER LOSS NORM: losses and gradient norms of two runs, step by step, within these bounds; the relative one of the norm.
agree() {
    python3 - "$(newest_run "$work/$1")" "$(newest_run "$work/$2")" "$3" "$4" <<'PYTHON' || fail "$1 and $2 differ"
import json, sys
runs = [[json.loads(line) for line in open(path + "/metrics.jsonl")] for path in sys.argv[1:3]]
runs = [[row for row in rows if "loss" in row] for rows in runs]
loss, norm = map(float, sys.argv[3:5])
assert len(runs[0]) == len(runs[1]) > 0, (len(runs[0]), len(runs[1]))
for a, b in zip(*runs):
    print("step", a["step"], "loss", a["loss"], b["loss"], "grad_norm", a["grad_norm"], b["grad_norm"])
    if not abs(a["loss"] - b["loss"]) <= loss * max(1.0, abs(b["loss"])) or not abs(a["grad_norm"] - b["grad_norm"]) <= norm * b["grad_norm"]:
        sys.exit(f"step {a['step']}: loss {a['loss']} and {b['loss']}, gradient norm {a['grad_norm']} and {b['grad_norm']}")
PYTHON
}

# replayed LEAST: what the log of the last run, with TEMPER_CUDA_GRAPHS=report, says.
replayed() {
    local counts
    counts=$(grep '^CUDA graphs:' "$work/log") || fail "no report of graphs"
    echo "$counts"
    [ "$(sed 's/.* \([0-9]*\) replayed.*/\1/' <<<"$counts")" -ge "$1" ] || fail "too few graphs were replayed: $counts"
}

for command in sft dpo; do
    # The design's bounds between a run and its reference: float32 to 2e-4 and 1e-3, bfloat16 to 1% and 5%.
    run $command-cpu $command "$cpu_program" 1 device=cpu dtype=float32 threads=1 >/dev/null
    run $command-float32 $command "$temper" 1 device=cuda dtype=float32 >/dev/null
    agree $command-float32 $command-cpu 2e-4 1e-3
    first=$(run $command-bfloat16 $command "$temper" 1 device=cuda)
    [ -n "$first" ] || fail "no adapter"
    agree $command-bfloat16 $command-cpu 1e-2 5e-2
    [ "$(TEMPER_CUDA_GRAPHS=report run $command-again $command "$temper" 1 device=cuda)" = "$first" ] ||
        fail "$command: the same command gave another adapter"
    replayed 4
    [ "$(TEMPER_CUDA_GRAPHS=0 run $command-micro $command "$temper" 1 device=cuda micro_batch_tokens=150 gradient_checkpointing=true)" = "$first" ] ||
        fail "$command: micro_batch_tokens, recomputing or doing without graphs changed the adapter"
    if has_mpi; then
        [ "$(run $command-ranks $command "$temper" 2 device=cuda)" = "$first" ] || fail "$command: 2 ranks changed the adapter"
    fi
    grep -q '"device":"cuda"' <(tr -d ' \n' <"$(newest_run "$work/$command-bfloat16")/run.json") || fail "$command: the record does not say cuda"
done

# Rows of one length make every step the same work: with dropout, and with another batch each time, graphs are replayed to the bits of single ops.
python3 -c 'import json, sys; [print(json.dumps({"text": line})) for line in sys.stdin]' <"$work/train.jsonl" >"$work/text.jsonl"
even=(device=cuda "data.train=$work/text.jsonl" "data.eval=$work/text.jsonl" max_length=40 lora_dropout=0.1)
first=$(TEMPER_CUDA_GRAPHS=report run even sft "$temper" 1 "${even[@]}")
replayed 7
[ "$(TEMPER_CUDA_GRAPHS=0 run even-plain sft "$temper" 1 "${even[@]}")" = "$first" ] || fail "graphs changed the adapter"

# Stopped after step 2 and resumed.
out=$work/stopped
"$temper" sft "$work/sft.yaml" "output_dir=$out" device=cuda --resume auto >"$work/log" 2>&1 &
child=$!
for _ in $(seq 1 600); do
    compgen -G "$out/*/checkpoints/step-00000002/manifest.json" >/dev/null && break
    sleep 0.1
done
kill -USR1 "$child"
wait "$child"
code=$?
[ "$code" -eq 75 ] || [ "$code" -eq 0 ] || fail "stopped by a signal: exit $code"
"$temper" sft "$work/sft.yaml" "output_dir=$out" device=cuda --resume auto >"$work/log" 2>&1 || fail "resume: $(tail -n 3 "$work/log")"
[ "$(adapter_sha "$(newest_run "$out")")" = "$(adapter_sha "$(newest_run "$work/sft-bfloat16")")" ] || fail "stopped and resumed: another adapter"

# Greedy answers in float32 are those of the CPU, alone and in company.
head -n 3 "$work/eval.jsonl" >"$work/ask.jsonl"
answers() { "$1" generate --model "$model" --adapter "$(newest_run "$work/sft-cpu")/adapter" --input "$work/ask.jsonl" --output "$work/$2" --dtype float32 \
    --max-new-tokens 8 "${@:3}" >"$work/log" 2>&1 || fail "generate: $(tail -n 3 "$work/log")"; }
answers "$cpu_program" cpu.jsonl --device cpu
TEMPER_CUDA_GRAPHS=report answers "$temper" cuda.jsonl --device cuda
replayed 4
TEMPER_CUDA_GRAPHS=0 answers "$temper" single.jsonl --device cuda --slots 1
cmp -s "$work/cpu.jsonl" "$work/cuda.jsonl" || fail "answers on the device differ from the CPU's"
cmp -s "$work/cuda.jsonl" "$work/single.jsonl" || fail "an answer depends on its neighbours"
finish
