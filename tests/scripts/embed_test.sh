#!/usr/bin/env bash
# temper embed and temper rerank on tiny models: the HDF5 and .npy outputs, ranks, threads, signals and kills that change no byte, and messages.
. "$(dirname "$0")/common.sh"
models=$root/tests/goldens/encoders
emulated=$(dirname "$1")/tests/temper_emulated
python3 - "$work" "$models/bert/golden.json" <<'PYTHON'
import json, sys
work = sys.argv[1]
texts = json.load(open(sys.argv[2]))["texts"]
with open(f"{work}/golden.jsonl", "w") as out:
    for text in texts:
        out.write(json.dumps({"text": text}) + "\n")
with open(f"{work}/many.jsonl", "w") as out:
    for i in range(6000):
        out.write(json.dumps({"id": f"row-{i}", "text": " ".join(texts[(i + k) % len(texts)] for k in range(i % 4 + 1)) + f" {i}"}) + "\n")
with open(f"{work}/pairs.jsonl", "w") as out:
    for i in range(40):
        out.write(json.dumps({"n": i, "query": texts[i % 5], "documents": [texts[(i * 7 + k) % len(texts)] for k in range(i % 6)]}) + "\n")
        out.write(json.dumps({"query": texts[i % 5], "text": texts[(i + 3) % len(texts)]}) + "\n")
PYTHON
embed() {  # embed OUTPUT [arguments]: of the many rows
    local output=$1
    shift
    "$temper" embed --model "$models/bert" --input "$work/many.jsonl" --output "$output" --output-dir "$work/runs" "$@" 2>"$work/stderr"
}

# .npy: the vectors of the reference.
"$temper" embed --model "$models/bert" --input "$work/golden.jsonl" --output "$work/golden.npy" --format npy --output-dir "$work/runs" --json >"$work/stdout" 2>"$work/stderr" ||
    fail "npy: $(tail -n 3 "$work/stderr")"
python3 - "$work" "$models/bert/golden.json" <<'PYTHON' || fail "npy: not the reference's vectors"
import ast, json, struct, sys
work = sys.argv[1]
data = open(f"{work}/golden.npy", "rb").read()
size = struct.unpack("<H", data[8:10])[0]
header = ast.literal_eval(data[10:10 + size].decode())
golden = json.load(open(sys.argv[2]))["vectors"]
assert data[:8] == b"\x93NUMPY\x01\x00" and (10 + size) % 64 == 0
assert header == {"descr": "<f4", "fortran_order": False, "shape": (len(golden), len(golden[0]))}, header
values = struct.unpack(f"<{len(golden) * len(golden[0])}f", data[10 + size:])
worst = max(abs(a - b) for a, b in zip(values, (x for row in golden for x in row)))
assert worst <= 3e-5, worst
ids = [json.loads(line) for line in open(f"{work}/golden.npy.ids.jsonl")]
assert ids == [str(i) for i in range(len(golden))], ids
result = json.loads(open(f"{work}/stdout").read().splitlines()[-1])
assert result["status"] == "finished" and result["metrics"]["rows"] == len(golden) and result["metrics"]["texts_cut"] == 2, result
PYTHON

# Threads, batches, passes over other ranks: one file, byte for byte.
embed "$work/one.h5" --threads 1 || fail "embed: $(tail -n 3 "$work/stderr")"
embed "$work/two.h5" --threads 3 --batch-tokens 64 || fail "embed: $(tail -n 3 "$work/stderr")"
cmp -s "$work/one.h5" "$work/two.h5" || fail "threads or batches change the output"
# The same command again finds it done.
embed "$work/one.h5" --threads 1 --json >"$work/stdout" || fail "embed again: $(tail -n 3 "$work/stderr")"
grep -q 'finished already' "$work/stderr" || fail "the finished output is made again"
if has_mpi; then
    mpirun -n 3 --bind-to none "$temper" embed --model "$models/bert" --input "$work/many.jsonl" --output "$work/ranks.h5" --output-dir "$work/runs" --threads 1 \
        >"$work/stdout" 2>"$work/stderr" || fail "ranks: $(tail -n 3 "$work/stderr")"
    cmp -s "$work/one.h5" "$work/ranks.h5" || fail "ranks change the output"
fi
# A signal: exit 75, and the next command goes on. A kill: the next command goes on.
for signal in USR1 TERM KILL KILL; do
    rm -rf "$work/stopped" "$work/stopped.h5"
    tries=0
    while [ "$tries" -lt 9 ]; do
        "$temper" embed --model "$models/bert" --input "$work/many.jsonl" --output "$work/stopped.h5" --output-dir "$work/stopped" --threads 1 >/dev/null 2>"$work/stderr" &
        child=$!
        [ "$tries" -lt 2 ] && { sleep "0.$((3 + RANDOM % 4))"; kill "-$signal" "$child" 2>/dev/null; }
        wait "$child"
        code=$?
        tries=$((tries + 1))
        [ "$code" -eq 0 ] && break
        [ "$code" -eq 75 ] || [ "$code" -gt 128 ] || fail "exit $code after SIG$signal: $(tail -n 3 "$work/stderr")"
    done
    cmp -s "$work/one.h5" "$work/stopped.h5" || fail "SIG$signal changes the output"
    [ "$(find "$work/stopped" -name '*.part' | wc -l)" -eq 0 ] || fail "parts are left behind"
    [ "$(ls -d "$work"/stopped/*Z-* | wc -l)" -eq 1 ] || fail "a stopped run was begun anew"
done
# The file as h5py sees it, where there is one.
if python3 -c 'import h5py' 2>/dev/null; then
    embed "$work/half.h5" --output-dtype float16 --dimensions 8 --normalize yes || fail "float16: $(tail -n 3 "$work/stderr")"
    python3 - "$work" <<'PYTHON' || fail "h5py"
import h5py, numpy, sys
work = sys.argv[1]
with h5py.File(f"{work}/one.h5") as one, h5py.File(f"{work}/half.h5") as half:
    assert one["embeddings"].shape == (6000, 32) and one["embeddings"].dtype == "float32"
    assert list(one["ids"].asstr()[:3]) == ["row-0", "row-1", "row-2"]
    assert one.attrs["pooling"] == "mean" and one.attrs["normalized"] == 1 and one.attrs["dimensions"] == 32 and one.attrs["model"] == "bert"
    assert half["embeddings"].shape == (6000, 8) and half["embeddings"].dtype == "float16"
    short = one["embeddings"][:, :8]
    short /= numpy.linalg.norm(short, axis=1, keepdims=True)
    assert numpy.abs(half["embeddings"][:].astype("float32") - short).max() < 1e-3
PYTHON
fi

# A decoder, its last token and its mean.
for pooling in lasttoken mean; do
    "$temper" embed --model "$model" --input "$work/golden.jsonl" --output "$work/$pooling.npy" --format npy --pooling "$pooling" --output-dir "$work/runs" 2>"$work/stderr"
    code=$?
    # An empty text has no token there.
    [ "$code" -eq 65 ] && grep -q 'golden.jsonl:2: the text has no token' "$work/stderr" || fail "decoder, $pooling: exit $code: $(tail -n 3 "$work/stderr")"
    grep -v '"text": ""' "$work/golden.jsonl" >"$work/full.jsonl"
    "$temper" embed --model "$model" --input "$work/full.jsonl" --output "$work/$pooling.npy" --format npy --pooling "$pooling" --output-dir "$work/runs" 2>"$work/stderr" ||
        fail "decoder, $pooling: $(tail -n 3 "$work/stderr")"
done
cmp -s "$work/lasttoken.npy" "$work/mean.npy" && fail "pooling changes nothing of a decoder"

# rerank: scores in their order, rankings, and ranks and threads that change nothing.
rerank() { "$temper" rerank --model "$models/cross_bert" --input "$work/pairs.jsonl" --output "$1" --output-dir "$work/runs" "${@:2}" >"$work/stdout" 2>"$work/stderr"; }
rerank "$work/scores.jsonl" --json || fail "rerank: $(tail -n 3 "$work/stderr")"
rerank "$work/others.jsonl" --threads 1 --batch-tokens 1 || fail "rerank: $(tail -n 3 "$work/stderr")"
cmp -s "$work/scores.jsonl" "$work/others.jsonl" || fail "threads or batches change scores"
rerank "$work/top.jsonl" --top-k 2 || fail "rerank --top-k: $(tail -n 3 "$work/stderr")"
python3 - "$work" <<'PYTHON' || fail "rerank: scores or rankings"
import json, sys
work = sys.argv[1]
read = lambda name: [json.loads(line) for line in open(f"{work}/{name}.jsonl")]
rows, scored, top = read("pairs"), read("scores"), read("top")
assert len(rows) == len(scored) == len(top)
for row, full, best in zip(rows, scored, top):
    assert all(full[key] == value for key, value in row.items())
    if "documents" not in row:
        assert 0 < full["score"] < 1 and best["score"] == full["score"]
        continue
    assert len(full["scores"]) == len(row["documents"])
    assert full["ranking"] == sorted(range(len(full["scores"])), key=lambda i: -full["scores"][i])
    assert best["ranking"] == full["ranking"][:2] and best["scores"] == full["scores"]
PYTHON

# Messages.
echo '{"body": "x"}' >"$work/bad.jsonl"
echo '{"id": "a\u0000b", "text": "x"}' >"$work/nul.jsonl"
expect_exit 65 'nul\.jsonl:1: field "id" holds a NUL' "$temper" embed --model "$models/bert" --input "$work/nul.jsonl" --output "$work/nul.h5" --output-dir "$work/runs"
# 8-bit integers: scales are measured once, and refused where the vectors would be too far away.
"$temper" calibrate --model "$models/bert" --input "$work/golden.jsonl" --output "$work/scales.json" --json >"$work/stdout" 2>"$work/stderr" ||
    fail "calibrate: $(tail -n 3 "$work/stderr")"
grep -q '"status":"accepted"' "$work/stdout" || fail "calibrate: $(cat "$work/stdout")"
embed "$work/int8.h5" --dtype int8 --int8-scales "$work/scales.json" --threads 2 || fail "int8: $(tail -n 3 "$work/stderr")"
embed "$work/int8_one.h5" --dtype int8 --int8-scales "$work/scales.json" --threads 1 --batch-tokens 64 --resume no || fail "int8: $(tail -n 3 "$work/stderr")"
cmp "$work/int8.h5" "$work/int8_one.h5" || fail "int8: threads and batches change bytes"
! cmp -s "$work/int8.h5" "$work/one.h5" || fail "int8: the vectors of float32"
expect_exit 3 'nothing was written' "$temper" calibrate --model "$models/bert" --input "$work/golden.jsonl" --output "$work/none.json" --least-cosine 1.1
[ ! -e "$work/none.json" ] || fail "calibrate: refused scales were written"
expect_exit 2 'goes with --int8-scales' "$temper" embed --model "$models/bert" --input "$work/golden.jsonl" --output "$work/bad.h5" --dtype int8
expect_exit 2 'this model is another' "$temper" embed --model "$models/xlm_roberta" --input "$work/golden.jsonl" --output "$work/bad.h5" --dtype int8 --int8-scales "$work/scales.json" --output-dir "$work/runs"

expect_exit 65 'bad.jsonl:1: no field "text"; the row has: body; --field NAME names another' "$temper" embed --model "$models/bert" --input "$work/bad.jsonl" --output "$work/bad.h5" --output-dir "$work/runs"
expect_exit 2 "no prompt named 'other'; it has: document, query" "$temper" embed --model "$models/bert" --input "$work/golden.jsonl" --output "$work/bad.h5" --prompt-name other
expect_exit 2 '99 dimensions: the model' "$temper" embed --model "$models/bert" --input "$work/golden.jsonl" --output "$work/bad.h5" --dimensions 99
expect_exit 65 "this is an embedding model; rerank needs a cross-encoder" "$temper" rerank --model "$models/bert" --input "$work/pairs.jsonl" --output "$work/bad.jsonl.out" --output-dir "$work/runs"
expect_exit 2 'by which of them to rank' "$temper" rerank --model "$models/cross_bert_labels" --input "$work/pairs.jsonl" --output "$work/bad.out" --top-k 1
expect_exit 66 'the directory .* does not exist' "$temper" embed --model "$models/bert" --input "$work/golden.jsonl" --output "$work/none/bad.h5" --output-dir "$work/runs"
expect_exit 2 'give one of' "$temper" embed --model "$models/bert" --input "$work/golden.jsonl" --output "$work/bad.h5" --prompt x --no-prompt
expect_exit 66 'no-such' "$temper" embed --model "$work/no-such" --input "$work/golden.jsonl" --output "$work/bad.h5"

# The emulated CUDA device gives the same vectors, but for the order of its sums.
if [ -x "$emulated" ]; then
    TEMPER_EMULATION_CHECKS=fast "$emulated" embed --model "$models/bert" --input "$work/golden.jsonl" --output "$work/cuda.npy" --format npy --device cuda --output-dir "$work/runs" \
        2>"$work/stderr" || fail "emulated device: $(tail -n 3 "$work/stderr")"
    python3 - "$work" <<'PYTHON' || fail "the emulated device gives other vectors"
import struct, sys
read = lambda name: struct.unpack(f"<{12 * 32}f", open(f"{sys.argv[1]}/{name}.npy", "rb").read()[-12 * 32 * 4:])
worst = max(abs(a - b) for a, b in zip(read("golden"), read("cuda")))
assert worst < 2e-5, worst
PYTHON
fi
finish
