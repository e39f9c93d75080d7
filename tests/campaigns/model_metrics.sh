#!/bin/bash
# Perplexity and semantic similarity by real models beside transformers and sentence-transformers:  model_metrics.sh TEMPER MODEL ENCODER [ROWS=200]
# ${PYTHON:-python3} has torch, transformers and sentence-transformers.
set -euo pipefail
temper=$(realpath "$1") model=$(realpath "$2") encoder=$(realpath "$3") rows=${4:-200}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
head -n "${rows#ROWS=}" "$root/jobs/data/tickets_train.jsonl" | "${PYTHON:-python3}" -c '
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps({"prediction": row["prompt"][-1]["content"], "reference": [row["completion"][0]["content"], row["prompt"][0]["content"]]}))' >"$work/rows.jsonl"
"${PYTHON:-python3}" "$root/tests/goldens/make_model_metric_goldens.py" "$model" "$encoder" "$work/rows.jsonl" >"$work/golden.jsonl"
"$temper" score --predictions "$work/rows.jsonl" --metrics perplexity,semantic_similarity --language-model "$model" --encoder "$encoder" --rows "$work/values.jsonl" --json |
    tail -n 1 >"$work/result.json"
"${PYTHON:-python3}" - "$work" <<'PYTHON'
import json, sys
read = lambda name: [json.loads(line) for line in open(f"{sys.argv[1]}/{name}", encoding="utf-8")]
golden, values, result = read("golden.jsonl"), read("values.jsonl"), read("result.json")[0]
summary = golden.pop()["all"]
for name in ("perplexity", "semantic_similarity"):
    worst = max(abs(found[name] / expected[name] - 1) for expected, found in zip(golden, values))
    print(f"{name}: {result[name]:.6f}, {summary[name]:.6f} by the reference; {len(golden)} rows, the largest relative difference {worst:.2e}")
    assert len(golden) == len(values) and worst < 1e-3
PYTHON
