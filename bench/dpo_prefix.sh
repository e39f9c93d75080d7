#!/usr/bin/env bash
# A pair's prompt computed once against computed with each answer (dpo.prefix_sharing=false), in turns: prompts of 512 and of no tokens, answers
# of 256, the reference scored in the policy's pass (as by default), and before the first step. The rate is next to nothing, so that
# the first gradients must agree; later ones differ by rounding, which random ids magnify. Usage: dpo_prefix.sh TEMPER MODEL [ROUNDS]; SHAPES (PROMPT:BEFORE ...)
set -euo pipefail
temper=$1 model=$2 rounds=${3:-3}
. "$(dirname "$0")/dpo_rows.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/temper-prefix.XXXXXX")
trap 'rm -rf "$work"' EXIT
cat >"$work/run.yaml" <<CONFIG
model: $model
run_name: prefix
threads: 2
data: {max_length: 768, shuffle: false, on_overlong: fail}
train: {max_steps: 3, learning_rate: 1e-9, lr_scheduler_type: constant, save_steps: 0}
CONFIG
one() {  # one DIRECTORY key=value ...
    local out=$1
    shift
    "$temper" dpo "$work/run.yaml" output_dir="$out" "$@" 2>"$work/log" || { tail "$work/log" >&2; exit 1; }
}
compare() {  # compare PROMPT PAIRS_A_STEP PRECOMPUTE
    local prompt=$1 rows=$2 before=$3 shared runs="$work/$1-$3"
    token_pairs $((3 * rows)) "$prompt" 256 "$work/$prompt.jsonl"
    for round in $(seq 1 "$rounds"); do
        for shared in true false; do
            one "$runs/$shared" run_name="round$round" data.train="$work/$prompt.jsonl" global_batch_size="$rows" prefix_sharing="$shared" \
                precompute_ref_log_probs="$before"
        done
    done
    python3 - "$runs" "$rounds" "$prompt:256:256, reference scored $([ "$before" = true ] && echo before || echo in the pass)" <<'PYTHON'
import glob, json, statistics, sys
runs, rounds, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
ratios, seconds, figures = [], {"true": [], "false": []}, {}
for k in range(1, rounds + 1):
    for shared in seconds:
        steps = [json.loads(line) for line in open(glob.glob(f"{runs}/{shared}/*Z-round{k}-*/metrics.jsonl")[0])]
        counts = [b["num_tokens"] - a["num_tokens"] for a, b in zip(steps, steps[1:])]
        seconds[shared].append(sum(count / step["tokens_per_second"] for count, step in zip(counts, steps[1:])) / len(counts))
        figures[shared] = [(step["loss"], step["grad_norm"]) for step in steps]
    ratios.append(seconds["false"][-1] / seconds["true"][-1])
pairs = list(zip(figures["true"], figures["false"]))
loss, norm = abs(pairs[0][0][0] - pairs[0][1][0]), abs(pairs[0][0][1] / pairs[0][1][1] - 1)
print(f"{name:48} shared {statistics.median(seconds['true']):6.2f} s a step, apart {statistics.median(seconds['false']):6.2f} s: "
      f"{statistics.median(ratios):.3f} x ({min(ratios):.3f} to {max(ratios):.3f}); first loss apart by {loss:.1e}, "
      f"first gradient norm by {100 * norm:.2f}%", flush=True)
assert loss < 1e-9 and norm < 0.01, figures
PYTHON
}
for shape in ${SHAPES:-512:false 0:false 512:true 0:true}; do
    prompt=${shape%:*}
    compare "$prompt" $((prompt == 0 ? 2 : 4)) "${shape#*:}"
done
