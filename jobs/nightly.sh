#!/bin/bash
# A night: sft, dpo, evaluation of production's adapter and of tonight's, the gate, promotion where it lets tonight's in, and the report.
#   jobs/nightly.sh [SETTINGS.env]          exit 0: in production · 3: stopped by the gate · otherwise the code of the stage that failed
# Started again it goes on at the stage that failed or was killed; what is done is not done again (docs/nightly.md).
set -euo pipefail
settings=$(realpath "${1:-$(dirname "$0")/nightly.env}")
cd "$(dirname "$0")/.."
. "$settings"
state=$OUTPUT_DIR/nightly/$NIGHT
mkdir -p "$state"

say() { echo "nightly $NIGHT: $*" >&2; }

keep() {  # keep FILE: stdin, whole or not at all, also when the machine goes down
    cat >"$1.part"
    sync "$1.part"
    mv "$1.part" "$1"
    sync "$(dirname "$1")"
}

# The settings are those that the night began with.
frozen=$(declare -p NAME MODEL SFT_CONFIG DPO_CONFIG RULES EVAL TRAIN SFT DPO | sed 's/^declare -[^ ]* //')
if [ -f "$state/settings" ] && [ "$frozen" != "$(cat "$state/settings")" ]; then
    say "the settings are not those that this night began with, $state/settings: restore them, or begin another NIGHT"
    exit 2
fi

# The night is a run of its own, and what it calls is nested in it.
if [ -z "${NIGHTLY_RUN:-}" ]; then
    if [ -f "$state/promote.json" ] && [ -f "$state/report.md" ]; then
        cat "$state/report.md"
        if grep -q '"exit_code":3' "$state/gate.json" "$state/promote.json"; then exit 3; fi
        exit 0
    fi
    export NIGHTLY_RUN=1 NIGHT
    exec "$TEMPER" runs exec --name "nightly-$NIGHT" --output-dir "$OUTPUT_DIR" --resume auto -- bash jobs/nightly.sh "$settings"
fi

exec 9>"$state/.lock"
if ! flock -n 9; then
    say "another process works on this night: $state/.lock"
    exit 73
fi

if [ ! -f "$state/settings" ]; then keep "$state/settings" <<<"$frozen"; fi

# field FILE NAME: a text of the object that a stage has left. The first of that name is the object's own; those after it may be of an object inside.
field() { sed -n 's/"'"$2"'":"/\n/; s/^[^\n]*\n\([^"]*\)".*/\1/p' "$1"; }

. jobs/signals.sh
run() { forwarding "$TEMPER" "$@" 9>&-; }  # a child that outlives us must not keep the lock

ranks() {
    if [ "$RANKS" -gt 1 ]; then forwarding mpirun -n "$RANKS" --oversubscribe --bind-to none "$TEMPER" "$@" 9>&-; else run "$@"; fi
}

stage() {  # stage NAME COMMAND...: its last line, an object, is kept in STATE/NAME.json, and says that the stage is done
    local name=$1 begin=$SECONDS
    shift
    export NIGHTLY_STAGE=$name
    if [ -f "$state/$name.json" ]; then
        say "$name: done already"
        return
    fi
    if [ -n "$signalled" ]; then say "stopped by a signal before $name; start again to go on here"; exit 75; fi
    say "$name"
    "$@" >"$state/$name.out" || {
        local code=$?
        if [ -n "$signalled" ]; then say "stopped by a signal in $name; start again to go on here"; exit 75; fi
        say "$name failed with exit code $code; start again to go on here"
        exit "$code"
    }
    tail -n 1 "$state/$name.out" | keep "$state/$name.json"
    say "$name: $((SECONDS - begin)) s"
}

# What production stands for as the night begins; the base model where there is no production yet.
pin() {
    local adapter=
    if [ -f "$REGISTRY/$NAME/aliases/production.json" ]; then adapter=$(run registry resolve "$NAME@production" --registry "$REGISTRY") || return; fi
    echo "{\"status\":\"done\",\"adapter\":\"$adapter\"}"
}

sft() { ranks sft "$SFT_CONFIG" "model=$MODEL" "output_dir=$OUTPUT_DIR" "run_name=nightly-$NIGHT-sft" "${TRAIN[@]}" "${SFT[@]}" --resume auto --json; }

dpo() {
    ranks dpo "$DPO_CONFIG" "model=$MODEL" "output_dir=$OUTPUT_DIR" "run_name=nightly-$NIGHT-dpo" "lora.init_adapter=$(field "$state/sft.json" run_dir)/adapter" \
        "${TRAIN[@]}" "${DPO[@]}" --resume auto --json
}

# evaluate ADAPTER, or the base model: an evaluation of the same adapter on the same data, last night's for one, is found again.
evaluate() {
    local name=eval-base adapter=()
    if [ -n "$1" ]; then
        name=eval-$(sha256sum "$1/adapter_model.safetensors" | cut -c1-12)
        adapter=(--adapter "$1")
    fi
    ranks eval --model "$MODEL" "${adapter[@]}" "${EVAL[@]}" --output-dir "$OUTPUT_DIR" --run-name "$name" --resume auto --json
}

tuned() { field "$state/$([ -n "$DPO_CONFIG" ] && echo dpo || echo sft).json" run_dir; }

# A verdict either way is a stage that is done.
gate() {
    local code=0
    run gate --record "$(field "$state/evaluate.json" run_dir)" --baseline "$(field "$state/baseline.json" run_dir)" --rules "$RULES" --output-dir "$OUTPUT_DIR" \
        --verdict "$state/verdict.json" --junit "$state/gate.xml" --markdown "$state/gate.md" || code=$?
    [ "$code" -eq 0 ] || [ "$code" -eq 3 ] || return "$code"
    echo "{\"status\":\"done\",\"exit_code\":$code}"
}

promote() {
    local code=0
    if grep -q '"exit_code":3' "$state/gate.json"; then
        run registry add "$(tuned)" --name "$NAME" --registry "$REGISTRY" --output-dir "$OUTPUT_DIR" --alias candidate --verdict "$state/verdict.json" --json
        return
    fi
    run registry promote "$(tuned)" --name "$NAME" --alias production --verdict "$state/verdict.json" --registry "$REGISTRY" --output-dir "$OUTPUT_DIR" --json || code=$?
    [ "$code" -eq 3 ] || return "$code"
    echo '{"status":"done","exit_code":3}'  # production has moved on since the night began, or was rolled back from this adapter
}

# What MLflow has missed of the night's adapter and of the registry. Its server may be away: that stops no night, and the next one catches up.
mirror() {
    run runs sync "$(tuned)" --output-dir "$OUTPUT_DIR" --seconds 30 || true
    run registry sync --registry "$REGISTRY" --json || true
}

report() {
    cat "$state/gate.md"
    echo
    echo "- tonight: $(tuned)/adapter"
    echo "- compared with: $([ -n "$(field "$state/pin.json" adapter)" ] && field "$state/pin.json" adapter || echo "the base model")"
    echo "- production: $(run registry resolve "$NAME@production" --registry "$REGISTRY" 2>/dev/null || echo "the base model")"
    if [ -f "$state/mirror.json" ]; then
        echo "- MLflow's registry: $(grep -q '"status":"done"' "$state/mirror.json" && echo as here || echo "behind; temper registry sync catches up")"
    fi
    echo "- evaluations: $(field "$state/evaluate.json" run_dir), $(field "$state/baseline.json" run_dir)"
}

if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
stage pin pin
stage sft sft
if [ -n "$DPO_CONFIG" ]; then stage dpo dpo; fi
stage evaluate evaluate "$(tuned)/adapter"
stage baseline evaluate "$(field "$state/pin.json" adapter)"
stage gate gate
stage promote promote
case ${MLFLOW_TRACKING_URI:-} in http://* | https://*) stage mirror mirror ;; esac
if [ ! -f "$state/report.md" ]; then
    say "report"
    export NIGHTLY_STAGE=report
    outcome=promoted
    if grep -q '"exit_code":3' "$state/gate.json" "$state/promote.json"; then outcome=stopped; fi
    run runs log "$TEMPER_RUN_DIR" "tags.outcome=$outcome" "metrics.gate_failures=$(grep -c '^      "passed": false' "$state/verdict.json" || true)" \
        "artifacts.verdict=$state/verdict.json" "artifacts.table=$state/gate.md"
    report | keep "$state/report.md"
fi
cat "$state/report.md"
if grep -q '"exit_code":3' "$state/gate.json" "$state/promote.json"; then exit 3; fi
