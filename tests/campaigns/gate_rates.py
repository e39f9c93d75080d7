#!/usr/bin/env python3
"""How often temper gate stops equal models, and truly worse ones: simulated evaluations as lm-eval writes them, judged on the command line.

Usage: gate_rates.py PATH_OF_TEMPER [PAIRS]     (200 pairs a row unless given)
       gate_rates.py --arithmetic [PAIRS]       (6,000 unless given: the gate's test in numpy, equal models alone)

Two tasks of N documents, of which the models know 70% and 50%; of 60% of the documents two models know the same. Both tasks are tested for
significance and share the rate of 5%. A row fails when equal models are stopped more often than that, beyond three standard errors.
"""
import json
import math
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ACCURACY = {"easy": 0.7, "hard": 0.5}
SHARED = 0.6
RATE = 0.05
RULES = f"false_alarm_rate: {RATE}\nrules:\n" + "".join(f"  - {{metric: {task}/acc, not_significantly_worse: true}}\n" for task in ACCURACY)


def write(folder, answers):
    folder.mkdir(parents=True)
    for task, right in answers.items():
        lines = [json.dumps({"doc_id": i, "doc_hash": str(i), "filter": "none", "acc": float(r)}) for i, r in enumerate(right)]
        (folder / f"samples_{task}.jsonl").write_text("\n".join(lines) + "\n")
    results = {task: {"acc,none": sum(right) / len(right)} for task, right in answers.items()}
    (folder / "results.json").write_text(json.dumps({"results": results, "higher_is_better": {task: {"acc": True} for task in results}}))


def judge(temper, documents, drop, seed):
    rng = random.Random(f"{documents} {drop} {seed}")
    models = [{}, {}]
    for task, accuracy in ACCURACY.items():
        rows = []
        for _ in range(documents):
            first = rng.random()
            second = first if rng.random() < SHARED else rng.random()
            rows.append((first < accuracy, second < accuracy - drop))
        models[0][task], models[1][task] = zip(*rows)
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        write(work / "baseline", models[0])
        write(work / "record", models[1])
        (work / "gate.yaml").write_text(RULES)
        done = subprocess.run([temper, "gate", "--record", work / "record", "--baseline", work / "baseline", "--rules", work / "gate.yaml", "--json"],
                              capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise RuntimeError(done.stderr)
    drops = [check["detectable_drop"] for check in json.loads(done.stdout.splitlines()[-1])["checks"] if check.get("detectable_drop") is not None]
    return done.returncode == 3, sum(drops) / len(drops)


def p_worse(wins, losses, documents, rng, resamples=10000):
    """runs/bootstrap.cpp's compare_pairs() of differences that are 1, -1 or 0: a resample's counts are a draw of a multinomial distribution."""
    mean = (wins - losses) / documents
    counts = rng.multinomial(documents, [wins / documents, losses / documents, 1 - (wins + losses) / documents], size=resamples)
    deviations = math.sqrt(documents / (documents - 1)) * ((counts[:, 0] - counts[:, 1]) / documents - mean)
    return ((deviations <= mean + 1e-12 * abs(mean)).sum() + 1) / (resamples + 1)


def p_worse_of_values(differences, rng, resamples=2000):
    """The same of any differences: below 50 of them by signs drawn at random, else by the bootstrap."""
    rows, total = len(differences), differences.sum()
    if rows < 50:
        sums = (rng.integers(0, 2, (resamples, rows)) * 2 - 1) @ differences
        return ((sums <= total + 1e-9 * abs(total)).sum() + 1) / (resamples + 1)
    means = differences[rng.integers(0, rows, (resamples, rows))].mean(1)
    return ((math.sqrt(rows / (rows - 1)) * (means - total / rows) <= total / rows).sum() + 1) / (resamples + 1)


def arithmetic(pairs):
    import numpy
    rng = numpy.random.default_rng(0)
    for documents in (100, 400, 1600):
        stopped = 0
        for _ in range(pairs):
            ps = []
            for accuracy in ACCURACY.values():
                first = rng.random(documents)
                second = numpy.where(rng.random(documents) < SHARED, first, rng.random(documents))
                wins, losses = int(((second < accuracy) & (first >= accuracy)).sum()), int(((first < accuracy) & (second >= accuracy)).sum())
                ps.append(p_worse(wins, losses, documents, rng))
            stopped += min(ps) <= RATE / len(ACCURACY)
        print(f"{documents} documents: {100 * stopped / pairs:.2f}% of {pairs} equal pairs stopped", flush=True)
    rng = numpy.random.default_rng(0)
    for documents in (5, 10, 20, 50):
        worse = sum(p_worse_of_values(rng.normal(size=documents), rng) <= RATE for _ in range(pairs))
        print(f"{documents} documents with continuous values: {100 * worse / pairs:.2f}% of {pairs} tests of equal pairs fail", flush=True)


def main():
    if sys.argv[1] == "--arithmetic":
        return arithmetic(int(sys.argv[2]) if len(sys.argv) > 2 else 6000)
    temper, pairs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
    failed = False
    print("| Documents of each task | Equal models stopped | `detectable_drop` | Stopped when worse by that | by 3 points | by 10 points |\n|---:|---:|---:|---:|---:|---:|")
    with ThreadPoolExecutor(2) as pool:
        for documents in (100, 400, 1600):
            def share(drop):
                found = list(pool.map(lambda seed: judge(temper, documents, drop, seed), range(pairs)))
                return sum(stopped for stopped, _ in found) / pairs, sum(d for _, d in found) / pairs
            alarms, detectable = share(0.0)
            failed |= alarms > RATE + 3 * math.sqrt(RATE * (1 - RATE) / pairs)
            power = share(detectable)[0]
            failed |= power < 0.8 - 3 * math.sqrt(0.16 / pairs)
            print(f"| {documents} | {100 * alarms:.1f}% | {100 * detectable:.1f} points | {100 * power:.0f}% | {100 * share(0.03)[0]:.0f}% | {100 * share(0.1)[0]:.0f}% |", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
