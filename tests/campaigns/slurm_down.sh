#!/usr/bin/env bash
# Ends what slurm_up.sh DIR started: its jobs first, then the daemons by their own process ids.
dir=$(realpath -m "${1:?usage: slurm_down.sh DIR}")
if [ -f "$dir/env" ]; then
    . "$dir/env"
    timeout 10 scancel --user="$(id -un)" 2>/dev/null
    for _ in $(seq 1 20); do [ -z "$(timeout 5 squeue -h 2>/dev/null)" ] && break; sleep 0.5; done
fi
for file in "$dir"/slurmd.*.pid "$dir"/slurmctld.pid "$dir"/munged.pid; do
    [ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null
done
sleep 1
