#!/usr/bin/env bash
# What `temper bench suite` is worth on this machine: trials with 10% put in on purpose, which it must find, and trials without, where it
# must raise no alarm; against another build (here a copy of the same program) in turns.   Usage: bench_suite.sh TEMPER [TRIALS]
set -uo pipefail
temper=$1 trials=${2:-20}
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-suite.XXXXXX")
trap 'rm -rf "$work"' EXIT
cp "$temper" "$work/baseline"
found=0 alarms=0 broken=0 workloads=0 all=0
for trial in $(seq 1 "$trials"); do
    for slow_down in 0.1 0; do
        "$temper" bench suite --baseline "$work/baseline" --slow-down "$slow_down" >"$work/log" 2>&1
        code=$?
        slower=$(grep -c SLOWER "$work/log")
        echo "trial $trial, slow-down $slow_down: exit $code, $slower of $(($(wc -l <"$work/log") - 1)) workloads slower: $(awk 'NR > 1 {printf "%s %s  ", $1, $4}' "$work/log")"
        case $code in 0 | 3) ;; *) broken=$((broken + 1)); cat "$work/log" ;; esac
        [ "$slow_down" = 0 ] && [ $code -eq 3 ] && alarms=$((alarms + 1))
        [ "$slow_down" != 0 ] && [ $code -eq 3 ] && found=$((found + 1))
        [ "$slow_down" != 0 ] && workloads=$((workloads + slower)) && all=$((all + $(wc -l <"$work/log") - 1))
    done
done
echo "found $found of $trials slow-downs of 10%, in $workloads of $all workloads; $alarms alarms in $trials trials without one; $broken runs failed"
[ "$broken" -eq 0 ] && [ $((workloads * 20)) -ge $((all * 19)) ] && [ $((found * 20)) -ge $((trials * 19)) ] && [ $((alarms * 20)) -le "$trials" ]
