#!/usr/bin/env python3
"""What trackers that are broken in every way of tests/scripts/tracker_server.py cost a step:  tracker_steps.py TEMPER MODEL [ROUNDS=1]

Runs with trackers (MLflow, OTLP, TensorBoard) take turns with runs that report nowhere; adapters must be the same bytes. Two measures a fault:

  the processor time of all threads but the two that compute, between the first step and the last, as a share of the time that passed: were it all
  taken from a step, the step would be longer by so much. Must be below 1%;
  the ratio of step times. Machines drift by more than 1% within seconds, so that one fault's median says little; of all faults together, the median
  with its 95% interval (bootstrap over runs) must not lie above 1.01.

Steps are of one short row, so that what a tracker costs shows. About 6 minutes a round on two cores that have nothing else to do.
"""
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FAULTS = "refused ok 500 429 hang hang-connect hang-body garbage wrong half drip redirect truncated reset".split()
STEPS = 24
TICKS = os.sysconf("SC_CLK_TCK")


def thread_seconds(pid):
    """Processor seconds of every thread but the two busiest."""
    times = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has ended
        times.append((int(fields[11]) + int(fields[12])) / TICKS)
    return sum(sorted(times)[:-2])


def rows_of(output):
    files = list(output.glob("*Z-*/metrics.jsonl"))
    return [json.loads(line) for line in files[0].read_text().splitlines() if line.endswith("}")] if files else []


def train(temper, config, output, settings, environment):
    """Seconds of each step but the first, the share of other threads, the adapter's hash."""
    command = [temper, "sft", config, f"output_dir={output}", *settings]
    with open(output.with_suffix(".log"), "w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        first = last = None
        while process.poll() is None:
            time.sleep(0.1)
            done = len(rows_of(output))
            if 1 <= done < STEPS:
                try:
                    last = (time.monotonic(), thread_seconds(process.pid))
                except OSError:
                    break
                first = first or last
    if process.wait() != 0:
        raise SystemExit(output.with_suffix(".log").read_text()[-2000:])
    rows = rows_of(output)
    steps = [(b["num_tokens"] - a["num_tokens"]) / b["tokens_per_second"] for a, b in zip(rows, rows[1:])]
    adapter = next(output.glob("*Z-*/adapter/adapter_model.safetensors")).read_bytes()
    return steps, (last[1] - first[1]) / (last[0] - first[0]), hashlib.sha256(adapter).hexdigest()


def measure(fault, temper, work, rounds, environment):
    server, port = None, 9  # nobody listens there
    if fault != "refused":
        server = subprocess.Popen([sys.executable, ROOT / "tests/scripts/tracker_server.py", fault], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        port = int(server.stdout.readline())
    url = f"http://127.0.0.1:{port}"
    kinds = {"none": ["report_to=none"],
             "with": [f"tracking.mlflow_tracking_uri={url}", f"tracking.otlp_endpoint={url}", "report_to=[mlflow,otlp,tensorboard]", "tracking.exit_seconds=2"]}
    ratios, shares, hashes = [], {"none": [], "with": []}, set()
    for number in range(rounds):
        steps = {}
        for kind in sorted(kinds, reverse=(number + len(fault)) % 2 == 1):  # each goes first as often
            steps[kind], share, adapter = train(temper, work / "run.yaml", work / f"{fault}-{kind}-{number}", kinds[kind], environment)
            shares[kind].append(share)
            hashes.add(adapter)
        ratios.append([w / n for w, n in zip(steps["with"], steps["none"])])
    if server:
        server.kill()
        server.wait()
    share, without = statistics.mean(shares["with"]), statistics.mean(shares["none"])
    middle = statistics.median(ratio for run in ratios for ratio in run)
    good = len(hashes) == 1 and share < 0.01
    print(f"{fault:13} other threads {100 * share:.2f}% of the time (without trackers {100 * without:.2f}%), step time x {middle:.3f}"
          f"{'' if len(hashes) == 1 else ', ANOTHER ADAPTER'}{'' if good else '  FAILED'}", flush=True)
    return ratios, good


def main():
    temper, model, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "CLEARML_", "OTEL_", "TENSORBOARD_"))}
    runs, good = [], True
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "run.yaml").write_text(f"""model: {model}
run_name: steps
data: {{train: {ROOT}/jobs/data/tickets_train.jsonl, max_length: 96}}
lora: {{r: 4, lora_alpha: 8}}
train: {{max_steps: {STEPS}, global_batch_size: 1, micro_batch_tokens: 1024, learning_rate: 5e-4, save_steps: 0}}
""")
        for fault in FAULTS:
            ratios, fine = measure(fault, temper, work, rounds, environment)
            runs += ratios
            good &= fine
    draw = random.Random(0)
    medians = sorted(statistics.median(ratio for run in draw.choices(runs, k=len(runs)) for ratio in run) for _ in range(2000))
    middle = statistics.median(ratio for run in runs for ratio in run)
    print(f"all: step time with trackers / without, median {middle:.4f}, 95% {medians[50]:.4f} to {medians[-51]:.4f}, {len(runs)} pairs of runs")
    return 0 if good and medians[50] <= 1.01 else 1


if __name__ == "__main__":
    sys.exit(main())
