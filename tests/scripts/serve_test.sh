#!/usr/bin/env bash
# temper-serve on the tiny model: answers as temper generate's, vectors as temper embed's, errors in OpenAI's shape, many requests at once, a pointer
# that moves while they run, limits, and the drain.
. "$(dirname "$0")/common.sh"
serve=$(dirname "$temper")/temper-serve
encoder=$root/tests/goldens/encoders/bert
export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive

linked=$(ldd "$serve")
! grep -Eq 'libmpi|libcuda|libcublas|libnccl' <<<"$linked" || fail "temper-serve links MPI or CUDA: $linked"

# Two adapters that a gate lets in, the second stopped by another one; what both answer
tiny_config "$work/tiny.yaml"
printf 'rules:\n  - {metric: performance.seconds, max: 600}\n' >"$work/lenient.yaml"
printf 'rules:\n  - {metric: performance.seconds, max: 0}\n' >"$work/strict.yaml"
promote() { "$temper" registry promote "$work/run_$1" --name tiny --alias production --verdict "$work/$2.json" --registry "$work/registry"; }
for name in a b; do
    rate=$([ $name = a ] && echo 2e-2 || echo 8e-2)
    "$temper" sft "$work/tiny.yaml" "output_dir=$work/runs_$name" "learning_rate=$rate" max_steps=6 data.eval=null >/dev/null 2>"$work/stderr" || fail "sft: $(tail -n 3 "$work/stderr")"
    mv "$(newest_run "$work/runs_$name")" "$work/run_$name"
    "$temper" gate --record "$work/run_$name" --rules "$work/lenient.yaml" --verdict "$work/passed_$name.json" >"$work/stdout" 2>&1 || fail "gate: $(cat "$work/stdout")"
done
"$temper" gate --record "$work/run_b" --rules "$work/strict.yaml" --verdict "$work/stopped_b.json" >/dev/null 2>&1
[ $? -eq 3 ] || fail "the strict gate lets it in"
promote a passed_a >/dev/null 2>"$work/stderr" || fail "promote: $(tail -n 3 "$work/stderr")"
head -n 5 "$root/jobs/data/tickets_heldout.jsonl" >"$work/rows.jsonl"
printf '%s\n' '{"messages": [{"role": "user", "content": "Caf\u00e9 \u20ac5?"}]}' '{"messages": [{"role": "user", "content": "hello"}]}' >>"$work/rows.jsonl"
for name in a b; do
    "$temper" generate --model "$model" --adapter "$work/run_$name/adapter" --input "$work/rows.jsonl" --output "$work/greedy_$name.jsonl" --max-new-tokens 40 2>"$work/stderr" ||
        fail "generate: $(tail -n 3 "$work/stderr")"
done
prompt="Where is order 17?"
with_a=("$temper" generate --model "$model" --adapter "$work/run_a/adapter" --max-new-tokens 40 --prompt "$prompt")
"${with_a[@]}" --temperature 0.8 --top-p 0.9 --seed 7 >"$work/sampled.txt" 2>/dev/null || fail "generate --temperature"
"${with_a[@]}" --raw >"$work/raw.txt" 2>/dev/null || fail "generate --raw"
printf '%s\n' '{"text": "a cat sat"}' '{"text": "the dog"}' '{"text": "Where is my order?"}' >"$work/texts.jsonl"
"$temper" embed --model "$encoder" --input "$work/texts.jsonl" --output "$work/vectors.npy" --format npy >/dev/null 2>"$work/stderr" || fail "embed: $(tail -n 3 "$work/stderr")"

# What the checks expect
python3 - "$work" "$model" "$prompt" <<'PYTHON' || fail "no expectations"
import hashlib, json, struct, sys
work, model, prompt = sys.argv[1:4]
rows = [json.loads(line) for line in open(f"{work}/rows.jsonl")]
greedy = {name: [json.loads(line) for line in open(f"{work}/greedy_{name}.jsonl")] for name in "ab"}
if [row["prediction"] for row in greedy["a"]] == [row["prediction"] for row in greedy["b"]]:
    sys.exit("both adapters answer alike")
data = open(f"{work}/vectors.npy", "rb").read()
begin = 10 + struct.unpack("<H", data[8:10])[0]
numbers = struct.unpack(f"<{(len(data) - begin) // 4}f", data[begin:])
width = len(numbers) // 3
pick = lambda row: {"prediction": row["prediction"], "finish_reason": row["finish_reason"]}
tokenizer = json.load(open(f"{model}/tokenizer.json"))
json.dump({
    "max_new_tokens": 40,
    "rows": [{"messages": row.get("messages") or row["prompt"], "a": pick(a), "b": pick(b)} for row, a, b in zip(rows, greedy["a"], greedy["b"])],
    "sampled": {"prompt": prompt, "text": open(f"{work}/sampled.txt").read()[:-1], "raw": open(f"{work}/raw.txt").read()[:-1]},
    "control_token": next(token["content"] for token in tokenizer["added_tokens"] if token["special"] and len(token["content"]) > 4),
    "texts": [json.loads(line)["text"] for line in open(f"{work}/texts.jsonl")],
    "vectors": [list(numbers[i * width:(i + 1) * width]) for i in range(3)],
    "sha256": {name: hashlib.sha256(open(f"{work}/run_{name}/adapter/adapter_model.safetensors", "rb").read()).hexdigest() for name in "ab"},
}, open(f"{work}/expected.json", "w"))
PYTHON
cat >"$work/serve.yaml" <<CONFIG
model: $model
registry: {directory: $work/registry, name: tiny, poll_seconds: 0.1}
embedding_model: $encoder
embedding_name: encoder
max_context: 480
slots: 4
limits: {body_bytes: 65536, drain_seconds: 30}
CONFIG
python3 "$root/tests/scripts/serve_client.py" "$serve" "$temper" "$work" || fail "temper-serve"

# What cannot be served is said before anything is loaded
expect_exit 2 'no configuration is given' "$serve"
expect_exit 2 'settings are key=value: port=9' "$serve" --config "$work/serve.yaml" --port 9
expect_exit 2 'serve\.yaml|slotz.*slots' "$serve" --config "$work/serve.yaml" slotz=3
expect_exit 66 'tiny has no alias candidate' "$serve" --config "$work/serve.yaml" registry.alias=candidate
expect_exit 66 'absent' "$serve" --config "$work/serve.yaml" model="$work/absent"
expect_exit 2 'TEMPER_TEST_NO_KEY is not set' "$serve" --config "$work/serve.yaml" api_key_env=TEMPER_TEST_NO_KEY
python3 -c 'import socket, sys, time; s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1], flush=True); time.sleep(60)' >"$work/port" &
holder=$!
for _ in $(seq 1 100); do [ -s "$work/port" ] && break; sleep 0.05; done
expect_exit 74 'cannot listen on 127.0.0.1' "$serve" --config "$work/serve.yaml" "port=$(cat "$work/port")"
kill "$holder"
finish
