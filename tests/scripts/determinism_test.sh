#!/usr/bin/env bash
# One adapter, however a tiny model is trained: the same command twice, stopped and resumed, and on other numbers of ranks, threads and micro-batches
# gives one adapter, bit for bit.
. "$(dirname "$0")/common.sh"
tiny_config "$work/tiny.yaml"

run() {  # run NAME RANKS [key=value ...]: prints the adapter's hash
    local out=$work/$1 ranks=$2
    shift 2
    local launcher=()
    [ "$ranks" -gt 1 ] && launcher=(mpirun -n "$ranks" --bind-to none)
    "${launcher[@]}" "$temper" sft "$work/tiny.yaml" "output_dir=$out" "$@" >"$work/log" 2>&1 || fail "run $out: $(tail -n 3 "$work/log")"
    adapter_sha "$(newest_run "$out")"
}

for dtype in bfloat16 float32; do
    first=$(run "$dtype-first" 1 dtype=$dtype threads=1)
    [ -n "$first" ] || fail "no adapter"
    [ "$(run "$dtype-again" 1 dtype=$dtype threads=1)" = "$first" ] || fail "$dtype: the same command gave another adapter"
    [ "$(run "$dtype-threads" 1 dtype=$dtype threads=2 micro_batch_tokens=600)" = "$first" ] || fail "$dtype: threads or micro_batch_tokens changed the adapter"
    has_mpi || continue
    for ranks in 2 3 4; do
        [ "$(run "$dtype-ranks$ranks" $ranks dtype=$dtype threads=1)" = "$first" ] || fail "$dtype: $ranks ranks changed the adapter"
    done
done

# Masks, magnitudes and a start from the weights follow the same law.
varied=(use_dora=true lora_dropout=0.2 init_lora_weights=pissa_niter_4 loraplus_lr_ratio=4 r=4 "rank_pattern={q_proj: 2}")
for dtype in bfloat16 float32; do
    first=$(run "$dtype-varied" 1 dtype=$dtype threads=1 "${varied[@]}")
    [ -n "$first" ] || fail "no adapter"
    [ "$(run "$dtype-varied-threads" 1 dtype=$dtype threads=3 micro_batch_tokens=300 gradient_checkpointing=true "${varied[@]}")" = "$first" ] ||
        fail "$dtype: threads, micro-batches or recomputing changed an adapter with DoRA and dropout"
    has_mpi || continue
    [ "$(run "$dtype-varied-ranks" 3 dtype=$dtype threads=1 "${varied[@]}")" = "$first" ] || fail "$dtype: ranks changed an adapter with DoRA and dropout"
done

# Files of other kinds with the same rows, weighted and split for evaluation: one adapter, on any number of ranks.
head -n 40 "$work/train.jsonl" >"$work/a.jsonl"
tail -n 24 "$work/train.jsonl" >"$work/b.jsonl"
gzip -k "$work/a.jsonl"
{ echo "["; sed '$!s/$/,/' "$work/b.jsonl"; echo "]"; } >"$work/b.json"
mixed() {  # mixed NAME RANKS A B
    run "$1" "$2" "data.train=[{path: $3, weight: 2}, {path: $4, weight: 0.5}]" data.eval=null data.val_size=0.2 train.eval_steps=2 max_steps=6
}
plain=$(mixed mixed-plain 1 "$work/a.jsonl" "$work/b.jsonl")
[ "$(mixed mixed-packed 1 "$work/a.jsonl.gz" "$work/b.json")" = "$plain" ] || fail "packed files gave another adapter"
if has_mpi; then
    for ranks in 2 3; do
        [ "$(mixed mixed-ranks$ranks $ranks "$work/a.jsonl.gz" "$work/b.json")" = "$plain" ] || fail "mixed files: $ranks ranks changed the adapter"
    done
fi
eval_losses() { grep -o '"eval_loss":[^,}]*' "$(newest_run "$work/$1")/metrics.jsonl"; }
[ -n "$(eval_losses mixed-plain)" ] && [ "$(eval_losses mixed-plain)" = "$(eval_losses mixed-packed)" ] || fail "held-out rows differ"

# Stopped by SIGUSR1 and by SIGKILL at some moment, resumed on other numbers of ranks until done; the last two with all variants.
reference=$(run plain 1)
settings=()
for attempt in 1 2 3 4 5; do
    if [ "$attempt" -eq 4 ]; then
        settings=("${varied[@]}")
        reference=$(run varied 1 "${settings[@]}")
    fi
    out=$work/killed$attempt
    signal=$([ $((attempt % 2)) -eq 0 ] && echo USR1 || echo KILL)
    code=1
    for try in $(seq 1 40); do
        ranks=1
        has_mpi && ranks=$((1 + (attempt + try) % 3))
        launcher=(env)
        [ "$ranks" -gt 1 ] && launcher=(mpirun -n "$ranks" --bind-to none)
        "${launcher[@]}" "$temper" sft "$work/tiny.yaml" "output_dir=$out" "${settings[@]}" --resume auto >"$work/log" 2>&1 &
        child=$!
        if [ "$try" -lt 4 ]; then
            sleep "0.$((2 + (attempt * 7 + try * 3) % 6))"
            kill -$signal "$child" 2>/dev/null
        fi
        wait "$child"
        code=$?
        [ "$code" -eq 0 ] && break
    done
    [ "$code" -eq 0 ] || fail "attempt $attempt did not finish: $(tail -n 3 "$work/log")"
    [ "$(ls -d "$out"/*Z-* | wc -l)" -eq 1 ] || fail "resumed in another directory"
    [ "$(adapter_sha "$(newest_run "$out")")" = "$reference" ] || fail "killed by $signal and resumed: another adapter"
done
finish
