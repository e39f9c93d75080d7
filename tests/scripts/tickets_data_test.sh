#!/bin/bash
# The shipped data is what its generator writes, and no held-out message stands in the training files.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
command -v python3 >/dev/null || { echo "skipped: no python3"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHONDONTWRITEBYTECODE=1 python3 "$root/jobs/data/make_tickets.py" "$work"
for name in train heldout pairs; do
    cmp "$work/tickets_$name.jsonl" "$root/jobs/data/tickets_$name.jsonl"
done
python3 - "$work" <<'PY'
import json, sys
read = lambda name: [json.loads(line) for line in open(f"{sys.argv[1]}/tickets_{name}.jsonl", encoding="utf-8")]
rows = {name: read(name) for name in ("train", "heldout", "pairs")}
message = lambda row: row["prompt"][-1]["content"]
held_out = {message(row) for row in rows["heldout"]}
assert len(rows["train"]) >= 1500 and len(held_out) == len(rows["heldout"]) == 200 and len(rows["pairs"]) >= 400
assert not held_out & {message(row) for name in ("train", "pairs") for row in rows[name]}
products = {name: {json.loads(row["completion"][0]["content"])["product"] for row in rows[name]} for name in ("train", "heldout")}
assert not products["train"] & products["heldout"]
assert all(row["chosen"] != row["rejected"] for row in rows["pairs"])
PY
