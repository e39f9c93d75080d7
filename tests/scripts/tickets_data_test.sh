#!/bin/bash
# The shipped data is what its generator writes, and no held-out message stands in the training files.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHONDONTWRITEBYTECODE=1 python3 "$root/jobs/data/make_tickets.py" "$work"
for name in train heldout pairs pairs_heldout; do
    cmp "$work/tickets_$name.jsonl" "$root/jobs/data/tickets_$name.jsonl"
done
python3 - "$work" <<'PY'
import json, sys
read = lambda name: [json.loads(line) for line in open(f"{sys.argv[1]}/tickets_{name}.jsonl", encoding="utf-8")]
rows = {name: read(name) for name in ("train", "heldout", "pairs", "pairs_heldout")}
message = lambda row: row["prompt"][-1]["content"]
held_out = {message(row) for row in rows["heldout"]}
assert len(rows["train"]) >= 1500 and len(held_out) == len(rows["heldout"]) == 200 and len(rows["pairs"]) >= 200 and len(rows["pairs_heldout"]) >= 50
assert not held_out & {message(row) for name in ("train", "pairs", "pairs_heldout") for row in rows[name]}
products = {name: {json.loads(row["completion"][0]["content"])["product"] for row in rows[name]} for name in ("train", "heldout")}
assert not products["train"] & products["heldout"]
seen_pairs = {message(row) for row in rows["train"] + rows["pairs"]}
assert len(seen_pairs) == len(rows["train"]) + len(rows["pairs"]) and not seen_pairs & {message(row) for row in rows["pairs_heldout"]}
right = lambda row: set(json.loads(row["chosen"][0]["content"])) == {"intent", "product", "quantity", "order_id", "urgency", "city"}
for name in ("pairs", "pairs_heldout"):
    assert all(right(row) and row["chosen"] != row["rejected"] for row in rows[name]), name
def values(row):
    try:
        return json.loads(row["rejected"][0]["content"])
    except ValueError:
        return None
read = [values(row) for row in rows["pairs"]]
one_field = sum(v is not None and len(v) == 6 for v in read)
assert one_field >= 0.7 * len(read) and None in read and any(v and len(v) == 5 for v in read) and any(v and len(v) == 7 for v in read)
products["pairs"] = {json.loads(row["chosen"][0]["content"])["product"] for row in rows["pairs"]}
assert not products["pairs"] & products["heldout"]
PY
