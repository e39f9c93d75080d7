# Parts of gpu.sh that say whether the numbers are right.
# shellcheck shell=bash disable=SC2154

part_build() {
    if [ -n "$temper" ]; then not_run "build" "$temper is there"; return; fi
    if ! command -v nvcc >/dev/null && [ ! -x /usr/local/cuda/bin/nvcc ]; then not_run "build" "no nvcc"; return; fi
    local arch
    arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d .)
    check "build with cmake --preset cuda" build_here "${arch:-90}"
}
build_here() {
    cd "$root" && cmake --preset cuda -DTEMPER_TESTS=ON "-DCMAKE_CUDA_ARCHITECTURES=$1-real" &&
        cmake --build --preset cuda --target temper tests_kernels_gpu dump_logits
}

kernel_tests() {  # the program with the tests of the ops
    if [ "$device" = emulated ]; then ls "$(dirname "$temper")/tests_kernels_cuda" 2>/dev/null; else beside tests_kernels_gpu; fi
}

part_tests() {
    local tests
    tests=$(kernel_tests)
    if [ -n "$tests" ]; then test_ops "$tests"; else not_run "tests of the ops" "no tests_kernels_gpu beside $temper"; fi
    local mode=1 program=$temper
    [ "$device" != emulated ] || { mode=0 program=$(dirname "$(dirname "$temper")")/temper; }
    check "the whole program against the CPU (cuda_test.sh)" env TEMPER_TEST_GPU=$mode bash "$root/tests/scripts/cuda_test.sh" "$program"
}

# test_ops PROGRAM: all in one process. After a fault on the device a process can do no more: then suite by suite, waiting for each kernel, to name it.
test_ops() {
    local suite before
    before=$(grep -c $'\tfailed\t' "$RESULTS/rows.tsv" 2>/dev/null)
    check "tests of the ops" "$1" --gtest_brief=1
    [ "$(grep -c $'\tfailed\t' "$RESULTS/rows.tsv" 2>/dev/null)" != "$before" ] || return
    for suite in $("$1" --gtest_list_tests | grep -o '^[^ ]*\.'); do
        TEMPER_CUDA_GRAPHS="wait" timeout 60 "$1" --gtest_brief=1 "--gtest_filter=$suite*" >"$work/suite" 2>&1 && continue
        cat "$work/suite"
        fail "tests of the ops: $suite" "$(grep -E '^\[ *FAILED|^FAILED|CUDA:|rror' "$work/suite" | head -n 4)"
    done
}

# trajectory: 20 steps in float32 and bfloat16 against the CPU's float32, by the bounds of docs/cuda.md.
part_trajectory() {
    local command dtype bounds cpu
    trajectory_runs || return
    for command in sft dpo; do
        cpu=$(reference_of "$command") || { fail "20 steps of $command on the CPU" "$(tail -n 2 "$work/log")"; continue; }
        for dtype in float32 bfloat16; do
            bounds="2e-4 1e-3"
            [ $dtype = float32 ] || bounds="1e-2 5e-2"
            train_to "$work/$command-$dtype" "$command" "$work/$command.yaml" device=cuda dtype=$dtype ||
                { fail "20 steps of $command in $dtype" "$(tail -n 2 "$work/log")"; continue; }
            # shellcheck disable=SC2086
            check "20 steps of $command, $size, $dtype against the CPU's float32 (loss, gradient norm within $bounds)" \
                "$PYTHON" "$bench/gpu/agree.py" "$work/$command-$dtype" "$cpu" $bounds
        done
    done
}
# reference: the CPU's half of it, which takes minutes and needs no GPU.
part_reference() {
    local command
    if [ -z "$temper" ]; then not_run "reference" "there is no temper: build it (part build), or name one in TEMPER"; return; fi
    trajectory_runs || return
    for command in sft dpo; do reference_of "$command" >/dev/null || fail "20 steps of $command on the CPU" "$(tail -n 2 "$work/log")"; done
}
# trajectory_runs: rows and configurations of both commands; sets size and model.
trajectory_runs() {
    local length=128 command
    size=$(tr ' ' '\n' <<<"$SIZES" | head -n 1)
    model=$(model_of "$size") || { fail "model $size" "cannot be made"; return 1; }
    [ "$size" != tiny ] || length=64
    id_rows "$model" 8 $((2 * length)) "$work/sft.jsonl"
    pairs "$model" 8 "$length" $((length / 2)) "$work/dpo.jsonl"
    for command in sft dpo; do
        printf 'model: %s\nrun_name: run\ndata: {train: %s, shuffle: false, max_length: %d}\ntrain: {max_steps: 20, num_train_epochs: 20, global_batch_size: 4, learning_rate: 1e-4, lr_scheduler_type: constant, save_steps: 0}\n' \
            "$model" "$work/$command.jsonl" $((2 * length)) >"$work/$command.yaml"
    done
}
# reference_of COMMAND: its run on the CPU; of RESULTS, of the bundle, or made now. Only what agree.py reads is kept.
reference_of() {
    local place name=$1-$size
    for place in "$RESULTS/reference/$name" "$root/reference/$name"; do [ -s "$place/metrics.jsonl" ] && { echo "$place"; return; }; done
    train_to "$work/$1-cpu" "$1" "$work/$1.yaml" device=cpu dtype=float32 || return 1
    mkdir -p "$RESULTS/reference/$name"
    cp "$work/$1-cpu/metrics.jsonl" "$RESULTS/reference/$name/"
    echo "$RESULTS/reference/$name"
}
pairs() {  # MODEL ROWS PROMPT ANSWER FILE: pairs of random ids
    "$PYTHON" - "$(vocabulary "$1")" "$2" "$3" "$4" >"$5" <<'PYTHON'
import json, random, sys
vocabulary, rows, prompt, answer = map(int, sys.argv[1:])
draw = random.Random(2)
ids = lambda n: [draw.randrange(3, vocabulary) for _ in range(n)]
for _ in range(rows):
    print(json.dumps({"prompt_ids": ids(prompt), "chosen_ids": ids(answer), "rejected_ids": ids(answer)}))
PYTHON
}
# train_to FOLDER COMMAND CONFIG [key=value ...]: one run; its words go to $work/log, its run directory to FOLDER.
train_to() {
    local folder=$1 command=$2 config=$3
    shift 3
    "$temper" "$command" "$config" "output_dir=$folder.runs" "$@" >"$work/log" 2>&1 || return 1
    rm -rf "$folder"
    mv "$folder.runs"/*Z-* "$folder" && rm -rf "$folder.runs"
}

# The adapter of a run in PEFT on the same GPU gives the logits that temper gives, in float32.
part_peft() {
    local size model dump
    size=$(tr ' ' '\n' <<<"$SIZES" | head -n 1)
    dump=$(beside dump_logits)
    if [ -z "$dump" ]; then not_run "PEFT loads the adapter" "no dump_logits beside $temper"; return; fi
    if ! has_python peft; then not_run "PEFT loads the adapter" "$PYTHON has no peft"; return; fi
    model=$(model_of "$size") || { fail "model $size" "it cannot be made"; return; }
    id_rows "$model" 8 64 "$work/rows.jsonl"
    printf 'model: %s\nrun_name: run\ndata: {train: %s}\ntrain: {max_steps: 4, global_batch_size: 4, learning_rate: 1e-3, save_steps: 0}\n' "$model" "$work/rows.jsonl" >"$work/run.yaml"
    train_to "$work/run" sft "$work/run.yaml" device=cuda || { fail "a run for PEFT" "$(tail -n 2 "$work/log")"; return; }
    check "PEFT loads the adapter of $size and gives equal logits (float32, within 2e-3)" \
        "$PYTHON" "$bench/gpu/peft_logits.py" "$dump" "$model" "$work/run/adapter" "$([ "$device" = emulated ] && echo cpu || echo cuda)"
}

# part_sanitizer TOOL: the tests of the ops, suite by suite while there is time, then tiny runs of SFT and DPO.
part_sanitizer() {
    local tool=$1 sanitizer tests suite suites done=0 bad=0 deadline=$((SECONDS + ${PART_SECONDS:-480} / 3))
    sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
    tests=$(kernel_tests)
    if [ "$device" = emulated ]; then not_run "compute-sanitizer $tool" "no GPU"; return; fi
    if [ -z "$sanitizer" ]; then not_run "compute-sanitizer $tool" "the tool is not there"; return; fi
    local under=("$sanitizer" --tool "$tool" --target-processes all --error-exitcode 99 --print-limit 5)
    # Hazards in the library's products are not ours. The other tools need to see them: what they write is read by our kernels.
    [ "$tool" != racecheck ] || under+=(--kernel-name kns=6temper)
    if [ -n "$tests" ]; then
        # First those with the most between their threads.
        mapfile -t suites < <("$tests" --gtest_list_tests | grep -o "^[^ ]*\\." | tr -d . | awk '{ print (/Attention|LeafSum|Loss|CrossEntropy/ ? 0 : 1), NR, $0 }' | sort -n -k1,2 | cut -d' ' -f3-)
        for suite in "${suites[@]}"; do
            if [ "$SECONDS" -ge "$deadline" ]; then break; fi
            echo "-- $tool: $suite"
            TEMPER_CUDA_PRODUCTS=first timeout $((deadline - SECONDS + 30)) "${under[@]}" "$tests" --gtest_brief=1 "--gtest_filter=$suite.*" >"$work/log" 2>&1
            case $? in
                0) done=$((done + 1)) ;;
                124) break ;;
                *) bad=$((bad + 1)); cat "$work/log"; fail "compute-sanitizer $tool: tests of $suite" "$(grep -m1 -E '=========|FAILED' "$work/log")" ;;
            esac
        done
        local missed=$((${#suites[@]} - done - bad))
        [ "$done" -eq 0 ] || say "compute-sanitizer $tool: tests of the ops" "$done of ${#suites[@]} suites clean" "" "$([ $((missed + bad)) -eq 0 ] && echo passed || echo measured)" \
            "$([ "$missed" -eq 0 ] || echo "$missed suites not reached in the time")"
    fi
    id_rows "$root/tests/goldens/tiny_chat" 6 48 "$work/sft.jsonl"
    pairs "$root/tests/goldens/tiny_chat" 6 32 16 "$work/dpo.jsonl"
    for suite in sft dpo; do
        printf 'model: %s\nrun_name: run\ndata: {train: %s, max_length: 64}\nlora: {r: 4}\ntrain: {max_steps: 2, global_batch_size: 3, save_steps: 0}\n' \
            "$root/tests/goldens/tiny_chat" "$work/$suite.jsonl" >"$work/$suite.yaml"
        # Algorithms are chosen before, at full speed.
        XDG_CACHE_HOME=$work/cache "$temper" "$suite" "$work/$suite.yaml" "output_dir=$work/free-$suite" device=cuda >"$work/log" 2>&1 ||
            { fail "two steps of $suite" "$(tail -n 2 "$work/log")"; continue; }
        check "compute-sanitizer $tool: two steps of $suite" env "XDG_CACHE_HOME=$work/cache" timeout 120 "${under[@]}" "$temper" "$suite" "$work/$suite.yaml" "output_dir=$work/$tool-$suite" device=cuda
    done
}
