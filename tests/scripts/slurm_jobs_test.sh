#!/usr/bin/env bash
# The Slurm jobs without a Slurm: signalled before their limit they save, ask for a requeue once, and end with 75; started again they end with 0.
. "$(dirname "$0")/common.sh"
. "$(dirname "$0")/nightly_configs.sh"
tiny_config "$work/tiny.yaml"
mkdir "$work/bin"
printf '#!/bin/sh\n[ "$1" = show ] || echo "$@" >>%s/scontrol\n' "$work" >"$work/bin/scontrol"
chmod +x "$work/bin/scontrol"
export PATH=$work/bin:$PATH TEMPER=$temper TEMPER_LAUNCH=env SLURM_JOB_ID=7
cd "$root" || exit 1

# signalled RUNS COMMAND...: its exit code after USR1, sent when a training under RUNS has begun.
signalled() {
    local runs=$1 job
    shift
    "$@" >"$work/out" 2>&1 &
    job=$!
    for _ in $(seq 600); do
        compgen -G "$runs/*Z-*/checkpoints/step-*" >/dev/null && break
        sleep 0.05
    done
    kill -USR1 "$job"
    wait "$job"
}
signalled "$work/runs" bash jobs/slurm/sft.sbatch "$work/tiny.yaml" num_train_epochs=200
code=$?
[ "$code" -eq 75 ] || fail "the training: exit $code: $(tail -n 3 "$work/out")"
[ "$(cat "$work/scontrol")" = "requeue 7" ] || fail "what scontrol was asked: $(cat "$work/scontrol")"
bash jobs/slurm/sft.sbatch "$work/tiny.yaml" num_train_epochs=200 max_steps=8 >"$work/out" 2>&1 || fail "a job that has its time: exit $?: $(tail -n 3 "$work/out")"
[ "$(wc -l <"$work/scontrol")" -eq 1 ] || fail "a finished job is requeued"

# A program that the signal ends before it listens: the job is requeued, too.
cat >"$work/deaf" <<'DEAF'
#!/bin/bash
touch "$0.began"
exec sleep 60
DEAF
chmod +x "$work/deaf"
SLURM_JOB_ID=9 TEMPER=$work/deaf bash jobs/slurm/sft.sbatch "$work/tiny.yaml" >"$work/out" 2>&1 &
job=$!
for _ in $(seq 200); do [ -e "$work/deaf.began" ] && break; sleep 0.05; done
kill -USR1 "$job"
wait "$job"
code=$?
[ "$code" -eq 138 ] && [ "$(tail -n 1 "$work/scontrol")" = "requeue 9" ] || fail "a signal before the program listens: exit $code, $(tail -n 1 "$work/scontrol")"

nightly_configs "$work" 64 4 32 3 1
sed 's/max_steps: 4/max_steps: 4000/; s/save_steps: 1/save_steps: 20/' "$work/sft.yaml" >"$work/long.yaml"
cat >"$work/night.env" <<ENV
: "\${NAME:=tickets}" "\${NIGHT:=1}" "\${MODEL:=$model}" "\${SFT_CONFIG:=$work/long.yaml}" "\${DPO_CONFIG=}" "\${RULES:=none}"
: "\${OUTPUT_DIR:=$work/nights}" "\${REGISTRY:=$work/registry}" "\${RANKS:=1}" "\${TEMPER:=$temper}"
EVAL=() TRAIN=() SFT=() DPO=()
ENV
export SLURM_SUBMIT_DIR=$work SLURM_NTASKS=1 SLURM_JOB_ID=8
signalled "$work/nights" bash jobs/slurm/nightly.sbatch "$work/night.env"
code=$?
[ "$code" -eq 75 ] || fail "the night: exit $code: $(tail -n 3 "$work/out")"
[ "$(tail -n 1 "$work/scontrol")" = "requeue 8" ] || fail "the night is not requeued: $(cat "$work/scontrol")"
[ "$(cat "$work/.nightly.8")" = "$(date -u +%Y%m%d)" ] || fail "its night is not kept: $(ls -A "$work")"
is_running "$work/long.yaml" && fail "a process is left"
finish
