#!/usr/bin/env bash
# temper embed killed by SIGKILL at KILLS (20) random moments, each run resumed until done on another number of ranks: one file, byte for byte, as an undisturbed run makes it.
# Usage: embed_kill.sh TEMPER MODEL [KILLS] [SEED] [ROWS]; some minutes on two cores.
set -uo pipefail
temper=$1 model=$2 kills=${3:-20} rows=${5:-3000}
RANDOM=${4:-7}
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-campaign.XXXXXX")
trap 'rm -rf "$work"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_rmaps_base_oversubscribe=1 OMP_WAIT_POLICY=passive
root=$(cd "$(dirname "$0")/../.." && pwd)
python3 - "$work/texts.jsonl" "$rows" "$root" <<'PYTHON'
import glob, json, sys
lines = [line.strip() for name in sorted(glob.glob(sys.argv[3] + "/docs/*.md")) for line in open(name, encoding="utf-8") if line.strip()]
with open(sys.argv[1], "w") as out:
    for i in range(int(sys.argv[2])):
        out.write(json.dumps({"id": f"doc-{i}", "text": f"{i} {lines[i % len(lines)]} {lines[i * 7 % len(lines)]}"}) + "\n")
PYTHON
launch() { # launch RANKS NAME
    local command=("$temper" embed --model "$model" --input "$work/texts.jsonl" --output "$work/$2.h5" --output-dir "$work/$2" --threads 1)
    if [ "$1" -gt 1 ]; then mpirun -n "$1" --bind-to none "${command[@]}"; else "${command[@]}"; fi
}
begin=$(date +%s%N)
launch 1 whole >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
milliseconds=$((($(date +%s%N) - begin) / 1000000))
reference=$(sha256sum <"$work/whole.h5")
echo "undisturbed: $milliseconds ms, ${reference%% *}"
failures=0 done_kills=0 number=0
while [ "$done_kills" -lt "$kills" ]; do
    number=$((number + 1))
    name=killed-$number log=""
    for try in 1 2 3 4 5 6; do
        ranks=$((1 + RANDOM % 2))
        setsid bash -c "$(declare -f launch); temper='$temper' model='$model' work='$work'; launch $ranks $name" >"$work/log" 2>&1 &
        child=$!
        if [ "$try" -le 2 ]; then
            pause=$((RANDOM % (milliseconds * 11 / 10) + 50))
            sleep "$((pause / 1000)).$(printf %03d $((pause % 1000)))"
            # mpirun's ranks have groups of their own: all processes of the session.
            mapfile -t session < <(ps -o pid= -s "$child")
            [ "${#session[@]}" -gt 0 ] && kill -KILL "${session[@]}" 2>/dev/null && done_kills=$((done_kills + 1))
            for pid in $(pgrep -f -- "--output $work/$name.h5"); do kill -KILL "$pid" 2>/dev/null; done
        fi
        wait "$child" 2>/dev/null
        code=$?
        log="$log $ranks:$code"
        [ "$code" -eq 0 ] && break
    done
    sum=$(sha256sum <"$work/$name.h5" 2>/dev/null)
    [ "$sum" = "$reference" ] || { failures=$((failures + 1)); tail -n 3 "$work/log"; }
    echo "run $number (ranks:exit$log): $([ "$sum" = "$reference" ] && echo same || echo DIFFERENT)"
    rm -rf "${work:?}/$name" "$work/$name.h5"
done
echo "$done_kills kills, $number runs, $failures of them with another output"
exit $((failures > 0))
