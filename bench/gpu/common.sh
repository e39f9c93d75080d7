# Sourced by gpu.sh inside a part: the program, the device, the models, and the rows of the table.
# shellcheck shell=bash disable=SC2154,SC1091
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-gpu.XXXXXX")
trap 'rm -rf "$work"' EXIT
. "$bench/dpo_rows.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

program() {  # the temper that is measured: as named, of the bundle, or built here
    local one
    for one in "${TEMPER:-}" "$root/bin/temper" "$root/build/cuda/temper"; do
        [ -n "$one" ] && [ -x "$one" ] && { echo "$one"; return; }
    done
}
beside() {  # beside NAME: another program of the same build; empty where there is none
    local one suffix=
    [ "$device" != emulated ] || suffix=_emulated
    for one in "$(dirname "$temper")/$1$suffix" "$(dirname "$temper")/tests/$1$suffix"; do [ -x "$one" ] && { echo "$one"; return; }; done
}
if [ -x "$root/bin/prepare" ]; then
    "$root/bin/prepare" || { code=$?; printf '%s\t%s\t\t\tfailed\t%s\n' "$1" "the bundle's programs" "bin/prepare: exit $code; its words are in logs/$1.log" >>"$RESULTS/rows.tsv"; exit "$code"; }
fi
temper=$(program)
device=$([ -z "$temper" ] || "$temper" --version | sed -n 's/^CUDA *[^,]*, *//p')
[[ $device != "no device"* ]] || device=  # versions of libraries may stand behind it

say() { printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$part" "$@" | tee -a "$RESULTS/rows.tsv"; }  # WHAT VALUE BAR STATUS NOTE

# row WHAT VALUE [BAR [NOTE]]: BAR is ">= 45 %" or "<= 2 s"; a VALUE that misses it failed, one that keeps it passed, one without a bar is measured.
row() {
    local status=measured bar=${3:-} note=${4:-}
    if [ -n "$bar" ]; then
        status=$(awk -v value="$2" -v bar="$bar" 'BEGIN { split(bar, b, " "); v = value + 0; ok = b[1] == ">=" ? v >= b[2] : v <= b[2]; print ok ? "passed" : "failed" }')
    fi
    if [ "$device" = emulated ]; then  # a figure of the emulation is nothing that a GPU has shown
        say "$1" "" "$bar" "not run" "no GPU; emulated: $2"
    else
        say "$1" "$2" "$bar" "$status" "$note"
    fi
}
# check WHAT COMMAND...: passed or failed, by the exit code; 77 is not run.
check() {
    local what=$1 code
    shift
    "$@" >"$work/check" 2>&1
    code=$?
    cat "$work/check"
    local last
    last=$(grep -v '^$' "$work/check" | tail -n 1 | tr '\t' ' ' | cut -c1-200)
    if [ "$code" -eq 77 ]; then say "$what" "" "" "not run" "$last"
    elif [ "$code" -ne 0 ]; then say "$what" "" "" failed "exit $code: $last"
    elif [ "$device" = emulated ]; then say "$what" "" "" "not run" "no GPU; holds on the emulated device"
    else say "$what" "" "" passed ""
    fi
}
not_run() { say "$1" "" "${3:-}" "not run" "$2"; }
fail() { say "$1" "" "" failed "$(tr '\t\n' '  ' <<<"$2" | cut -c1-300)"; }

has_python() { "$PYTHON" -c "import $1" 2>/dev/null; }
seconds_now() { date +%s.%N; }

# model_of SIZE: its folder, made where it is not there; prints the path.
model_of() {
    local shape folder=$MODELS/$1
    case $1 in
        tiny) echo "$root/tests/goldens/tiny_chat"; return ;;
        0.5b) shape=qwen2.5-0.5b ;;
        1.5b) shape=qwen2.5-1.5b ;;
        8b) shape=llama-3.1-8b ;;
        *) echo "there is no model of size '$1': expected tiny, 0.5b, 1.5b or 8b" >&2; return 1 ;;
    esac
    if [ ! -e "$folder/complete" ]; then
        "$PYTHON" "$bench/peers/random_model.py" --shape "$shape" --tokenizer-from "$root/tests/goldens/tiny_chat" "$folder" >&2 || return 1
        touch "$folder/complete"
    fi
    echo "$folder"
}
weight_bytes() { stat -L -c %s "$1"/*.safetensors | awk '{ sum += $1 } END { print sum }'; }
vocabulary() { "$PYTHON" -c "import json,sys; print(json.load(open(sys.argv[1] + '/config.json'))['vocab_size'])" "$1"; }

# id_rows MODEL ROWS LENGTH FILE: rows of random ids, every one supervised.
id_rows() {
    "$PYTHON" - "$(vocabulary "$1")" "$2" "$3" >"$4" <<'PYTHON'
import json, random, sys
vocabulary, rows, length = map(int, sys.argv[1:])
draw = random.Random(1)
for _ in range(rows):
    print(json.dumps({"input_ids": [draw.randrange(3, vocabulary) for _ in range(length)]}))
PYTHON
}

# The device's memory in use, watched while a command runs: watched FILE COMMAND... writes "before most" in MiB. Empty without nvidia-smi.
used_memory() { nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits 2>/dev/null | head -n 1; }
watched() {
    local file=$1 before watcher code
    shift
    before=$(used_memory)
    if [ -n "$before" ]; then
        nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits --loop-ms=100 >"$work/memory" 2>/dev/null &
        watcher=$!
    fi
    "$@"
    code=$?
    : >"$file"
    if [ -n "$before" ]; then
        kill "$watcher" && wait "$watcher" 2>/dev/null
        echo "$before $(sort -n "$work/memory" | tail -n 1)" >"$file"
    fi
    return "$code"
}
# beyond_weights FILE MODEL: MiB that a watched command took beyond the model's weights.
beyond_weights() { awk -v weights="$(weight_bytes "$2")" '{ printf "%.0f", $2 - $1 - weights / 1048576 }' "$1"; }

# peak NAME: a figure of `temper bench peak` (bfloat16, float32, copy), once for all parts.
peak() {
    [ -s "$RESULTS/peak.json" ] || "$temper" bench peak --device cuda --json | tail -n 1 >"$RESULTS/peak.json"
    "$PYTHON" -c "
import json, sys
p = json.load(open(sys.argv[1]))
print(p['copy_bytes_per_second'] if sys.argv[2] == 'copy' else p['flops_per_second'][sys.argv[2]])" "$RESULTS/peak.json" "$1"
}

run_part() {
    part=$1
    # What an earlier run of this part said goes.
    if [ -e "$RESULTS/rows.tsv" ]; then awk -F'\t' -v part="$part" '$1 != part' "$RESULTS/rows.tsv" >"$work/rows" && cp "$work/rows" "$RESULTS/rows.tsv"; fi
    case $part in
        build | reference | table) "part_$part"; return ;;
    esac
    if [ -z "$temper" ]; then not_run "$part" "there is no temper with CUDA kernels: build it (part build), or name one in TEMPER"; return; fi
    if [ -z "$device" ]; then not_run "$part" "$temper sees no GPU"; return; fi
    case $part in
        sft_*) part_sft "${part#sft_}" ;;
        peer_*) part_peer "${part#peer_}" ;;
        memcheck | racecheck | initcheck) part_sanitizer "$part" ;;
        *) "part_$part" ;;
    esac
    return 0  # what went wrong stands in the rows
}
