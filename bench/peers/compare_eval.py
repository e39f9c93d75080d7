"""temper eval beside lm-evaluation-harness on one multiple-choice task: 100 documents of four choices, some 40 tokens a request.

    python3 compare_eval.py TEMPER MODEL [--rounds 3] [--dtype float32] [--batch-size 16] [--threads 2]

In turns; of temper the whole command counts, of lm-evaluation-harness the evaluation alone, with the model loaded. Loglikelihoods are compared:
to 1e-3 in float32, to 2% in bfloat16, where both round. Needs lm_eval 0.4.13 and torch.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = "the ship sails past a small harbour where engines burn old paper and winter light falls on a river of letters".split()

PEER = """
import json, sys, time, os
import torch
torch.set_num_threads(int(sys.argv[5]))
import lm_eval
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
os.chdir(sys.argv[1])
model = HFLM(pretrained=sys.argv[2], dtype=sys.argv[3], device="cpu", batch_size=int(sys.argv[4]))
manager = TaskManager(include_path=".", include_defaults=False)
begin = time.perf_counter()
found = lm_eval.simple_evaluate(model=model, tasks=["peer_choice"], task_manager=manager, log_samples=True)
seconds = time.perf_counter() - begin
sums = [float(r[0][0]) for sample in found["samples"]["peer_choice"] for r in sample["resps"]]
print(json.dumps({"seconds": seconds, "acc": found["results"]["peer_choice"]["acc,none"], "sums": sums}))
"""


def write_task(folder):
    rng = random.Random(5)
    text = lambda n: " ".join(rng.choice(WORDS) for _ in range(n))
    with open(folder / "docs.jsonl", "w", encoding="utf-8") as out:
        for _ in range(100):
            out.write(json.dumps({"q": text(24), "choices": [text(rng.randrange(4, 9)) for _ in range(4)], "gold": rng.randrange(4)}) + "\n")
    (folder / "task.yaml").write_text(
        'task: peer_choice\ndataset_path: json\ndataset_kwargs: {data_files: {test: docs.jsonl}}\noutput_type: multiple_choice\ntest_split: test\n'
        'doc_to_text: "Question: {{q}}?\\nAnswer:"\ndoc_to_choice: choices\ndoc_to_target: gold\nmetadata: {version: 1.0}\n', encoding="utf-8")


def run_peer(folder, a):
    env = dict(os.environ, HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", OMP_NUM_THREADS=str(a.threads), TOKENIZERS_PARALLELISM="false")
    out = subprocess.run([sys.executable, "-c", PEER, str(folder), a.model, a.dtype, str(a.batch_size), str(a.threads)], env=env, check=True, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    return json.loads(out.strip().splitlines()[-1])


def run_temper(folder, a, number):
    begin = time.perf_counter()
    out = subprocess.run([a.temper, "eval", "--model", a.model, "--tasks", str(folder / "task.yaml"), "--dtype", a.dtype, "--threads", str(a.threads),
                          "--output-dir", str(folder / f"runs{number}"), "--json"], check=True, text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL).stdout
    seconds = time.perf_counter() - begin
    run = Path(json.loads(out.strip().splitlines()[-1])["run_dir"])
    samples = [json.loads(line) for line in open(run / "eval" / "samples_peer_choice.jsonl", encoding="utf-8")]
    results = json.loads((run / "eval" / "results.json").read_text(encoding="utf-8"))
    return {"seconds": seconds, "acc": results["results"]["peer_choice"]["acc,none"], "sums": [float(r[0][0]) for s in samples for r in s["resps"]]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("temper")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    a.temper, a.model = os.path.abspath(a.temper), os.path.abspath(a.model)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        write_task(folder)
        ours, theirs = [], []
        for number in range(a.rounds):
            ours.append(run_temper(folder, a, number))
            theirs.append(run_peer(folder, a))
    bound = 1e-3 if a.dtype == "float32" else None
    worst = max(abs(x - y) / (1 if bound else max(1, abs(y))) for x, y in zip(ours[0]["sums"], theirs[0]["sums"]))
    times = [statistics.median(run["seconds"] for run in runs) for runs in (ours, theirs)]
    print(f"{a.dtype}, 400 requests, {a.rounds} rounds in turns, {a.threads} threads, medians")
    print(f"temper eval, whole command     {times[0]:8.2f} s   acc {ours[0]['acc']:.4f}")
    print(f"lm-evaluation-harness, batch {a.batch_size:<3d}{times[1]:8.2f} s   acc {theirs[0]['acc']:.4f}   ratio {times[1] / times[0]:.2f}")
    print(f"largest difference of a loglikelihood {worst:.2e}" + ("" if bound else " (relative)"))
    sys.exit(worst > (bound or 0.02))


main()
