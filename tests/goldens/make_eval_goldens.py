"""Writes what lm-evaluation-harness 0.4.13 makes of the tasks in eval/tasks on the tiny model, in float32.

    python3 make_eval_goldens.py                rows into eval/data, results into eval/*.json
    python3 make_eval_goldens.py MODEL FOLDER   the results of another model into FOLDER

eval/plain.json: results and samples of all tasks; eval/chat.json: of some through the chat template; eval/random.json: what CPython draws.
"""

import json
import os
import random
import sys
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parent / "eval"
NOUNS = "ship cloud harbour engine lamp river paper garden winter number señor 東京 café train letter".split()
VERBS = "sails turns burns opens falls sings breaks waits".split()


def words(rng, count):
    return " ".join(rng.choice(NOUNS if i % 2 == 0 else VERBS) for i in range(count))


def write(name, rows):
    (FOLDER / "data" / name).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def write_data():
    rng = random.Random(3)

    def choice():
        letters = "ABCD"[: rng.choice([3, 4])]
        return {"question": words(rng, 6) + "?", "choices": {"text": [words(rng, rng.randrange(1, 4)) for _ in letters], "label": list(letters)},
                "answerKey": rng.choice(letters)}

    write("choice_train.jsonl", [choice() for _ in range(9)])
    write("choice.jsonl", [choice() for _ in range(12)])
    write("blank.jsonl", [{"sentence": f"The {words(rng, 3)} while _ {words(rng, 2)}.", "option1": rng.choice(NOUNS), "option2": rng.choice(NOUNS),
                           "answer": rng.choice("12")} for _ in range(10)])
    table = ["topic,passage,question,label"]
    table += [f'{rng.choice(NOUNS)},"{words(rng, 5)}, ""{words(rng, 2)}""",does the {words(rng, 2)},{rng.randrange(2)}' for _ in range(14)]
    (FOLDER / "data" / "truth.csv").write_text("\n".join(table) + "\n", encoding="utf-8")
    write("ending.jsonl", [{"activity_label": words(rng, 1), "ctx_a": f"[header] {words(rng, 3)} [title] {words(rng, 2)}", "ctx_b": words(rng, 2),
                            "endings": [f"{words(rng, 3)} [substeps] {words(rng, 2)}." for _ in range(4)], "label": str(rng.randrange(4))}
                           for _ in range(8)])
    write("word.jsonl", [{"text": words(rng, rng.randrange(4, 12))} for _ in range(12)] + [{"text": " alone"}])
    write("page.jsonl", [{"page": "\n".join(words(rng, rng.randrange(3, 9)) for _ in range(size))} for size in (1, 5, 40, 90)])
    write("sum.jsonl", [{"question": f"{words(rng, 4)}?", "answer": f"{words(rng, 3)} #### {rng.randrange(1000)}"} for _ in range(8)])
    for subject in ("sea", "sky"):
        for split, count in (("dev", 3), ("test", 7 if subject == "sea" else 11)):
            write(f"{split}_{subject}.jsonl", [{"question": " " + words(rng, 4) + "?", "choices": [words(rng, 2) for _ in range(4)],
                                                "answer": rng.randrange(4)} for _ in range(count)])


def draws():
    cases = []
    for seed in (0, 1, 1234, 4294967296 + 5):
        rng = random.Random(seed)
        cases.append({"seed": seed, "random": [rng.random() for _ in range(3)], "choices": rng.choices(range(1000), k=6), "sample": [
            rng.sample(range(n), k) for n, k in ((5, 5), (50, 6), (10000, 7), (21, 3))], "below": [rng._randbelow(1 << 40) for _ in range(2)],
            "late": [rng.random() for _ in range(700)][-1]})
    return cases


def evaluate(model, tasks, **options):
    import lm_eval
    from lm_eval.tasks import TaskManager

    found = lm_eval.simple_evaluate(model=model, tasks=tasks, task_manager=TaskManager(include_path=".", include_defaults=False), bootstrap_iters=2000,
                                    log_samples=True, **options)
    kept = {key: found[key] for key in ("results", "groups", "group_subtasks", "n-shot", "higher_is_better", "n-samples") if key in found}
    kept["samples"] = {task: [{key: sample[key] for key in sample if key not in ("doc", "doc_hash", "target_hash")} for sample in samples]
                       for task, samples in found["samples"].items()}
    return kept


def main():
    pretrained, out = ("../../tiny_chat", FOLDER) if len(sys.argv) == 1 else (os.path.abspath(sys.argv[1]), Path(sys.argv[2]).absolute())
    if out == FOLDER:
        write_data()
    from lm_eval.models.huggingface import HFLM

    os.chdir(FOLDER / "tasks")
    model = HFLM(pretrained=pretrained, dtype="float32", device="cpu", batch_size=1)
    versions = {name: version(name) for name in ("lm_eval", "transformers", "torch", "datasets", "scikit-learn", "sacrebleu")}
    tolerance = {"loglikelihood": 1e-3, "value": 1e-6}
    plain = evaluate(model, ["tiny", "tiny_group"])
    chat = evaluate(model, ["tiny_choice", "tiny_blank", "tiny_sum", "tiny_story"], apply_chat_template=True, fewshot_as_multiturn=False,
                    system_instruction="Be brief.")
    turns = evaluate(model, ["tiny_choice", "tiny_sum"], apply_chat_template=True, num_fewshot=2)
    for name, found in (("plain", plain), ("chat", chat), ("turns", turns)):
        (out / f"{name}.json").write_text(json.dumps({"versions": versions, "tolerance": tolerance, **found}, ensure_ascii=False, indent=None,
                                                        default=lambda value: value.tolist()) + "\n", encoding="utf-8")
    (out / "random.json").write_text(json.dumps(draws()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
