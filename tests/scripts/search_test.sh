#!/usr/bin/env bash
# temper search over a store of a tiny encoder's vectors: ranks, categories, filters, reranking, and what is wrong.
. "$(dirname "$0")/common.sh"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
encoder=$root/tests/goldens/encoders/bert  # puts "what is " before queries
cross=$root/tests/goldens/encoders/cross_bert

for i in $(seq 30); do
    echo "{\"id\": \"p$i\", \"category\": \"post\", \"text\": \"what is the $i th post says that $((i * 13)) is more than $((i * 7)).\", \"author\": \"a$((i % 3))\", \"date\": \"2024-0$((i % 9 + 1))-15\"}"
done >"$work/rows.jsonl"
for i in $(seq 10); do
    echo "{\"id\": \"r$i\", \"category\": \"article\", \"text\": \"Article $i is about something else altogether, number $((i * i)).\", \"year\": $((2010 + i))}"
done >>"$work/rows.jsonl"
"$(dirname "$temper")/tests/store_program" "$work/store" "$work/rows.jsonl" "$encoder" 2>"$work/stderr" || { fail "no store: $(tail -n 3 "$work/stderr")"; finish; }

query="the 12 th post says that 156 is more than 84."
search() { "$temper" search "$work/store" "$query" --model "$encoder" --json "$@" >"$work/stdout" 2>"$work/stderr" || fail "search $*: $(tail -n 3 "$work/stderr")"; }
# check EXPRESSION: of the last answer, r, and its hits, h.
check() {
    tail -n 1 "$work/stdout" | python3 -c 'import json, sys
r = json.load(sys.stdin)
h = r["hits"]
assert eval(sys.argv[1]), json.dumps(r)[:600]' "$1" 2>"$work/stderr" || fail "$1: $(tail -n 1 "$work/stderr")"
}

search
check 'r["status"] == "done" and r["searched"] == 40 and len(h) == 10 and [x["rank"] for x in h] == list(range(1, 11))'
check 'h[0]["document"] == "p12" and h[0]["category"] == "post" and h[0]["score"] > 0.999 and h[0]["metadata"]["author"] == "a0"'
check 'all(a["score"] >= b["score"] for a, b in zip(h, h[1:]))'
cp "$work/stdout" "$work/first"
search --threads 1
cmp -s "$work/stdout" "$work/first" || fail "another answer on one thread"
search --top-k 100
check 'len(h) == 40'
search --category article --top-k 100
check 'r["searched"] == 10 and len(h) == 10 and all(x["category"] == "article" for x in h)'
search --category repository --category absent
check 'r["searched"] == 0 and h == []'
search --filter "author=a1|a2" --filter "date<2024-05" --top-k 100
check '0 < len(h) < 20 and all(x["metadata"]["author"] in ("a1", "a2") and x["metadata"]["date"] < "2024-05" for x in h)'
search --filter "year>=2015" --top-k 100
check 'len(h) == 6'
search --graph
check 'h[0]["document"] == "p12"'
search --rerank "$cross" --candidates 20 --top-k 5
check 'len(h) == 5 and all(a["rerank_score"] >= b["rerank_score"] for a, b in zip(h, h[1:]))'
"$temper" search "$work/store/categories/post/collection.h5" "$query" --model "$encoder" --top-k 1 2>/dev/null | grep -q 'post  p12#0' || fail "a collection alone, as text"

# Many questions at once: the same hits as of each alone
for i in $(seq 12); do echo "{\"id\": $i, \"query\": \"the $i th post says that $((i * 13)) is more than $((i * 7)).\"}"; done >"$work/queries.jsonl"
"$temper" search "$work/store" --input "$work/queries.jsonl" --output "$work/hits.jsonl" --model "$encoder" 2>"$work/stderr" || fail "rows: $(tail -n 3 "$work/stderr")"
grep -q "^search .* 100%" "$work/stderr" || fail "questions of a file show no progress: $(cat "$work/stderr")"
python3 - "$work/hits.jsonl" "$work/first" <<'PYTHON' || fail "hits of rows"
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])]
assert len(rows) == 12
for row in rows:  # among the equal: numbers that the vocabulary lacks are one token
    assert any(hit["document"] == f"p{row['id']}" and hit["score"] > 0.9999 for hit in row["hits"]), row
alone = json.loads(open(sys.argv[2]).read().splitlines()[-1])["hits"]
assert [hit["id"] for hit in rows[11]["hits"]] == [hit["id"] for hit in alone]
assert max(abs(hit["score"] - other["score"]) for hit, other in zip(rows[11]["hits"], alone)) < 1e-6
PYTHON
expect_exit 2 'either a QUERY or --input' "$temper" search "$work/store" --model "$encoder"
expect_exit 2 'put one in quotes' "$temper" search "$work/store" two words --model "$encoder"
expect_exit 2 'year>soon: found soon, expected one number or one date' "$temper" search "$work/store" x --model "$encoder" --filter 'year>soon'
expect_exit 2 'made by another model' "$temper" search "$work/store" x --model "$root/tests/goldens/encoders/distilbert_dense"
expect_exit 66 'no folder categories' "$temper" search "$work" x --model "$encoder"
expect_exit 66 'absent' "$temper" search "$work/store" x --model "$work/absent"
printf 'x' | dd of="$work/store/categories/post/collection.h5" bs=1 seek=5000 conv=notrunc status=none
expect_exit 65 'post/collection\.h5: its bytes are not those that its seal names' "$temper" search "$work/store" x --model "$encoder"
finish
