"""Writes what other programs leave of an evaluation or a training, for temper gate to read.

    python3 make_gate_goldens.py

gate/lm_eval/{first,second}: folders of lm-evaluation-harness 0.4.13's command line, of the tasks in eval/tasks on the tiny model, the second with a
system instruction in front. gate/trainer_state.json: of transformers' Trainer, three steps on a linear layer. gate/versions.json: of the packages.
"""

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parent / "gate"
TASKS = Path(__file__).parent / "eval" / "tasks"


def run_lm_eval(name, *options):
    out = (FOLDER / "lm_eval" / name).absolute()
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "lm_eval", "run", "--model", "hf", "--model_args", "pretrained=../../tiny_chat,dtype=float32", "--device", "cpu",
                    "--include_path", ".", "--tasks", "tiny_choice,tiny_word,tiny_group", "--output_path", str(out), "--log_samples", *options],
                   cwd=TASKS, check=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
    next(out.iterdir()).rename(out / "tiny_chat")
    for path in (out / "tiny_chat").glob("results_*.json"):  # what tells of the machine that it ran on
        results = json.loads(path.read_text(encoding="utf-8"))
        for key in ("pretty_env_info", "cpu_info", "git_hash", "upper_git_hash"):
            results.pop(key, None)
        text = json.dumps(results, indent=2, ensure_ascii=False)
        path.write_text(text.replace(f"{FOLDER.parent.parent.parent.absolute()}/", ""), encoding="utf-8")


def write_trainer_state():
    import torch
    from transformers import Trainer, TrainingArguments

    class Line(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, x, labels):
            return {"loss": ((self.weight * x - labels) ** 2).mean()}

    rows = [{"x": float(i), "labels": 2.0 * i} for i in range(6)]
    out = FOLDER / "trainer"
    shutil.rmtree(out, ignore_errors=True)
    arguments = TrainingArguments(output_dir=str(out), max_steps=3, per_device_train_batch_size=2, logging_steps=1, eval_strategy="steps", eval_steps=1,
                                  save_steps=3, report_to=[], use_cpu=True, seed=1, learning_rate=0.1)
    Trainer(model=Line(), args=arguments, train_dataset=rows, eval_dataset=rows).train()
    kept = (out / "checkpoint-3" / "trainer_state.json").read_text(encoding="utf-8")
    shutil.rmtree(out)
    (FOLDER / "trainer_state.json").write_text(kept, encoding="utf-8")


def main():
    run_lm_eval("first")
    run_lm_eval("second", "--system_instruction", "Be brief.")
    write_trainer_state()
    versions = {name: version(name) for name in ("lm_eval", "transformers", "torch")}
    (FOLDER / "versions.json").write_text(json.dumps(versions, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
