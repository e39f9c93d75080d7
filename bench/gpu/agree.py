"""Whether two runs agree step by step: agree.py RUN OTHER LOSS NORM, the bounds of the loss (relative above 1) and, relative, of the gradient norm."""
import json
import sys


def steps(run):
    with open(run + "/metrics.jsonl", encoding="utf-8") as file:
        return [row for row in map(json.loads, file) if "loss" in row]


def main():
    ours, theirs = steps(sys.argv[1]), steps(sys.argv[2])
    bounds = list(map(float, sys.argv[3:5]))
    if len(ours) != len(theirs) or not ours:
        sys.exit(f"{len(ours)} and {len(theirs)} steps")
    loss = [abs(a["loss"] - b["loss"]) / max(1.0, abs(b["loss"])) for a, b in zip(ours, theirs)]
    norm = [abs(a["grad_norm"] - b["grad_norm"]) / b["grad_norm"] for a, b in zip(ours, theirs)]
    print(f"{len(ours)} steps: loss apart by at most {max(loss):.1e}, gradient norm by {max(norm):.1e}")
    # NaN is within no bound.
    sys.exit(not (all(x <= bounds[0] for x in loss) and all(x <= bounds[1] for x in norm)))


main()
