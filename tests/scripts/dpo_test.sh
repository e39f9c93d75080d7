#!/usr/bin/env bash
# temper dpo on a tiny model: one adapter on any number of ranks, threads and micro-batches and after every stop; a reference cache that changes no
# bit, is found again, and is never trusted for what it does not say; exit codes.
. "$(dirname "$0")/common.sh"
head -n 48 "$root/jobs/data/tickets_pairs.jsonl" >"$work/pairs.jsonl"
head -n 12 "$root/jobs/data/tickets_pairs_heldout.jsonl" >"$work/unseen.jsonl"
python3 - "$work" <<'PYTHON'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1] + "/pairs.jsonl")]
with open(sys.argv[1] + "/labelled.jsonl", "w") as out:
    for i, row in enumerate(rows):
        print(json.dumps({"prompt": row["prompt"], "completion": row["rejected" if i % 3 == 0 else "chosen"], "label": i % 3 != 0}), file=out)
PYTHON
cat >"$work/dpo.yaml" <<CONFIG
model: $model
output_dir: $work/runs
run_name: tiny
data: {train: $work/pairs.jsonl, eval: $work/unseen.jsonl, max_length: 256}
lora: {r: 4, lora_alpha: 8}
train: {num_train_epochs: 2, global_batch_size: 12, micro_batch_tokens: 1024, learning_rate: 2e-3, save_steps: 2, eval_steps: 4}
CONFIG

run() {  # run NAME RANKS [key=value ...]: prints the adapter's hash
    local out=$work/$1 ranks=$2
    shift 2
    local launcher=()
    [ "$ranks" -gt 1 ] && launcher=(mpirun -n "$ranks" --bind-to none)
    "${launcher[@]}" "$temper" dpo "$work/dpo.yaml" "output_dir=$out" "$@" >"$work/log" 2>&1 || fail "run $out: $(tail -n 3 "$work/log")"
    adapter_sha "$(newest_run "$out")"
}
figures() { sed 's/,"tokens_per_second":[^,}]*//' "$(newest_run "$work/$1")/metrics.jsonl"; }

# One adapter, whatever is computed where: losses of single pairs, of a whole sorted batch, and of labelled answers.
kto=("data.train=$work/labelled.jsonl" "data.eval=$work/labelled.jsonl" dpo.loss_type=kto)
for method in pairs coupled kto; do
    settings=()
    [ $method = coupled ] && settings=("dpo.loss_type=[aot, sigmoid]" dtype=float32)
    [ $method = kto ] && settings=("${kto[@]}")
    first=$(run "$method" 1 threads=1 "${settings[@]}")
    [ -n "$first" ] || fail "no adapter"
    [ "$(run "$method-threads" 1 threads=3 micro_batch_tokens=300 gradient_checkpointing=true "${settings[@]}")" = "$first" ] ||
        fail "$method: threads, micro-batches or recomputing changed the adapter"
    has_mpi || continue
    for ranks in 2 3; do
        [ "$(run "$method-ranks$ranks" $ranks threads=1 "${settings[@]}")" = "$first" ] || fail "$method: $ranks ranks changed the adapter"
        [ "$(figures "$method-ranks$ranks")" = "$(figures "$method")" ] || fail "$method: $ranks ranks changed what is logged"
    done
done
grep -q '"loss":0.6931471805599453,' "$(newest_run "$work/pairs")/metrics.jsonl" || fail "the first loss is not ln 2"
grep -q '"eval_rewards/accuracies_stderr"' "$(newest_run "$work/pairs")/run.json" || fail "no reward accuracy of unseen pairs in the record"

# The reference's scores: with a cache, cold or warm, on any ranks, as without one; in the frozen model and in an adapter.
plain=$(adapter_sha "$(newest_run "$work/pairs")")
cold=$(run cache 1 dpo.precompute_ref_log_probs=true)
grep -q "0 of 48 rows found" "$work/log" || fail "a cold cache: $(grep 'reference scores' "$work/log")"
cp "$work/log" "$work/cold.log"
grep -q '^reference 48/48 100%' "$work/cold.log" || fail "no progress of the reference's scores: $(cat "$work/cold.log")"
grep -q '^eval 12/12 100%' "$work/cold.log" || fail "no progress of the evaluation: $(cat "$work/cold.log")"
warm=$(run cache 1 dpo.precompute_ref_log_probs=true)
grep -q "48 of 48 rows found" "$work/log" || fail "a warm cache: $(grep 'reference scores' "$work/log")"
[ "$cold" = "$plain" ] && [ "$warm" = "$plain" ] || fail "the reference cache changed the adapter"
[ "$(figures cache)" = "$(figures pairs)" ] || fail "the reference cache changed what is logged"
adapter="$(newest_run "$work/pairs")/adapter"
tuned=$(run tuned 1 "lora.init_adapter=$adapter")
[ "$(run tuned-cache 1 "lora.init_adapter=$adapter" dpo.precompute_ref_log_probs=true)" = "$tuned" ] || fail "an adapter as reference: the cache changed the adapter"
if has_mpi; then
    [ "$(run cache-ranks 3 dpo.precompute_ref_log_probs=true)" = "$plain" ] || fail "the reference cache of 3 ranks changed the adapter"
    [ "$(run tuned-ranks 2 "lora.init_adapter=$adapter")" = "$tuned" ] || fail "an adapter as reference: 2 ranks changed the adapter"
fi
# The adapter's rank, scale and layers are the run's, in its record as well; what says otherwise is refused.
grep -q '"lora_alpha": 8' "$(newest_run "$work/tuned")/run.json" || fail "the record has another scale than the adapter"
expect_exit 2 "lora.r: found 16, and the adapter of lora.init_adapter.* has 4: leave" "$temper" dpo "$work/dpo.yaml" "lora.init_adapter=$adapter" lora.r=16
expect_exit 2 "lora.target_modules: found q_proj, which are other layers" "$temper" dpo "$work/dpo.yaml" "lora.init_adapter=$adapter" lora.target_modules=q_proj --dry-run
"$temper" dpo "$work/dpo.yaml" "lora.init_adapter=$adapter" lora.target_modules=all-linear --dry-run >"$work/log" 2>&1 || fail "the same layers by another name: $(tail -n 2 "$work/log")"
# More rows of the same kind: what is known is not computed again.
cat "$work/pairs.jsonl" "$work/unseen.jsonl" >"$work/more.jsonl"
run cache 1 dpo.precompute_ref_log_probs=true "data.train=$work/more.jsonl" >/dev/null
grep -q "60 of 60 rows found" "$work/log" || fail "rows of other files: $(grep 'reference scores' "$work/log")"
# Another key: nothing is found, even under the name of the new file.
cached=$(ls "$work"/cache/cache/reference-*.h5)
[ "$(echo "$cached" | wc -l)" -eq 1 ] || fail "several cache files: $cached"
for change in dtype=float32 dpo.prefix_sharing=false "lora.init_adapter=$adapter"; do
    run other 1 dpo.precompute_ref_log_probs=true "$change" >/dev/null
    grep -q "0 of 48 rows found" "$work/log" || fail "$change was served from a cache: $(grep 'reference scores' "$work/log")"
    right=$(figures other)
    cp "$cached" "$(ls "$work"/other/cache/reference-*.h5)"
    run other 1 dpo.precompute_ref_log_probs=true "$change" >/dev/null
    grep -q "computed again: .*of another model or program" "$work/log" || fail "$change: a file of another key was taken: $(grep 'reference' "$work/log")"
    [ "$(figures other)" = "$right" ] || fail "$change: other figures"
    rm -r "$work/other"
done
# The same numbers under another scale are another adapter.
cp -r "$adapter" "$work/louder"
sed -i 's/"lora_alpha": 8/"lora_alpha": 32/' "$work/louder/adapter_config.json"
run scaled 1 dpo.precompute_ref_log_probs=true "lora.init_adapter=$adapter" >/dev/null
run scaled 1 dpo.precompute_ref_log_probs=true "lora.init_adapter=$work/louder" lora.lora_alpha=32 >/dev/null
grep -q "0 of 48 rows found" "$work/log" || fail "another scale was served from a cache: $(grep 'reference scores' "$work/log")"
# Unseen pairs that are longer than any micro-batch of training.
head -n 4 "$work/pairs.jsonl" >"$work/few.jsonl"
python3 - "$work" <<'PYTHON'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1] + "/unseen.jsonl")]
with open(sys.argv[1] + "/long.jsonl", "w") as out:
    for row in rows[:3]:
        row["prompt"][-1]["content"] *= 3
        print(json.dumps(row), file=out)
PYTHON
small=("data.train=$work/few.jsonl" "data.eval=$work/long.jsonl" max_length=2000 global_batch_size=1 micro_batch_tokens=10 leaf_tokens=1)
[ "$(run long-cache 1 dpo.precompute_ref_log_probs=true "${small[@]}")" = "$(run long 1 "${small[@]}")" ] || fail "long unseen pairs: the cache changed the adapter"
# A damaged file is made anew.
size=$(stat -c %s "$cached")
for damage in truncate empty 40 60 80; do
    case $damage in
        truncate) truncate -s $((size / 2)) "$cached" ;;
        empty) : >"$cached" ;;
        *) printf 'Zz' | dd of="$cached" bs=1 seek=$((size * damage / 100)) conv=notrunc status=none ;;
    esac
    [ "$(run cache 1 dpo.precompute_ref_log_probs=true)" = "$plain" ] || fail "$damage: another adapter"
    grep -q "computed again" "$work/log" || fail "$damage: the cache was trusted"
    [ "$(stat -c %s "$cached")" -gt 1000 ] || fail "$damage: the cache was not made anew"
done

# Stopped by SIGUSR1 and SIGKILL, resumed on other numbers of ranks.
for attempt in 1 2 3; do
    settings=()
    reference=$plain
    if [ "$attempt" -eq 3 ]; then
        settings=("${kto[@]}")
        reference=$(adapter_sha "$(newest_run "$work/kto")")
    fi
    out=$work/killed$attempt
    signal=$([ "$attempt" -eq 2 ] && echo USR1 || echo KILL)
    code=1
    for try in $(seq 1 40); do
        launcher=(env)
        ranks=1
        has_mpi && ranks=$((1 + (attempt + try) % 3))
        [ "$ranks" -gt 1 ] && launcher=(mpirun -n "$ranks" --bind-to none)
        "${launcher[@]}" "$temper" dpo "$work/dpo.yaml" "output_dir=$out" "${settings[@]}" --resume auto >"$work/log" 2>&1 &
        child=$!
        if [ "$try" -lt 4 ]; then
            sleep "0.$((3 + (attempt * 7 + try * 3) % 6))"
            kill -$signal "$child" 2>/dev/null
        fi
        wait "$child"
        code=$?
        [ "$code" -eq 0 ] && break
    done
    [ "$code" -eq 0 ] || fail "attempt $attempt did not finish: $(tail -n 3 "$work/log")"
    [ "$(adapter_sha "$(newest_run "$out")")" = "$reference" ] || fail "killed by $signal and resumed: another adapter"
done

# Resumed with another adapter in the reference's place: refused.
cp -r "$adapter" "$work/reference"
"$temper" dpo "$work/dpo.yaml" "output_dir=$work/swapped" "lora.init_adapter=$work/reference" num_train_epochs=400 >"$work/log" 2>&1 &
child=$!
for _ in $(seq 1 200); do ls "$work"/swapped/*Z-*/checkpoints/step-* >/dev/null 2>&1 && break; sleep 0.1; done
kill -USR1 $child
wait $child
[ $? -eq 75 ] || fail "stopped: $(tail -n 2 "$work/log")"
cp "$work/louder/adapter_config.json" "$work/reference/adapter_config.json"
swapped=("$temper" dpo "$work/dpo.yaml" "output_dir=$work/swapped" "lora.init_adapter=$work/reference" num_train_epochs=400 --resume auto)
expect_exit 2 "other modules, ranks or scales of the adapter" "${swapped[@]}" lora.lora_alpha=32
cp "$adapter/adapter_config.json" "$work/reference/adapter_config.json"
printf '\x01' | dd of="$work/reference/adapter_model.safetensors" bs=1 seek="$(($(stat -c %s "$work/reference/adapter_model.safetensors") - 4))" conv=notrunc 2>/dev/null
expect_exit 2 "init_adapter changed" "${swapped[@]}"

# What cannot be, with its place and code.
"$temper" sft "$work/dpo.yaml" "data.train=$root/jobs/data/tickets_train.jsonl" data.eval=null eval_steps=0 max_steps=1 "output_dir=$work/whole" "lora.modules_to_save=[lm_head]" >"$work/log" 2>&1 ||
    fail "sft: $(tail -n 2 "$work/log")"
expect_exit 2 "init_adapter.*embedding or a head" "$temper" dpo "$work/dpo.yaml" "lora.init_adapter=$(newest_run "$work/whole")/adapter"
expect_exit 2 "label_smoothing.*robust" "$temper" dpo "$work/dpo.yaml" dpo.label_smoothing=0.1
expect_exit 2 "modules_to_save" "$temper" dpo "$work/dpo.yaml" "lora.modules_to_save=[lm_head]"
expect_exit 2 "reference" "$temper" dpo "$work/dpo.yaml" dpo.reference=init_adapter
sed '7s/"rejected"/"refused"/' "$work/pairs.jsonl" >"$work/bad.jsonl"
expect_exit 65 "bad.jsonl:7" "$temper" dpo "$work/dpo.yaml" "data.train=$work/bad.jsonl"
expect_exit 65 "tickets_train.jsonl:1.*kto" "$temper" dpo "$work/dpo.yaml" dpo.loss_type=kto "data.train=$root/jobs/data/tickets_train.jsonl"
finish
