#!/usr/bin/env bash
# Nights of jobs/nightly.sh whose whole process group is killed with SIGKILL at random moments and started again until they end: each must leave what an
# undisturbed night leaves. Where the kills fell is counted by stage.
#   nightly_kill.sh PATH_OF_TEMPER [NIGHTS] [MODEL]     (10 nights, on the tiny model with short trainings unless given)
set -uo pipefail
temper=$(realpath "$1")
nights=${2:-10}
root=$(cd "$(dirname "$0")/../.." && pwd)
model=${3:-$root/tests/goldens/tiny_chat}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
. "$root/tests/scripts/nightly_configs.sh"
nightly_configs "$work" 256 24 64 12 2
printf 'rules:\n  - {metric: tiny_word/perplexity, max: 1e30, not_significantly_worse: true, level: 2e-4}\n' >"$work/gate.yaml"
cat >"$work/night.env" <<ENV
: "\${NAME:=tickets}" "\${MODEL:=$model}" "\${SFT_CONFIG:=$work/sft.yaml}" "\${DPO_CONFIG=$work/dpo.yaml}" "\${RULES:=$work/gate.yaml}" "\${RANKS:=1}" "\${TEMPER:=$temper}"
EVAL=(--tasks tiny_word,tiny_choice --tasks-dir $root/tests/goldens/eval/tasks)
TRAIN=() SFT=() DPO=()
ENV
night() { NIGHT=$1 OUTPUT_DIR=$2 REGISTRY=$3 bash "$root/jobs/nightly.sh" "$work/night.env" >"$work/out" 2>"$work/err"; }
end_of() {  # end_of RUNS REGISTRY: what must be equal
    python3 - "$@" <<'PYTHON'
import glob, json, sys
runs, registry = sys.argv[1:]
moves = json.load(open(f"{registry}/tickets/history/production.json"))["moves"]
verdict = json.load(open(glob.glob(f"{runs}/nightly/*/verdict.json")[0]))
print([move["adapter_sha256"] for move in moves], [(check["passed"], check["value"], check.get("p_value")) for check in verdict["checks"]],
      len(glob.glob(f"{runs}/*nightly-*-sft-*")), len(glob.glob(f"{runs}/*nightly-*-dpo-*")), len(glob.glob(f"{runs}/*Z-eval-*")))
PYTHON
}
night quiet "$work/quiet" "$work/quiet_registry" || { cat "$work/err"; exit 1; }
wanted=$(end_of "$work/quiet" "$work/quiet_registry")
seconds=$(awk '/: [0-9]+ s$/ {sum += $(NF - 1)} END {print sum + 2}' "$work/err")
kills=0 failures=0
for n in $(seq "$nights"); do
    for attempt in $(seq 60); do
        NIGHT=$n OUTPUT_DIR=$work/$n REGISTRY=$work/r$n setsid bash "$root/jobs/nightly.sh" "$work/night.env" >"$work/out" 2>"$work/err" &
        group=$!
        # Early attempts die soon, so that every stage is met; later ones are left more time.
        (sleep "$(awk -v s="$seconds" -v seed="$n.$attempt.$RANDOM" 'BEGIN {srand(seed * 1000); print 0.1 + rand() * s * 0.6}')"; kill -9 -- -"$group" 2>/dev/null) &
        timer=$!
        wait "$group" 2>/dev/null
        code=$?
        if [ "$code" -ne 137 ]; then kill "$timer" 2>/dev/null; break; fi
        kills=$((kills + 1))
        sed -n 's/^nightly [^:]*: \([a-z]*\)$/\1/p' "$work/err" | tail -n 1 >>"$work/stages"
    done
    if [ "$code" -ne 0 ] || [ "$(end_of "$work/$n" "$work/r$n")" != "$wanted" ]; then
        failures=$((failures + 1))
        echo "night $n: exit $code, $(end_of "$work/$n" "$work/r$n") instead of $wanted"
        tail -n 5 "$work/err"
    fi
done
echo "$nights nights, $kills kills, $failures nights that ended otherwise; killed in: $(sort "$work/stages" | uniq -c | awk '{printf "%s %s  ", $2, $1}')"
exit $((failures > 0))
