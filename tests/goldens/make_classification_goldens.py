"""Writes lists of classes with what scikit-learn makes of them.

    python3 make_classification_goldens.py [CASES [FILE]]      60 cases into classification.json beside this file
"""

import json
import random
import sys
import warnings
from pathlib import Path

import sklearn
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

NAMES = ["billing", "network", "other", "a", "b", "Ünïcode", "two words", "0", "1", "10", "9", "yes", "no"]


def case(rng, index):
    labels = rng.sample(NAMES, rng.randrange(1, 8))
    rows = rng.choice([1, 2, 5, 30, 200])
    truth = [rng.choice(labels) for _ in range(rows)]
    skill = rng.random()
    others = labels + rng.sample(NAMES, 2)  # a prediction may be a class that no row has
    predicted = [t if rng.random() < skill else rng.choice(others) for t in truth]
    values = {"accuracy": accuracy_score(truth, predicted)}
    averages = {"macro": {}, "micro": {}, "weighted": {}}
    positive = rng.choice(labels)
    for average in averages:
        parts = precision_recall_fscore_support(truth, predicted, average=average, zero_division=0)
        values.update({f"{part}_{average}": float(value) for part, value in zip(("precision", "recall", "f1"), parts)})
    of_class = precision_recall_fscore_support([t == positive for t in truth], [p == positive for p in predicted], average="binary", pos_label=True, zero_division=0)
    values.update({f"{part}_binary": float(value) for part, value in zip(("precision", "recall", "f1"), of_class)})
    return {"truth": truth, "predicted": predicted, "positive": positive, "values": values}


def main():
    warnings.simplefilter("ignore")
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    file = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "classification.json"
    rng = random.Random(11)
    golden = {"versions": {"scikit-learn": sklearn.__version__}, "tolerance": 1e-12, "cases": [case(rng, i) for i in range(cases)]}
    file.write_text(json.dumps(golden, ensure_ascii=False) + "\n", encoding="utf-8")


main()
