#!/usr/bin/env bash
# temper score by local models: perplexity and semantic similarity as transformers and sentence-transformers give them.
. "$(dirname "$0")/common.sh"
golden=$root/tests/goldens/model_metrics.jsonl
grep -v '^{"all"' "$golden" >"$work/rows.jsonl"
"$temper" score --predictions "$work/rows.jsonl" --metrics perplexity,semantic_similarity --language-model "$model" --encoder "$root/tests/goldens/encoders/bert" \
    --rows "$work/values.jsonl" --json >"$work/stdout" 2>"$work/stderr" || fail "score: $(tail -n 3 "$work/stderr")"
python3 - "$golden" "$work/values.jsonl" "$work/stdout" <<'PYTHON' || fail "values"
import json, math, sys
golden, values = ([json.loads(line) for line in open(path, encoding="utf-8")] for path in sys.argv[1:3])
result, summary = json.loads(open(sys.argv[3]).read().splitlines()[-1]), golden.pop()["all"]
assert len(golden) == len(values) >= 7
for expected, found in [*zip(golden, values), (summary, result)]:
    for name in ("perplexity", "semantic_similarity"):
        assert math.isclose(found[name], expected[name], rel_tol=summary["tolerance"], abs_tol=summary["tolerance"]), (name, found, expected)
assert result["intervals"]["perplexity"][0] < result["perplexity"] < result["intervals"]["perplexity"][1]
PYTHON
# Perplexity alone needs no reference.
printf '{"prediction": "order two lamps"}\n' >"$work/alone.jsonl"
"$temper" score --predictions "$work/alone.jsonl" --metrics perplexity --language-model "$model" >"$work/stdout" 2>"$work/stderr" || fail "alone: $(tail -n 3 "$work/stderr")"
expect_exit 2 'semantic_similarity: by which encoder' "$temper" score --predictions "$work/rows.jsonl" --metrics semantic_similarity
expect_exit 2 'perplexity: of which model' "$temper" score --predictions "$work/rows.jsonl" --metrics perplexity
expect_exit 2 'f1_binary: which class' "$temper" score --predictions "$work/rows.jsonl" --metrics f1_binary
printf '{"prediction": ""}\n' >"$work/empty.jsonl"
expect_exit 65 'empty\.jsonl:1: .*no token' "$temper" score --predictions "$work/empty.jsonl" --metrics perplexity --language-model "$model"
# Classes
printf '{"prediction": "%s", "reference": "%s"}\n' a a b a a b c c >"$work/classes.jsonl"
"$temper" score --predictions "$work/classes.jsonl" --metrics accuracy,f1_macro,recall_binary --positive-label a --json 2>/dev/null | tail -n 1 |
    python3 -c 'import json, sys; r = json.load(sys.stdin); assert r["accuracy"] == .5 and abs(r["f1_macro"] - .5) < 1e-12 and r["recall_binary"] == .5, r' || fail "classes"
finish
