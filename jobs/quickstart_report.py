"""Prints base against tuned: scores, gain, and three held-out messages with both answers.

    python3 jobs/quickstart_report.py DIR      DIR holds {base,tuned}.jsonl and {base,tuned}.scores.json
"""

import json
import sys
from pathlib import Path

METRICS = {"json_fields": "fields right", "exact_match": "whole ticket right"}


def scores(path):
    record = json.loads(path.read_text())
    return {name: 100 * float(record.get("metrics", record)[name]) for name in METRICS}


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def one_line(text, width=120):
    text = " ".join(text.split())
    return text if len(text) <= width else text[:width - 1] + "…"


def main():
    folder = Path(sys.argv[1])
    base, tuned = (rows(folder / f"{name}.jsonl") for name in ("base", "tuned"))
    before, after = (scores(folder / f"{name}.scores.json") for name in ("base", "tuned"))
    for a, b in list(zip(base, tuned))[:3]:
        print(f"message  {one_line(a['prompt'][-1]['content'])}")
        print(f"  base   {one_line(a['prediction'])}")
        print(f"  tuned  {one_line(b['prediction'])}\n")
    print(f"{f'{len(tuned)} held-out messages':<22}  {'base':>7}  {'tuned':>7}  {'gain':>6}")
    for name, title in METRICS.items():
        print(f"{title:<22}  {before[name]:6.1f}%  {after[name]:6.1f}%  {after[name] - before[name]:+6.1f}")


if __name__ == "__main__":
    main()
