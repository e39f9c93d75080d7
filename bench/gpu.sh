#!/usr/bin/env bash
# Everything that only a GPU can show, in parts of at most eight minutes each; a part that fails does not stop the others. Each part adds rows to
# RESULTS/rows.tsv, and the last, "table", writes RESULTS/gpu.md from them. Usage: gpu.sh [PART ...]; without parts all of PARTS below, in order.
#
# Needs nothing from outside: models are made on the spot, of published shapes with random weights. By environment: TEMPER (the program; else that of
# a bundle made by gpu_bundle.sh, else build/cuda is built), RESULTS (gpu-results), MODELS (where the models lie: 20 GB; $TMPDIR/temper-gpu-models),
# SIZES (0.5b 1.5b 8b), PYTHON (python3; one with torch and peft for the peers), PART_SECONDS (480).
# Where time on the GPU is short: `gpu.sh reference` beforehand, on any machine; then by worth: tests peak trajectory sft_0.5b table, then memcheck
# racecheck, then sft_8b decode dpo peft table.
# A part that the machine has nothing for is "not run", with the reason. On the emulated device (TEMPER=.../temper_emulated, SIZES=tiny) the
# commands run, to prove the script, and every row is "not run" unless it failed.
# shellcheck disable=SC1091,SC2034
set -uo pipefail
PARTS=(build tests reference trajectory peak first_step sft_0.5b sft_1.5b sft_8b dpo decode nf4 peft memcheck racecheck initcheck peer_0.5b peer_1.5b peer_8b trl table)

bench=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$bench/.." && pwd)
export RESULTS=${RESULTS:-$PWD/gpu-results} MODELS=${MODELS:-${TMPDIR:-/tmp}/temper-gpu-models} SIZES=${SIZES:-0.5b 1.5b 8b} PYTHON=${PYTHON:-python3}
mkdir -p "$RESULTS/logs" "$MODELS" || exit 73

# Parts of the sizes in SIZES alone; those of other models are of no meaning then.
chosen() {
    local part size
    for part in "${PARTS[@]}"; do
        size=${part#*_}
        case $part in
            sft_*) [[ " $SIZES " == *" $size "* ]] && echo "$part" ;;
            peer_*) [[ " $SIZES " == *" $size "* ]] && echo "$part" ;;
            *) echo "$part" ;;
        esac
    done
    for size in $SIZES; do [[ " ${PARTS[*]} " == *" sft_$size "* ]] || echo "sft_$size"; done
}

if [ "${1:-}" = --inside ]; then  # one part, in a process of its own
    shift
    . "$bench/gpu/common.sh" "$1"
    . "$bench/gpu/checks.sh"
    . "$bench/gpu/speed.sh"
    . "$bench/gpu/peer.sh"
    run_part "$1"
    exit
fi

parts=("$@")
[ ${#parts[@]} -gt 0 ] || mapfile -t parts < <(chosen | grep -vx table; echo table)
failed=0
for part in "${parts[@]}"; do
    if ! [[ " ${PARTS[*]} " == *" $part "* ]] && ! [[ $part =~ ^(sft|peer)_ ]]; then
        echo "gpu.sh: there is no part '$part': expected some of ${PARTS[*]}" >&2
        exit 2
    fi
    echo "== $part ($(date -u +%H:%M:%S))"
    begin=$SECONDS
    timeout --kill-after=10 "${PART_SECONDS:-480}" bash "$0" --inside "$part" 2>&1 | tee "$RESULTS/logs/$part.log"
    code=${PIPESTATUS[0]}
    if [ "$code" -ne 0 ]; then
        failed=1
        reason="exit $code: $(tail -n 1 "$RESULTS/logs/$part.log")"
        [ "$code" -ne 124 ] && [ "$code" -ne 137 ] || reason="ran past ${PART_SECONDS:-480} s"
        printf '%s\t%s\t\t\tfailed\t%s\n' "$part" "the part as a whole" "${reason//$'\t'/ }" >>"$RESULTS/rows.tsv"
    fi
    echo "-- $part: exit $code after $((SECONDS - begin)) s"
done
grep -q $'\tfailed\t' "$RESULTS/rows.tsv" 2>/dev/null && failed=1
exit "$failed"
