# Shared by the script tests: a work folder, a tiny configuration, and checks that say what they got.
set -uo pipefail
temper=$1
root=$(cd "$(dirname "${BASH_SOURCE[1]}")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-test.XXXXXX")
servers=()  # process ids of stand-ins
trap 'kill "${servers[@]}" 2>/dev/null; rm -rf "$work"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl=self,vader OMPI_MCA_rmaps_base_oversubscribe=1
model=$root/tests/goldens/tiny_chat
failures=0

fail() {
    echo "FAILED: $*" >&2
    failures=$((failures + 1))
}

has_mpi() { ! "$temper" --version | grep -q '^MPI *none'; }  # else several ranks are not to be had

# Every record that a test has made fits the schema.
check_records() {
    python3 "$root/tests/scripts/check_records.py" "$root/runs/run_record.schema.json" "$work" >"$work/.records" || fail "$(head -n 5 "$work/.records")"
}

finish() { check_records; [ "$failures" -eq 0 ] && echo "all checks passed"; exit $((failures > 0)); }

# stand_in NAME PROGRAM [ARGUMENT...]: a server that tests/scripts/PROGRAM plays from here on; it prints its port, which is $port.
stand_in() {
    local name=$1 program=$2
    shift 2
    python3 "$root/tests/scripts/$program" "$@" >"$work/$name.port" 2>"$work/$name.errors" &
    servers+=($!)
    for _ in $(seq 200); do [ -s "$work/$name.port" ] && break; sleep 0.05; done
    port=$(cat "$work/$name.port")
}

# stand_in_model NAME PROGRAM [SECONDS]: one that plays a language model, each answer SECONDS late, and its requests so far.
stand_in_model() {
    : >"$work/$1.requests"
    stand_in "$1" "$2" "$work/$1.requests" "${3:-0}"
}
requests() { wc -l <"$work/$1.requests"; }

# tiny_config FILE [key=value lines appended under train]: a configuration over the tiny model.
tiny_config() {
    head -n 64 "$root/jobs/data/tickets_train.jsonl" >"$work/train.jsonl"
    head -n 16 "$root/jobs/data/tickets_heldout.jsonl" >"$work/eval.jsonl"
    cat >"$1" <<CONFIG
model: $model
output_dir: $work/runs
run_name: tiny
data:
  train: $work/train.jsonl
  eval: $work/eval.jsonl
  max_length: 256
lora: {r: 4, lora_alpha: 8}
train:
  num_train_epochs: 2
  global_batch_size: 16
  micro_batch_tokens: 1024
  learning_rate: 5e-3
  save_steps: 2
CONFIG
}

# verdict PASSED RUN FILE: what temper gate would have said of a run's adapter.
verdict() {
    python3 - "$@" <<'PYTHON'
import glob, hashlib, json, sys
passed, run, path = sys.argv[1:]
sha256 = hashlib.sha256(open(glob.glob(run + "/adapter/adapter_model.safetensors")[0], "rb").read()).hexdigest()
verdict = {"kind": "temper gate verdict", "format_version": 1, "passed": passed == "true", "record": {"source": "run", "adapter_sha256": sha256}, "baseline": None}
verdict["sha256"] = hashlib.sha256(json.dumps(verdict, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
json.dump(verdict, open(path, "w"))
PYTHON
}

# Whether a process is left whose command line has this text.
is_running() {
    local file
    for file in /proc/[0-9]*/cmdline; do
        [[ $(tr '\0' ' ' 2>/dev/null <"$file") == *"$1"* ]] && return
    done 2>/dev/null
    return 1
}

adapter_sha() { sha256sum "$1"/adapter/adapter_model.safetensors | cut -d' ' -f1; }
newest_run() { ls -d "$1"/*Z-* | tail -n 1; }

# expect_exit CODE TEXT COMMAND...: the exit code, and TEXT (an extended regular expression) in what it wrote to stderr.
expect_exit() {
    local want=$1 text=$2 got
    shift 2
    "$@" >"$work/stdout" 2>"$work/stderr"
    got=$?
    [ "$got" -eq "$want" ] || fail "exit $got instead of $want: $* : $(tail -n 3 "$work/stderr")"
    grep -Eq -- "$text" "$work/stderr" || fail "no '$text' in the message of: $* : $(tail -n 3 "$work/stderr")"
}
