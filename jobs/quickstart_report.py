"""Prints base, SFT and SFT + DPO side by side: an example's answers, scores on the held-out messages, and the held-out pairs of the DPO run.

    python3 jobs/quickstart_report.py RUN      RUN is the DPO run; RUN/quickstart holds {base,sft,dpo}.jsonl and {base,sft,dpo}.scores.json
"""

import json
import math
import sys
from pathlib import Path

MODELS = {"base": "base", "sft": "SFT", "dpo": "SFT + DPO"}
METRICS = {"json_fields": "fields right", "exact_match": "whole ticket right"}


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def one_line(text, width=120):
    text = " ".join(text.split())
    return text if len(text) <= width else text[:width - 1] + "…"


def right(row):
    return row["prediction"].strip() == row["reference"].strip()


def paired_gain(before, after):
    """Rows right after less rows right before, as a share, and its standard error: the two answer the same messages."""
    differences = [right(b) - right(a) for a, b in zip(before, after)]
    n, mean = len(differences), sum(differences) / len(differences)
    return mean, math.sqrt(sum((d - mean) ** 2 for d in differences) / (n * (n - 1)))


def print_examples(answers):
    """The first message, and the first one after it that DPO made right or wrong."""
    later = range(1, len(answers["sft"]))
    for i in (0, min(later, key=lambda i: (right(answers["sft"][i]) == right(answers["dpo"][i]), i))):
        print(f"message      {one_line(answers['base'][i]['prompt'][-1]['content'])}")
        for name, title in MODELS.items():
            print(f"  {title:<9}  {one_line(answers[name][i]['prediction'])}")
        print()


def print_scores(folder, answers):
    n = len(answers["dpo"])
    scores = {name: read(folder / f"{name}.scores.json") for name in MODELS}
    print(f"{f'{n} held-out messages':<22}" + "".join(f"  {title:>9}" for title in MODELS.values()))
    for metric, title in METRICS.items():
        print(f"{title:<22}" + "".join(f"  {100 * scores[name][metric]:8.1f}%" for name in MODELS))
    shares = [scores[name]["exact_match"] for name in MODELS]
    print(f"{'  standard error':<22}" + "".join(f"  {100 * math.sqrt(p * (1 - p) / (n - 1)):9.1f}" for p in shares))
    gain, error = paired_gain(answers["sft"], answers["dpo"])
    print(f"whole tickets, SFT + DPO less SFT: {100 * gain:+.1f} points, standard error {100 * error:.1f} (the same messages)")


def print_pairs(record):
    """Before the first step both models are one, every reward is 0 and no pair is told apart: half of them is what chance gives."""
    metrics = record["metrics"]
    share, error = metrics["eval_rewards/accuracies"], metrics["eval_rewards/accuracies_stderr"]
    print(f"held-out pairs whose right ticket gained more than the wrong one: {100 * share:.1f}%, standard error {100 * error:.1f} (chance: 50%)")


def main():
    run = Path(sys.argv[1])
    folder = run / "quickstart"
    answers = {name: rows(folder / f"{name}.jsonl") for name in MODELS}
    print_examples(answers)
    print_scores(folder, answers)
    print_pairs(read(run / "run.json"))


if __name__ == "__main__":
    main()
