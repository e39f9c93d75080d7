"""Prints base, SFT and SFT + DPO side by side: an example's answers, scores on the held-out messages, and the held-out pairs of the DPO run.

    python3 jobs/quickstart_report.py RUN EVALUATION      the directories of the DPO run, and of temper eval on jobs/tickets_eval.yaml
"""

import json
import math
import sys
from pathlib import Path

MODELS = {"base": "base", "sft": "SFT", "dpo": "SFT + DPO"}
METRICS = {"json_fields": "fields right", "exact_match": "whole ticket right", "check/ticket": "a ticket by its form"}


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def one_line(text, width=120):
    text = " ".join(text.split())
    return text if len(text) <= width else text[:width - 1] + "…"


def right(row):
    return row["exact_match"] == 1


def paired_gain(before, after):
    """Rows right after less rows right before, as a share, and its standard error: the two answer the same messages."""
    differences = [right(b) - right(a) for a, b in zip(before, after)]
    n, mean = len(differences), sum(differences) / len(differences)
    return mean, math.sqrt(sum((d - mean) ** 2 for d in differences) / (n * (n - 1)))


def print_examples(answers):
    """The first message, and the first one after it that DPO made right or wrong."""
    later = range(1, len(answers["sft"]))
    for i in (0, min(later, key=lambda i: (right(answers["sft"][i]) == right(answers["dpo"][i]), i))):
        print(f"message      {one_line(answers['base'][i]['doc']['prompt'][-1]['content'])}")
        for name, title in MODELS.items():
            print(f"  {title:<9}  {one_line(answers[name][i]['filtered_resps'][0])}")
        print()


def percent(interval):
    return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def print_scores(comparison, answers):
    n, metrics = len(answers["dpo"]), comparison["sets"]["tickets"]["metrics"]
    print(f"{f'{n} held-out messages':<22}" + "".join(f"  {title:>13}" for title in MODELS.values()))
    for metric, title in METRICS.items():
        values = [metrics[metric]["systems"][name] for name in MODELS]
        print(f"{title:<22}" + "".join(f"  {100 * value['value']:12.1f}%" for value in values))
        print(f"{'  95% interval':<22}" + "".join(f"  {percent(value['interval']):>13}" for value in values))
    shares = [metrics["exact_match"]["systems"][name]["value"] for name in MODELS]
    print(f"{'  standard error':<22}" + "".join(f"  {100 * math.sqrt(p * (1 - p) / (n - 1)):13.1f}" for p in shares) + "  (whole ticket)")
    for name in ("sft", "dpo"):
        value = metrics["exact_match"]["systems"][name]
        print(f"whole tickets, {MODELS[name]} less base: {100 * value['difference']:+.1f} points, 95% interval {percent(value['difference_interval'])}, "
              f"p {value['p_value']:.3f}")
    gain, error = paired_gain(answers["sft"], answers["dpo"])
    print(f"whole tickets, SFT + DPO less SFT: {100 * gain:+.1f} points, standard error {100 * error:.1f} (the same messages)")


def print_pairs(record):
    """Before the first step both models are one, every reward is 0 and no pair is told apart: half of them is what chance gives."""
    metrics = record["metrics"]
    share, error = metrics["eval_rewards/accuracies"], metrics["eval_rewards/accuracies_stderr"]
    print(f"held-out pairs whose right ticket gained more than the wrong one: {100 * share:.1f}%, standard error {100 * error:.1f} (chance: 50%)")


def main():
    run, evaluation = Path(sys.argv[1]), Path(sys.argv[2]) / "eval"
    answers = {name: rows(evaluation / name / "samples_tickets.jsonl") for name in MODELS}
    print_examples(answers)
    print_scores(read(evaluation / "comparison.json"), answers)
    print_pairs(read(run / "run.json"))


if __name__ == "__main__":
    main()
