#!/usr/bin/env bash
# Every kind of bad input has its exit code and a message that names the place.
. "$(dirname "$0")/common.sh"
tiny_config "$work/tiny.yaml"
sft() { "$temper" sft "$work/tiny.yaml" "$@"; }

# Data
{ head -n 2 "$work/train.jsonl"; echo '{"prompt": [}'; } >"$work/bad.jsonl"
expect_exit 65 'bad\.jsonl:3:' sft "data.train=$work/bad.jsonl"
{ head -n 1 "$work/train.jsonl"; printf '{"text": "\xff\xfe"}\n'; } >"$work/utf8.jsonl"
expect_exit 65 'utf8\.jsonl:2:.*UTF-8' sft "data.train=$work/utf8.jsonl"
echo '{"question": "x"}' >"$work/kind.jsonl"
expect_exit 65 'kind\.jsonl:1.*question' sft "data.train=$work/kind.jsonl"
expect_exit 66 'absent\.jsonl' sft "data.train=$work/absent.jsonl"
echo '{"prompt": [{"role": "user", "content": "'"$(printf 'word %.0s' $(seq 1 400))"'"}], "completion": [{"role": "assistant", "content": "x"}]}' >"$work/long.jsonl"
expect_exit 65 'nothing is supervised' sft "data.train=$work/long.jsonl" data.max_length=32
expect_exit 65 'long\.jsonl:1.*max_length' sft "data.train=$work/long.jsonl" data.max_length=32 data.on_overlong=fail

gzip -k "$work/train.jsonl"
truncate -s -40 "$work/train.jsonl.gz"
expect_exit 65 'train\.jsonl\.gz: byte [0-9]+ of the gzip data: it ends early' sft "data.train=$work/train.jsonl.gz"
head -c 900 "$root/tests/goldens/data/arrow/stream.arrow" >"$work/cut.arrow"
expect_exit 65 'cut\.arrow: byte [0-9]+: the file ends inside' sft "data.train=$work/cut.arrow"
touch "$work/rows.parquet"
expect_exit 2 'rows\.parquet: Parquet is not read.*to_json' sft "data.train=$work/rows.parquet"
expect_exit 66 'holds? several|without state\.json' sft "data.train=$work"
echo '{"conversations": [{"from": "narrator", "value": "x"}]}' >"$work/speaker.jsonl"
expect_exit 65 'speaker\.jsonl:1: from .narrator. is not known' sft "data.train=$work/speaker.jsonl"
expect_exit 65 'val_size 64 holds 64 rows out of the 64' sft data.eval=null data.val_size=64
expect_exit 66 'absent\.jinja' sft "data.chat_template=$work/absent.jinja"

touch "$work/empty.jsonl"
expect_exit 65 'empty\.jsonl holds no rows' sft "data.train=$work/empty.jsonl" data.eval=null
expect_exit 65 'empty\.jsonl holds no rows' "$temper" dpo "$work/tiny.yaml" "data.train=$work/empty.jsonl" data.eval=null

# Configurations of other trainers
printf 'base_model: m\nadapter: qlora\nbf16: true\ndatasets:\n  - {path: d, type: alpaca}\nload_in_8bit: true\noptimizer: muon\n' >"$work/axolotl.yaml"
expect_exit 2 'error: unsupported *.*axolotl\.yaml:6: load_in_8bit: base weights are quantised by load_in_4bit or load_in_fp8' "$temper" config import "$work/axolotl.yaml" --output "$work/ours.yaml"
grep -q 'axolotl.yaml:7: optimizer' "$work/stderr" || fail "import names the keys"
[ ! -e "$work/ours.yaml" ] || fail "import wrote what it could not follow"
"$temper" config import "$work/axolotl.yaml" --leave-out load_in_8bit,optimizer --gpus 2 --output "$work/ours.yaml" 2>"$work/stderr" || fail "import without them"
grep -q "wrote $work/ours.yaml" "$work/stderr" || fail "import does not say what it wrote"
"$temper" config show "$work/ours.yaml" 2>/dev/null | grep -q 'global_batch_size: 2' || fail "import: global_batch_size"

# Configuration
expect_exit 2 'learning_rat.*learning_rate' sft train.learning_rat=1
expect_exit 2 'global_batch_size' sft per_device_train_batch_size=4
expect_exit 66 'absent\.yaml' "$temper" sft "$work/absent.yaml"
expect_exit 66 "$work/no-model" sft "model=$work/no-model"

# Models
copy_model() { rm -rf "$work/$1"; cp -r "$model" "$work/$1"; chmod -R u+w "$work/$1"; }
copy_model truncated; truncate -s -100 "$work/truncated/model.safetensors"
expect_exit 65 'truncated/model\.safetensors' sft "model=$work/truncated"
copy_model lying; printf '\xff\xff\xff\xff\xff\xff\xff\x7f' | dd of="$work/lying/model.safetensors" conv=notrunc status=none
expect_exit 65 'lying/model\.safetensors' sft "model=$work/lying"
copy_model shape; sed -i 's/"intermediate_size": 96/"intermediate_size": 128/' "$work/shape/config.json"
expect_exit 65 'down_proj.*\(64, 96\).*\(64, 128\)|gate_proj.*\(96, 64\).*\(128, 64\)' sft "model=$work/shape"
copy_model family; sed -i 's/"model_type": "llama"/"model_type": "mamba"/' "$work/family/config.json"
expect_exit 65 'config\.json.*model_type' sft "model=$work/family"
printf 'GGUF\x03\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x00\x00\x00\x00\x00\x00\x00' >"$work/lying.gguf"
expect_exit 65 'lying\.gguf' sft "model=$work/lying.gguf"

# Adapters: none at all, of another model, and one that holds a NaN
for wrong in "$work/lying.gguf" "$model"; do
    expect_exit 66 'expected a PEFT adapter directory \(adapter_config\.json, adapter_model\.safetensors\)' "$temper" generate --model "$model" --adapter "$wrong" --prompt hi
done
expect_exit 65 'adapter_model\.safetensors.*(missing|shape|belongs)' sft "lora.init_adapter=$root/tests/goldens/models/llama_gqa_tied/adapter"
sft max_steps=1 save_steps=0 "output_dir=$work/one" >/dev/null 2>&1 || fail "one step"
cp -r "$(newest_run "$work/one")/adapter" "$work/nan"
python3 - "$work/nan/adapter_model.safetensors" <<'PYTHON'
import struct, sys
path = sys.argv[1]
data = bytearray(open(path, "rb").read())
begin = 8 + struct.unpack("<Q", data[:8])[0]
data[begin:begin + 4] = struct.pack("<f", float("nan"))
open(path, "wb").write(data)
PYTHON
expect_exit 17 'step 1:.*(train\.jsonl:[0-9]+|gradient)' sft "lora.init_adapter=$work/nan"
eval_damaged() { "$temper" eval --model "$model" --adapter "$work/nan" --tasks "$root/tests/goldens/eval/tasks/choice.yaml" --output-dir "$work/runs"; }
expect_exit 17 'task tiny_choice, document [0-9]+: log-probabilities that are not finite' eval_damaged

# An output that is an input is not written
echo '{"prompt": "hi", "text": "hi", "query": "hi", "prediction": "hi", "reference": "hi", "tags": ["x"]}' >"$work/p.jsonl"
cp "$work/p.jsonl" "$work/kept.jsonl"
ln -s p.jsonl "$work/link.jsonl"
same='would replace the input .*p\.jsonl: name another output'
expect_exit 2 "$same" "$temper" score --predictions "$work/p.jsonl" --metrics exact_match --rows "$work/link.jsonl" --output-dir "$work/runs"
for command in generate tokenize embed; do
    expect_exit 2 "$same" "$temper" "$command" --model "$model" --input "$work/p.jsonl" --output "$work/link.jsonl"
done
cmp -s "$work/p.jsonl" "$work/kept.jsonl" || fail "an input was replaced"
# Rows that no check is for do not pass every check
printf 'checks:\n  - {words: 9, when: {tags: [y]}}\n' >"$work/checks.yaml"
"$temper" score --predictions "$work/p.jsonl" --checks "$work/checks.yaml" 2>/dev/null | grep -q '^rows that pass every check 0 of 0$' || fail "a row without a check passes"

# The run directory
mkdir -p "$work/readonly"
if [ "$(id -u)" -ne 0 ]; then
    chmod 555 "$work/readonly"
    expect_exit 74 "$work/readonly" sft "output_dir=$work/readonly/runs"
else
    # Root writes anywhere: a read-only file system it is, where mounts are allowed.
    if mount -t tmpfs -o ro none "$work/readonly" 2>/dev/null; then
        expect_exit 74 "$work/readonly" sft "output_dir=$work/readonly/runs"
        umount "$work/readonly"
    fi
    mkdir -p "$work/full"
    if mount -t tmpfs -o size=160k none "$work/full" 2>/dev/null; then
        expect_exit 74 "$work/full.*(space|No space)" sft "output_dir=$work/full/runs"
        [ -z "$(find "$work/full" -name 'step-*' -path '*checkpoints*' -newer "$work/tiny.yaml" -empty)" ] || fail "half a checkpoint after a full disk"
        umount "$work/full"
    fi
fi
"$temper" sft "$work/tiny.yaml" "output_dir=$work/owned" num_train_epochs=5000 >"$work/log" 2>&1 &
owner=$!
for _ in $(seq 1 100); do ls "$work"/owned/*Z-*/checkpoints/step-* >/dev/null 2>&1 && break; sleep 0.1; done
expect_exit 73 'own' sft "output_dir=$work/owned" num_train_epochs=5000 --resume auto
kill -USR1 "$owner"
wait "$owner"
[ $? -eq 75 ] || fail "a stopped run did not exit with 75: $(tail -n 2 "$work/log")"

# A checkpoint that nobody can read
broken=$(newest_run "$work/owned")
for file in "$broken"/checkpoints/step-*/state.h5; do truncate -s 100 "$file"; done
expect_exit 78 'step-' sft "output_dir=$work/owned" num_train_epochs=5000 --resume auto

# Ranks that would all write one file
if has_mpi; then
    expect_exit 2 'generate: it runs alone, found 2 ranks.*temper eval --sets' mpirun -n 2 --bind-to none "$temper" generate --model "$model" --input "$work/train.jsonl" --output "$work/answers.jsonl"
    [ ! -e "$work/answers.jsonl" ] || fail "two ranks have answered"
fi

# Several Slurm tasks that see a world of one
expect_exit 2 "$(has_mpi && echo mpirun || echo TEMPER_MPI=ON)" env SLURM_NTASKS=4 SLURM_PROCID=0 SLURM_STEP_ID=0 SLURM_JOB_ID=1 SLURM_STEPID=0 SLURM_STEP_NUM_TASKS=4 "$temper" sft "$work/tiny.yaml"
finish
