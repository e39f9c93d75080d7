"""Compares a run of `temper eval` with what lm-evaluation-harness found.     compare_eval.py RUN_DIR GOLDEN.json"""

import json
import math
import sys
from pathlib import Path

run, golden = Path(sys.argv[1]) / "eval", json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
found = json.loads((run / "results.json").read_text(encoding="utf-8"))
faults = []


def as_text(value):
    return [as_text(item) for item in value] if isinstance(value, list) else str(value)


def logged(sample):
    """A sample as the reference writes it into a file."""
    arguments = {f"gen_args_{i}": {f"arg_{j}": part for j, part in enumerate(one)} for i, one in enumerate(sample["arguments"])}
    texts = {key: as_text(sample[key]) for key in ("resps", "filtered_resps")}
    return {**sample, **texts, "arguments": arguments, "target": str(sample["target"])}


def close(a, b, tolerance):
    return math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)


def compare(place, ours, theirs, tolerance):
    """Numbers within the tolerance, loglikelihoods (written as text, too), all else equal."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in theirs:
            if key not in ours:
                faults.append(f"{place}: no {key}")
            else:
                compare(f"{place}.{key}", ours[key], theirs[key], tolerance)
    elif isinstance(theirs, list) and isinstance(ours, list) and len(ours) == len(theirs):
        for i, (a, b) in enumerate(zip(ours, theirs)):
            compare(f"{place}[{i}]", a, b, tolerance)
    elif isinstance(theirs, (int, float)) and isinstance(ours, (int, float)):
        if not close(ours, theirs, tolerance):
            faults.append(f"{place}: {ours}, expected {theirs}")
    elif isinstance(theirs, str) and isinstance(ours, str) and theirs != ours:
        try:
            same = close(float(ours), float(theirs), golden["tolerance"]["loglikelihood"])
        except ValueError:
            same = False
        if not same:
            faults.append(f"{place}: {ours!r}, expected {theirs!r}")
    elif theirs != ours:
        faults.append(f"{place}: {ours!r}, expected {theirs!r}")


soft = ("perplexity", "bits_per_byte", "brier_score")
for task, values in golden["results"].items():
    for key, value in values.items():
        if key == "sample_count" or key not in found["results"].get(task, {}):
            if key != "sample_count":
                faults.append(f"{task}: no {key}")
            continue
        tolerance = 1e-4 if any(name in key for name in soft) else golden["tolerance"]["value"]
        compare(f"{task} {key}", found["results"][task][key], value, tolerance)
for field in ("n-shot", "n-samples", "groups"):
    for task, value in golden.get(field, {}).items():
        if field == "n-shot" and task not in found[field]:
            continue  # groups
        compare(f"{field} {task}", found[field][task], value, 1e-6)
for task, samples in golden["samples"].items():
    ours = [json.loads(line) for line in (run / f"samples_{task}.jsonl").read_text(encoding="utf-8").splitlines()]
    if len(ours) != len(samples):
        faults.append(f"{task}: {len(ours)} samples, expected {len(samples)}")
    for a, b in zip(ours, map(logged, samples)):
        compare(f"{task} document {b['doc_id']} {b['filter']}", a, b, golden["tolerance"]["loglikelihood"])
print(f"{sum(map(len, golden['samples'].values()))} samples of {len(golden['samples'])} tasks compared, {len(faults)} differ")
for fault in faults[:20]:
    print(fault[:600])
sys.exit(bool(faults))
