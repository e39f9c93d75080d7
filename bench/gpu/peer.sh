# The part of gpu.sh that runs beside torch + PEFT.
# shellcheck shell=bash disable=SC2154,SC2034

# Where the peers run: on the GPU, and to prove the script beside the emulated device on the CPU; sets where and how.
peer_device() {
    where=cuda how=--compile
    if [ "$device" = emulated ]; then where=cpu how=; fi
    [ $where = cpu ] || "$PYTHON" -c "import sys, torch; sys.exit(not torch.cuda.is_available())"
}

# torch + PEFT (SDPA, compiled) from one initial adapter on the same rows, then at other batches while there is time.
part_peer() {
    local size=$1 model rows name length found ours theirs best batch deadline=$((SECONDS + ${PART_SECONDS:-480} - 100))
    name="SFT $size against torch + PEFT"
    if ! has_python peft; then not_run "$name" "$PYTHON has no torch and peft" ">= 1.8 x"; return; fi
    if ! peer_device; then not_run "$name" "torch sees no GPU" ">= 1.8 x"; return; fi
    model=$(model_of "$size") || { fail "model $size" "it cannot be made"; return; }
    rows=$(batch_of "$size") length=$(length_of "$size")
    sft_config "$size" "$model" 8 "$rows"
    peer() {  # peer ROWS FILE
        local count=$1 file=$2
        # shellcheck disable=SC2086
        watched "$work/peer-memory" timeout $((deadline > SECONDS ? deadline - SECONDS + 60 : 60)) "$PYTHON" "$bench/peers/sft_torch.py" --model "$model" \
            --adapter "$work/init" --tokens "$work/rows.jsonl" --rows "$count" --steps 8 --device $where $how >"$file" 2>"$work/log" && tail -n 1 "$file"
    }
    # The batch that both take: ours, or the largest of the peer's that fits.
    for batch in "$rows" $((rows / 2)) $((rows / 4)) 1; do
        peer "$batch" "$work/same.json" && break
        echo "torch + PEFT with $batch rows: $(tail -n 1 "$work/log")"
    done
    [ -s "$work/same.json" ] || { fail "$name" "$(tail -n 1 "$work/log")"; return; }
    cp "$work/peer-memory" "$work/same-memory"
    sft_config "$size" "$model" 8 "$batch"
    best_speed "$work/same" "$size" "$batch" "init_adapter=$work/init" || { fail "$name" "$(tail -n 2 "$work/log")"; return; }
    ours=$tokens
    check "$name: equal losses and gradient norms at step 1 (1%, 5%)" "$PYTHON" "$bench/gpu/first_loss.py" "$work/same-$((pass / length))" "$work/same.json"
    found=$(tokens_of "$work/same.json")
    row "$name, the same batch ($batch rows)" "$(ratio "$ours" "$found")" ">= 1.8 x" "$ours and $found tokens/s"
    if [ -s "$work/same-memory" ] && [ -s "$work/memory-best" ]; then
        theirs=$(beyond_weights "$work/same-memory" "$model")
        row "$name, device memory beyond the weights" "$(ratio "$(beyond_weights "$work/memory-best" "$model")" "$theirs")" "<= 0.5 x" "$(beyond_weights "$work/memory-best" "$model") and $theirs MiB"
    fi
    best=$found
    for batch in 1 2 4 8 16 32; do
        [ "$batch" -le "$rows" ] || [ "$size" != tiny ] || break
        [ "$SECONDS" -lt "$deadline" ] || { echo "no time for $batch rows"; break; }
        peer "$batch" "$work/other.json" || break
        found=$(tokens_of "$work/other.json")
        best=$(awk -v a="$found" -v b="$best" 'BEGIN { print (a > b) ? a : b }')
    done
    [ ! -e "$RESULTS/sft-$size.tokens" ] || ours=$(awk -v a="$(cat "$RESULTS/sft-$size.tokens")" -v b="$ours" 'BEGIN { print (a > b) ? a : b }')
    row "$name, each at its best batch" "$(ratio "$ours" "$best")" ">= 1.8 x" "$ours and $best tokens/s"
}
tokens_of() { "$PYTHON" -c "import json,sys; print(json.loads(open(sys.argv[1]).read().strip().splitlines()[-1])['tokens_per_second'])" "$1"; }

# DPO against TRL's DPOTrainer on the shipped pairs, eight a step.
part_trl() {
    local name="DPO against TRL" size model
    if ! has_python trl; then not_run "$name" "$PYTHON has no trl" ">= 2.5 x"; return; fi
    if ! peer_device; then not_run "$name" "torch sees no GPU" ">= 2.5 x"; return; fi
    size=$(tr ' ' '\n' <<<"$SIZES" | head -n 1)
    model=$(model_of "$size") || { fail "model $size" "it cannot be made"; return; }
    DEVICE=cuda PEER_DEVICE=$where bash "$bench/peers/compare_dpo.sh" "$temper" "$model" 2 >"$work/trl" 2>&1 || { cat "$work/trl"; fail "$name" "$(tail -n 1 "$work/trl")"; return; }
    cat "$work/trl"
    row "$name, $size, 8 pairs a step" "$(sed -n 's/^tokens .*: \([0-9.]*\) x;.*/\1/p' "$work/trl")" ">= 2.5 x" "$(grep '^tokens/s of' "$work/trl")"
}
