#!/usr/bin/env bash
# Ends what slurm_up.sh DIR started, by its own process ids.
dir=$(realpath -m "${1:?usage: slurm_down.sh DIR}")
for file in "$dir"/slurmd.*.pid "$dir"/slurmctld.pid "$dir"/munged.pid; do
    [ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null
done
sleep 1
