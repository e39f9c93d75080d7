#!/usr/bin/env bash
# Training and generation on a CUDA device, against the CPU: trajectories in float32 and bfloat16 (20 steps on a GPU, 6 emulated), and the laws that
# hold on each device alone: the same command twice, other micro-batches, ranks and stops give one adapter. The device is the emulated one of
# tests/temper_emulated, or with TEMPER_TEST_GPU=1 a real one and the program that was given. Usage: cuda_test.sh PATH_OF_TEMPER
. "$(dirname "$0")/common.sh"
export XDG_CACHE_HOME=$work/cache  # where processes keep what algorithms they chose for matrix products
cpu_program=$temper
if [ "${TEMPER_TEST_GPU:-0}" = 0 ]; then
    temper=$(dirname "$1")/tests/temper_emulated
    export TEMPER_EMULATION_CHECKS=${TEMPER_EMULATION_CHECKS:-fast}
    [ -x "$temper" ] || { echo "cuda_test: no $temper: skipped"; exit 77; }
    steps=6
else
    ! "$temper" --version | grep -q '^CUDA .*no device' || { echo "cuda_test: no CUDA device: skipped"; exit 77; }
    steps=20
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
train: {max_steps: $steps, global_batch_size: 6, micro_batch_tokens: 512, leaf_tokens: 128, learning_rate: 5e-3, save_steps: 2}
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
    if has_mpi && command -v mpirun >/dev/null; then
        [ "$(run $command-ranks $command "$temper" 2 device=cuda)" = "$first" ] || fail "$command: 2 ranks changed the adapter"
    fi
    grep -q '"algorithms":"[0-9a-f]' <(tr -d ' \n' <"$(newest_run "$work/$command-bfloat16")/run.json") || fail "$command: no algorithms in the record"
    grep -q '"algorithms"' "$(newest_run "$work/$command-cpu")/run.json" && fail "$command: algorithms in a record of the CPU"
    grep -q '"device":"cuda"' <(tr -d ' \n' <"$(newest_run "$work/$command-bfloat16")/run.json") || fail "$command: the record does not say cuda"
done

# Rows of one length make every step the same work: with dropout, and with another batch each time, graphs are replayed to the bits of single ops.
python3 -c 'import json, sys; [print(json.dumps({"text": line})) for line in sys.stdin]' <"$work/train.jsonl" >"$work/text.jsonl"
even=(device=cuda "data.train=$work/text.jsonl" "data.eval=$work/text.jsonl" max_length=40 lora_dropout=0.1)
first=$(TEMPER_CUDA_GRAPHS=report run even sft "$temper" 1 "${even[@]}")
replayed 7
[ "$(TEMPER_CUDA_GRAPHS=0 run even-plain sft "$temper" 1 "${even[@]}")" = "$first" ] || fail "graphs changed the adapter"

# Weights that stay quantised: the device's numbers are the CPU's, and so are the steps; so they are whatever the micro-batches.
quantised() {  # quantised NAME key=value ...
    local name=$1 first
    shift
    run sft-cpu-$name sft "$cpu_program" 1 device=cpu dtype=float32 threads=1 "$@" >/dev/null
    run sft-$name sft "$temper" 1 device=cuda dtype=float32 "$@" >/dev/null
    agree sft-$name sft-cpu-$name 2e-4 1e-3
    first=$(run sft-$name-bfloat16 sft "$temper" 1 device=cuda "$@")
    agree sft-$name-bfloat16 sft-cpu-$name 1e-2 5e-2
    [ "$(run sft-$name-micro sft "$temper" 1 device=cuda micro_batch_tokens=150 "$@")" = "$first" ] || fail "$name: micro_batch_tokens changed the adapter"
}
quantised nf4 load_in_4bit=true
quantised nf4-double load_in_4bit=true bnb_4bit_use_double_quant=true
quantised fp8 load_in_fp8=true use_dora=true
# Blocks of a GGUF file that stay, and the same numbers.
"$cpu_program" convert "$model" --output "$work/blocks.gguf" --type Q8_0 >"$work/log" 2>&1 || fail "convert: $(tail -n 3 "$work/log")"
[ "$(run sft-blocks sft "$temper" 1 device=cuda "model=$work/blocks.gguf" keep_quantized=true)" = \
    "$(run sft-numbers sft "$temper" 1 device=cuda "model=$work/blocks.gguf")" ] || fail "keep_quantized changed the adapter"

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

# Variants of adapters and models ask for other products, all of which are rehearsed: a step that met an unknown one would fail.
run variants sft "$temper" 1 device=cuda max_steps=1 use_dora=true lora_dropout=0.1 'rank_pattern={v_proj: 7}' >/dev/null
run saved sft "$temper" 1 device=cuda max_steps=1 modules_to_save='[embed_tokens,lm_head]' >/dev/null
run one-layer sft "$temper" 1 device=cuda dtype=float32 max_steps=1 layers_to_transform='[1]' target_modules='[down_proj]' >/dev/null

# Families whose layers are made otherwise: biases, norms of heads and behind the linears, caps. Rows of ids, which all of them have.
for row in 0 1 2 3 4 5; do
    echo "{\"input_ids\": [$(seq -s ', ' $((3 + row)) 7 $((200 + row)))]}"
done >"$work/ids.jsonl"
for family in qwen2_bias gemma3_windows gemma2_caps; do
    mkdir "$work/$family"
    cp "$root/tests/goldens/models/$family"/{config.json,model.safetensors} "$model"/tokenizer*.json "$work/$family"
    one_step=("model=$work/$family" "data.train=$work/ids.jsonl" "data.eval=$work/ids.jsonl" max_steps=1)
    run $family-cpu sft "$cpu_program" 1 device=cpu dtype=float32 threads=1 "${one_step[@]}" >/dev/null
    run $family-float32 sft "$temper" 1 device=cuda dtype=float32 "${one_step[@]}" >/dev/null
    agree $family-float32 $family-cpu 2e-4 1e-3
    run $family-bfloat16 sft "$temper" 1 device=cuda "${one_step[@]}" >/dev/null
    agree $family-bfloat16 $family-cpu 1e-2 5e-2
done

# Whose algorithms are followed. A process of the emulation wishes for its own, by TEMPER_EMULATION_WISH, and keeps them in its cache.
wishing() {  # wishing NAME CACHE WISH [key=value ...]: a run's adapter
    XDG_CACHE_HOME=$work/cache-$2 TEMPER_EMULATION_WISH=$3 run "$1" sft "$temper" 1 device=cuda "${@:4}"
}
algorithms_of() { grep -o '"algorithms": "[0-9a-f]*"' "$(newest_run "$work/$1")/run.json"; }
if [ "${TEMPER_TEST_GPU:-0}" = 0 ]; then
    one=$(wishing wish-1 1 1) two=$(wishing wish-2 2 2)
    [ "$one" != "$two" ] || fail "processes that choose for themselves agree: nothing is shown"
    [ "$(algorithms_of wish-1)" != "$(algorithms_of wish-2)" ] || fail "two choices, one hash"
    [ "$(wishing cached 1 2)" = "$one" ] || fail "the choices in the cache were not followed"
    grep -q ' 0 of them chosen now' "$work/log" || fail "with a cache algorithms were tried: $(grep algorithms "$work/log")"
    cache=$(echo "$work"/cache-1/temper/matrix-products-*)
    printf x | dd of="$cache" bs=1 seek=60 conv=notrunc 2>/dev/null
    [ "$(wishing broken 1 2)" = "$two" ] || fail "a broken cache was followed"
    grep -q 'is made again' "$work/log" || fail "nobody heard of the broken cache"
    [ "$(wishing mended 1 1)" = "$two" ] || fail "the broken cache was not made again"

    # A resumed run goes on with its checkpoint's, whatever the process wishes or its cache says.
    stopped=$(newest_run "$work/wish-1")
    resume_from_2() {  # resume_from_2 LIBRARY: the adapter of the run of wish 1, its last steps made again by wish 2
        sed -i 's/"status": "finished"/"status": "preempted"/' "$stopped/run.json"
        rm -rf "$stopped"/checkpoints/step-0000000[46] "$stopped/adapter"
        XDG_CACHE_HOME=$work/cache-2 TEMPER_EMULATION_WISH=2 TEMPER_EMULATION_LIBRARY=$1 "$temper" sft "$work/sft.yaml" "output_dir=$work/wish-1" \
            device=cuda --resume auto >"$work/log" 2>&1 || fail "resume: $(tail -n 3 "$work/log")"
        adapter_sha "$stopped"
    }
    [ "$(resume_from_2 1)" = "$one" ] || fail "resumed with algorithms of its own"
    [ "$(resume_from_2 2)" != "$one" ] || fail "another library followed the checkpoint's algorithms"
    grep -q 'the checkpoint was written with emulation 1' "$work/log" || fail "resumed with another library without a word: $(cat "$work/log")"

    # Rank 0 chooses; ranks of two libraries do not start.
    ranks() {  # ranks NAME LIBRARY_OF_RANK_1
        mpirun --bind-to none -n 1 env XDG_CACHE_HOME="$work/cache-a" TEMPER_EMULATION_WISH=1 "$temper" sft "$work/sft.yaml" "output_dir=$work/$1" device=cuda : \
            -n 1 env XDG_CACHE_HOME="$work/cache-b" TEMPER_EMULATION_WISH=2 TEMPER_EMULATION_LIBRARY="$2" "$temper" sft "$work/sft.yaml" \
            "output_dir=$work/$1" device=cuda
    }
    if has_mpi; then
        ranks two-wishes 1 >"$work/log" 2>&1 || fail "2 ranks: $(tail -n 3 "$work/log")"
        [ "$(adapter_sha "$(newest_run "$work/two-wishes")")" = "$one" ] || fail "rank 1 followed its own wish"
        expect_exit 2 'rank 0 computes with emulation 1 .*, rank 1 with emulation 2' ranks two-libraries 2
    fi
fi

# Vectors and scores: those of the CPU within rounding; and they follow choices as well, those of rank 0 and of the process before.
encoders=$root/tests/goldens/encoders
for text in "" ", and a longer one of two sentences. This is the second"; do echo "{\"text\": \"a text$text\"}"; done >"$work/texts.jsonl"
echo '{"query": "a question", "documents": ["an answer", "and another one"]}' >"$work/questions.jsonl"
embed_job() {  # embed_job OUTPUT [DEVICE]: the job of embed or rerank, by the output's name
    case $1 in
        *.npy) echo embed --model "$encoders/mpnet" --input "$work/texts.jsonl" --format npy ;;
        *) echo rerank --model "$encoders/cross_mpnet" --input "$work/questions.jsonl" ;;
    esac
    echo --output "$work/$1" --output-dir "$work/embed-runs" --resume no --device "${2:-cuda}"
}
vectors() {  # vectors OUTPUT CACHE WISH
    # shellcheck disable=SC2046
    XDG_CACHE_HOME=$work/cache-$2 TEMPER_EMULATION_WISH=$3 "$temper" $(embed_job "$1") >"$work/log" 2>&1 || fail "$1: $(tail -n 3 "$work/log")"
}
vectors device.npy device 1
vectors device.jsonl device 1
for output in cpu.npy cpu.jsonl; do
    # shellcheck disable=SC2046
    "$cpu_program" $(embed_job $output cpu) >"$work/log" 2>&1 || fail "$output: $(tail -n 3 "$work/log")"
done
python3 - "$work" <<'PYTHON' || fail "vectors or scores on the device are not those of the CPU"
import array, json, pathlib, sys
def vectors(name):
    data = pathlib.Path(sys.argv[1], name + ".npy").read_bytes()
    return list(array.array("f", data[10 + int.from_bytes(data[8:10], "little"):]))
def scores(name):
    return [score for line in open(sys.argv[1] + f"/{name}.jsonl") for score in json.loads(line)["scores"]]
for read in (vectors, scores):
    cpu, device = read("cpu"), read("device")
    assert len(cpu) == len(device) >= 2 and max(abs(a - b) for a, b in zip(cpu, device)) <= 2e-6, (cpu, device)
PYTHON
if [ "${TEMPER_TEST_GPU:-0}" = 0 ]; then
    for kind in npy jsonl; do
        vectors one.$kind v1 1
        vectors other.$kind v2 2
        ! cmp -s "$work/one.$kind" "$work/other.$kind" || fail "$kind: processes that choose for themselves agree: nothing is shown"
        vectors cached.$kind v1 2
        cmp -s "$work/one.$kind" "$work/cached.$kind" || fail "$kind: the choices in the cache were not followed"
        if has_mpi; then
            # shellcheck disable=SC2046
            mpirun --bind-to none -n 1 env XDG_CACHE_HOME="$work/cache-v3" TEMPER_EMULATION_WISH=1 "$temper" $(embed_job ranks.$kind) : \
                -n 1 env XDG_CACHE_HOME="$work/cache-v4" TEMPER_EMULATION_WISH=2 "$temper" $(embed_job ranks.$kind) >"$work/log" 2>&1 ||
                fail "$kind, 2 ranks: $(tail -n 3 "$work/log")"
            cmp -s "$work/one.$kind" "$work/ranks.$kind" || fail "$kind: rank 1 followed its own wish"
        fi
    done
fi

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
