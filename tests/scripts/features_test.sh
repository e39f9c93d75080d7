#!/bin/bash
# The feature pipeline as a job: folders, rows and pages of a local server to a store; again, changed, killed, and with what is wrong.
source "$(dirname "$0")/common.sh"
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }

# Pages, from a server on a free port of this machine.
mkdir -p "$work/site" "$work/docs/src"
for i in 1 2 3; do
    echo "<html><head><title>Page $i</title></head><body><nav>Menu</nav><main><h1>Page $i</h1><p>The text of page $i says what number $i says.</p></main></body></html>" \
        >"$work/site/page$i.html"
done
printf 'User-agent: *\nDisallow: /page3\n' >"$work/site/robots.txt"
stand_in pages page_server.py "$work/site"
for i in 1 2 3; do echo "http://127.0.0.1:$port/page$i.html"; done >"$work/pages.urls"

printf '# Guide\n\nHow to begin. Then how to go on.\n\n## Second part\n\nMore of it.\n' >"$work/docs/guide.md"
printf 'def f():\n    return 1\n' >"$work/docs/src/f.py"
echo '*.log' >"$work/docs/.gitignore"
echo 'not read' >"$work/docs/build.log"
for i in $(seq 40); do
    echo "{\"_id\": {\"\$oid\": \"id$i\"}, \"content\": \"Post number $i speaks of subject $((i * 7)) and of nothing else, $i times.\", \"author\": \"a$((i % 3))\"}"
done >"$work/posts.jsonl"
sed -n 1p "$work/posts.jsonl" | sed 's/id1/copy/' >>"$work/posts.jsonl"
cat >"$work/features.yaml" <<CONFIG
model: $root/tests/goldens/encoders/bert
store: $work/store
output_dir: $work/runs
categories: [repository]
sources:
  - {path: $work/docs, category: article}
  - {path: $work/posts.jsonl, category: post}
  - {path: $work/pages.urls, category: page}
chunking: {chunk_tokens: 24, overlap_tokens: 6}   # the model reads 22
duplicates: {near: false}
fetch: {seconds_between: 0}
embedding: {batch_chunks: 4, part_chunks: 8}
CONFIG

# metric NAME: a number of the last JSON line.
metric() { tail -n 1 "$work/stdout" | python3 -c 'import json, sys
value = json.load(sys.stdin)
for key in sys.argv[1].split("."): value = value[key]
print(value)' "$1"; }
expect() { [ "$(metric "$1")" = "$2" ] || fail "$1 is $(metric "$1"), expected $2: $(tail -n 1 "$work/stdout")"; }
features() { expect_exit 0 "" "$temper" features "$work/features.yaml" "$@" --json; }
sums() { (cd "$work/store/categories" && sha256sum */collection.h5 */documents.jsonl); }

features
expect status finished
expect metrics.documents 45
expect metrics.duplicates 1
expect metrics.categories.article.documents 2
expect metrics.categories.page.documents 2
expect metrics.categories.repository.chunks 0
expect metrics.passed_over "{'robots.txt': 1}"
expect metrics.indexed "$(metric metrics.chunks)"
expect metrics.embedded "$(metric metrics.chunks)"
first=$(sums)
grep -q 'The text of page 1' "$work/store/categories/page/documents.jsonl" || fail "the cleaned page is not there"
grep -q 'Menu' "$work/store/categories/page/documents.jsonl" && fail "the page's menu is in its text"
python3 - "$(newest_run "$work/runs")/run.json" <<'PYTHON' || fail "the run's record"
import json, sys
stages = json.load(open(sys.argv[1]))["stages"]
assert [stage["name"] for stage in stages][:3] == ["read", "load", "article"] and {stage["status"] for stage in stages} == {"finished"}, stages
PYTHON

features
expect metrics.embedded 0
[ "$(sums)" = "$first" ] || fail "a run without changes changed the store"

# A changed page, a document more and one less.
sleep 1
sed -i 's/says what number 2 says/has changed/' "$work/site/page2.html"
echo '{"_id": "new", "content": "A post that was not there before."}' >>"$work/posts.jsonl"
rm "$work/docs/src/f.py"
features
expect metrics.categories.article.documents 1
expect metrics.categories.post.documents 42
embedded=$(metric metrics.embedded)
[ "$embedded" -ge 2 ] && [ "$embedded" -le 12 ] || fail "$embedded chunks embedded, expected those of the two changed documents"
grep -q 'has changed' "$work/store/categories/page/documents.jsonl" || fail "the changed page was not loaded"

# Killed at any moment, and run again: the same store as undisturbed.
undisturbed=$(sums)
for wait in 0.01 0.03 0.06 0.1 0.15 0.25; do
    [ "$wait" = 0.01 ] && rm -rf "$work/store/categories"
    "$temper" features "$work/features.yaml" >/dev/null 2>&1 &
    job=$!
    sleep "$wait"
    kill -KILL "$job" 2>/dev/null
    wait "$job" 2>/dev/null
done
"$temper" features "$work/features.yaml" >/dev/null 2>&1 &
job=$!
sleep 0.05
kill -TERM "$job" 2>/dev/null
wait "$job"
code=$?
[ "$code" -eq 75 ] || [ "$code" -eq 0 ] || [ "$code" -eq 143 ] || fail "exit $code after SIGTERM, expected 75"  # 143: before signals were watched
features
[ "$(sums)" = "$undisturbed" ] || fail "a killed and repeated run made another store"

# What cannot be read, or has no text, is listed with its place; the store keeps what it had of a file that is cut off.
cp "$work/posts.jsonl" "$work/whole.jsonl"
gzip -c "$work/whole.jsonl" >"$work/posts.jsonl.gz"
sed -i "s/posts.jsonl,/posts.jsonl.gz,/" "$work/features.yaml"
features
expect metrics.categories.post.documents 42
truncate -s 30 "$work/posts.jsonl.gz"
echo '<!-- nothing -->' >"$work/docs/empty.md"
features
expect metrics.rejected 1
expect metrics.empty 1
expect metrics.kept 41 # one was a duplicate
expect metrics.categories.post.indexed "$(metric metrics.categories.post.chunks)"
python3 - "$work" <<'PYTHON' || fail "rejected.jsonl: $(cat "$work/store/rejected.jsonl")"
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1] + "/store/rejected.jsonl")]
assert [row["place"].removeprefix(sys.argv[1]) for row in rows][0] == "/docs/empty.md", rows
assert "ends early" in rows[1]["reason"] and rows[1]["place"].startswith(sys.argv[1] + "/posts.jsonl.gz"), rows
PYTHON
rm "$work/docs/empty.md"
gzip -c "$work/whole.jsonl" >"$work/posts.jsonl.gz"
features
expect metrics.kept 0

# Status, of the configuration and of the directory.
"$temper" features status "$work/features.yaml" --json >"$work/stdout" || fail "no status of the configuration"
expect total.indexed "$(metric total.chunks)"
expect categories.repository.documents 0
"$temper" features status "$work/store" >"$work/stdout" || fail "no status of the store"
grep -q '^post ' "$work/stdout" || fail "no row of the posts in the status"

# What is wrong is named.
expect_exit 2 "did you mean.*overlap_tokens|nearest.*overlap_tokens|overlap_tokens" "$temper" features "$work/features.yaml" overlap_token=3
expect_exit 66 "nowhere" "$temper" features status "$work/nowhere.yaml"
expect_exit 66 "no such file" "$temper" features "$work/features.yaml" "sources=[$work/nowhere]"
expect_exit 2 "CONFIG.yaml" "$temper" features
finish
