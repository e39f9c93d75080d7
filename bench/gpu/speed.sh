# Parts of gpu.sh that measure.
# shellcheck shell=bash disable=SC2154,SC2034

part_peak() {
    rm -f "$RESULTS/peak.json"
    local most
    most=$(peak bfloat16) || { fail "the device's peak" "temper bench peak failed"; return; }
    row "largest bfloat16 matrix product, TFLOP/s" "$(awk -v x="$most" 'BEGIN { printf "%.1f", x / 1e12 }')"
    row "largest float32 matrix product, TFLOP/s" "$(awk -v x="$(peak float32)" 'BEGIN { printf "%.1f", x / 1e12 }')"
    row "copy within the device's memory, GB/s read and written" "$(awk -v x="$(peak copy)" 'BEGIN { printf "%.0f", x / 1e9 }')"
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

# What the parts of one size share: the rows of a step, tokens a row, the bar for the share of peak.
batch_of() { case $1 in tiny) echo 2 ;; 0.5b) echo 16 ;; *) echo 8 ;; esac; }
length_of() { [ "$1" = tiny ] && echo 64 || echo 2048; }
bar_of() { case $1 in 0.5b) echo 45 ;; 1.5b) echo 55 ;; 8b) echo 58 ;; *) echo 0 ;; esac; }

# sft_config SIZE MODEL STEPS ROWS: $work/sft.yaml over rows of full length, all tokens supervised, r 16 over all linear layers.
sft_config() {
    local length
    length=$(length_of "$1")
    id_rows "$2" $(($3 * $4)) "$length" "$work/rows.jsonl"
    cat >"$work/sft.yaml" <<CONFIG
model: $2
run_name: run
data: {train: $work/rows.jsonl, max_length: $length, shuffle: false, on_overlong: fail}
train: {max_steps: $3, global_batch_size: $4, learning_rate: 1e-4, lr_scheduler_type: constant, save_steps: 0}
CONFIG
}
# speed RUN: tokens a second over the steps behind the third, and the share of the measured bfloat16 peak, in percent.
speed() {
    "$PYTHON" - "$1" "$(peak bfloat16)" <<'PYTHON'
import json, sys
run, peak = sys.argv[1], float(sys.argv[2])
steps = [row for row in map(json.loads, open(run + "/metrics.jsonl")) if "tokens_per_second" in row]
whole = json.load(open(run + "/run.json"))["performance"]
timed = steps[3:] or steps[-1:]
tokens = len(timed) / sum(1 / row["tokens_per_second"] for row in timed)
print(f"{tokens:.0f} {100 * tokens * whole['flops_per_second'] / whole['tokens_per_second'] / peak:.1f}")
PYTHON
}
# best_speed FOLDER SIZE ROWS [key=value ...]: the fastest over several sizes of a pass; sets tokens, share and pass; 1 where none ran.
best_speed() {
    local folder=$1 length rows=$3 take found
    length=$(length_of "$2")
    shift 3
    tokens=0 share=0 pass=0
    for take in 4 8 16; do
        if [ "$take" -gt "$rows" ]; then
            [ "$tokens" = 0 ] || break
            take=$rows
        fi
        if ! watched "$work/memory-$take" train_to "$folder-$take" sft "$work/sft.yaml" device=cuda "micro_batch_tokens=$((take * length))" "$@"; then
            echo "passes of $((take * length)) tokens: $(tail -n 2 "$work/log")"
            continue
        fi
        found=$(speed "$folder-$take") || continue
        echo "passes of $((take * length)) tokens: ${found% *} tokens/s, ${found#* }% of peak"
        if awk -v a="${found% *}" -v b="$tokens" 'BEGIN { exit !(a > b) }'; then
            tokens=${found% *} share=${found#* } pass=$((take * length))
            cp "$work/memory-$take" "$work/memory-best"
        fi
    done
    [ "$tokens" != 0 ]
}

part_sft() {
    local size=$1 model rows name
    rows=$(batch_of "$size")
    name="SFT $size, $(length_of "$size") tokens, r 16 all-linear"
    model=$(model_of "$size") || { fail "$name" "the model cannot be made"; return; }
    sft_config "$size" "$model" 8 "$rows"
    best_speed "$work/sft" "$size" "$rows" || { fail "$name" "$(tail -n 2 "$work/log")"; return; }
    row "$name, share of the measured peak, %" "$share" ">= $(bar_of "$size") %" "$tokens tokens/s, $rows rows a step, passes of $pass tokens"
    [ ! -s "$work/memory-best" ] || row "$name, device memory beyond the weights, MiB" "$(beyond_weights "$work/memory-best" "$model")"
    echo "$tokens" >"$RESULTS/sft-$size.tokens"
}

# Seconds from the command to the first step, weights in the page cache: the median of five.
part_first_step() {
    local size model start times=()
    size=$(tr ' ' '\n' <<<"$SIZES" | head -n 1)
    model=$(model_of "$size") || { fail "model $size" "it cannot be made"; return; }
    sft_config "$size" "$model" 1 1
    for start in 0 1 2 3 4 5; do
        train_to "$work/start" sft "$work/sft.yaml" device=cuda || { fail "first step" "$(tail -n 2 "$work/log")"; return; }
        [ "$start" -eq 0 ] || times+=("$(grep -o 'first step begins [0-9.]*' "$work/log" | grep -o '[0-9.]*$')")
    done
    row "command to first step, $size, s" "$(median "${times[@]}")" "<= 2 s" "of ${times[*]}"
}

# 512:256:256: a prompt computed once against with each answer, in turns.
part_dpo() {
    local size model prompt=512 pairs=8 round shared rates=()
    size=$(tr ' ' '\n' <<<"$SIZES" | head -n 1)
    model=$(model_of "$size") || { fail "model $size" "it cannot be made"; return; }
    [ "$size" != tiny ] || prompt=32 pairs=2
    pairs "$model" $((6 * pairs)) "$prompt" $((prompt / 2)) "$work/pairs.jsonl"
    printf 'model: %s\nrun_name: run\ndata: {train: %s, max_length: %d, shuffle: false, on_overlong: fail}\ntrain: {max_steps: 6, global_batch_size: %d, micro_batch_tokens: 16384, learning_rate: 1e-9, lr_scheduler_type: constant, save_steps: 0}\n' \
        "$model" "$work/pairs.jsonl" $((2 * prompt)) "$pairs" >"$work/dpo.yaml"
    for round in 1 2 3; do
        for shared in true false; do
            train_to "$work/dpo-$shared" dpo "$work/dpo.yaml" device=cuda prefix_sharing=$shared || { fail "DPO" "$(tail -n 2 "$work/log")"; return; }
            rates+=("$(step_seconds "$work/dpo-$shared")")
        done
        check "DPO $size, shared and apart: the first losses are one" "$PYTHON" "$bench/gpu/first_loss.py" "$work/dpo-true" "$work/dpo-false"
    done
    row "DPO $size, $prompt:$((prompt / 2)):$((prompt / 2)), shared against apart" \
        "$(ratio "$(median "${rates[1]}" "${rates[3]}" "${rates[5]}")" "$(median "${rates[0]}" "${rates[2]}" "${rates[4]}")")" ">= 1.4 x" \
        "seconds a step, shared and apart in turns: ${rates[*]}"
}

# step_seconds RUN: of the steps behind the third; the tokens of a step are counted, whether a prompt was computed once or twice.
step_seconds() {
    "$PYTHON" - "$1" <<'PYTHON'
import json, sys
steps = [row for row in map(json.loads, open(sys.argv[1] + "/metrics.jsonl")) if "tokens_per_second" in row]
counts = [b["num_tokens"] - a["num_tokens"] for a, b in zip(steps, steps[1:])]
seconds = [count / row["tokens_per_second"] for count, row in zip(counts, steps[1:])][2:]
print(f"{sum(seconds) / len(seconds):.4f}")
PYTHON
}

# Tokens a second of greedy decoding: what more tokens take, of a short and a long answer, so that loading counts for nothing.
part_decode() {
    local size model slots few=16 many=272 rate share
    for size in $SIZES; do
        model=$(model_of "$size") || { fail "model $size" "it cannot be made"; return; }
        [ "$size" != tiny ] || many=32
        for slots in 1 32; do
            "$PYTHON" - "$slots" >"$work/ask.jsonl" <<'PYTHON'
import json, sys
for i in range(int(sys.argv[1])):
    print(json.dumps({"prompt": f"Ticket {i}: " + "the printer in room 12 prints blank pages since Monday. " * 4}))
PYTHON
            rate=$(decode_rate "$model" "$slots" $few $many) || { fail "decoding $size" "$(tail -n 2 "$work/log")"; continue; }
            share=$(awk -v rate="$rate" -v slots="$slots" -v bytes="$(weight_bytes "$model")" -v peak="$(peak copy)" 'BEGIN { printf "%.0f", 100 * rate / slots * bytes / peak }')
            row "decoding $size, $slots rows together, tokens/s" "$rate" "" "the weights are read at $share% of the copy bandwidth"
        done
    done
}
decode_rate() {
    local begin made times=() counts=()
    for length in "$3" "$3" "$4"; do  # the first warms up
        begin=$(seconds_now)
        "$temper" generate --model "$1" --input "$work/ask.jsonl" --output "$work/answers.jsonl" --raw --device cuda --slots "$2" --max-new-tokens "$length" --json \
            >"$work/made" 2>"$work/log" || return 1
        times+=("$(awk -v a="$begin" -v b="$(seconds_now)" 'BEGIN { print b - a }')")
        made=$(tail -n 1 "$work/made" | "$PYTHON" -c "import json,sys; print(json.load(sys.stdin)['new_tokens'])")
        counts+=("$made")
    done
    awk -v t0="${times[1]}" -v t1="${times[2]}" -v n0="${counts[1]}" -v n1="${counts[2]}" 'BEGIN { if (t1 <= t0 || n1 <= n0) exit 1; printf "%.1f", (n1 - n0) / (t1 - t0) }'
}

# NF4 beside bfloat16, the largest size.
part_nf4() {
    local size model rows plain before=
    size=$(tr ' ' '\n' <<<"$SIZES" | tail -n 1)
    model=$(model_of "$size") || { fail "model $size" "it cannot be made"; return; }
    rows=$(batch_of "$size")
    sft_config "$size" "$model" 6 "$rows"
    best_speed "$work/bf16" "$size" "$rows" || { fail "bfloat16 beside NF4, $size" "$(tail -n 2 "$work/log")"; return; }
    plain=$tokens
    [ ! -s "$work/memory-best" ] || before=$(beyond_weights "$work/memory-best" "$model")
    best_speed "$work/nf4" "$size" "$rows" load_in_4bit=true || { fail "NF4, $size" "$(tail -n 2 "$work/log")"; return; }
    # Weights that were unpacked for good would be as fast, and of no use.
    if [ -n "$before" ]; then
        row "NF4 $size, device memory saved, share of the weights, %" \
            "$(awk -v a="$before" -v b="$(beyond_weights "$work/memory-best" "$model")" -v w="$(weight_bytes "$model")" 'BEGIN { printf "%.0f", 100 * (a - b) * 1048576 / w }')" ">= 50 %"
    fi
    row "NF4 $size, speed of its own bfloat16's, %" "$(awk -v a="$tokens" -v b="$plain" 'BEGIN { printf "%.1f", 100 * a / b }')" ">= 90 %" "$tokens and $plain tokens/s"
}

part_table() { "$PYTHON" "$bench/gpu/table.py" "$RESULTS" "$("$temper" --version 2>/dev/null | tr '\n' ';')" >"$RESULTS/gpu.md" && cat "$RESULTS/gpu.md"; }
