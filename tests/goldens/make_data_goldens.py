#!/usr/bin/env python3
"""Writes tests/goldens/data: rows in every form with the token ids and labels that TRL makes of them, rows of preferences with the ids of prompt and
answers, and Arrow files of such rows.

Run with the reference versions: python3 make_data_goldens.py. Reads tiny_chat and templates/qwen2_5_training.jinja."""

import json
import os
import shutil
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_CACHE"] = "/tmp/temper-data-goldens"
import datasets  # noqa: E402
import pyarrow as pa  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer, SFTConfig, SFTTrainer  # noqa: E402

HERE = Path(__file__).resolve().parent
OUT = HERE / "data"
TOOLS = [{"type": "function", "function": {"name": "weather", "description": "Tells the weather.",
                                           "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
CALL = [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Ulm"}}}]


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


CHAT = [user("What is two and two?"), assistant("Four."), user("And one more?"), assistant("Five, of course.")]
LONG = [user("Count."), assistant(" ".join(str(i) for i in range(60)))]

# What each case's file holds, what TRL is given for it where that is another thing, and its settings.
CASES = {
    "prompt_completion_text": {"rows": [{"prompt": "The sky is", "completion": " blue."}, {"prompt": "Rain is ", "completion": "wet"}]},
    "prompt_completion_messages": {"rows": [{"prompt": CHAT[:1], "completion": CHAT[1:2]}, {"prompt": CHAT[:3], "completion": CHAT[3:]}]},
    "prompt_completion_learn_all": {"rows": [{"prompt": "The sky is", "completion": " blue."}], "settings": {"completion_only_loss": False}},
    "messages": {"rows": [{"messages": CHAT}, {"messages": [{"role": "system", "content": "Be brief."}] + CHAT[:2]}]},
    "messages_truncated": {"rows": [{"messages": LONG}, {"messages": CHAT}], "settings": {"max_length": 24}},
    "text": {"rows": [{"text": "Once upon a time."}, {"text": "The end.<|im_end|>"}]},
    "conversations": {"rows": [{"conversations": [{"from": "user", "value": "What is two and two?"}, {"from": "assistant", "value": "Four."}]}]},
    "sharegpt": {
        "rows": [{"conversations": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "What is two and two?"},
                                    {"from": "gpt", "value": "Four."}]}],
        "trl": [{"messages": [{"role": "system", "content": "Be brief."}] + CHAT[:2]}]},
    "assistant_only": {"rows": [{"messages": CHAT}], "template": "qwen2_5_training.jinja", "settings": {"assistant_only_loss": True}},
    "tools_list": {"rows": [{"messages": CHAT[:2], "tools": TOOLS}], "template": "qwen2_5_training.jinja"},
    "tools_text": {"rows": [{"messages": CHAT[:2], "tools": json.dumps(TOOLS)}], "template": "qwen2_5_training.jinja"},
    "tool_calls": {
        "rows": [{"messages": [user("Weather in Ulm?"), assistant("", tool_calls=CALL), {"role": "tool", "content": "sun"}, assistant("Sunny.")],
                  "tools": TOOLS}], "template": "qwen2_5_training.jinja"},
    "reasoning": {
        "rows": [{"messages": [user("Two and two?"), assistant("Four.", reasoning_content="Count on fingers.")]}], "template": "qwen3.jinja"},
    "template_kwargs": {
        "rows": [{"prompt": [user("Two and two?")], "completion": [assistant("Four.")], "chat_template_kwargs": {"enable_thinking": False}}],
        "template": "qwen3.jinja"},
    "tokens": {"rows": [{"input_ids": [5, 6, 7, 8], "labels": [-100, -100, 7, 8]}, {"input_ids": [9, 10, 11, 12, 13], "labels": [9, 10, 11, 12, 13]}],
               "settings": {"max_length": 4}},
    "alpaca_chat": {
        "rows": [{"instruction": "Add.", "input": "2 and 2", "output": "4"}, {"instruction": "Say hello.", "input": "", "output": "Hello!"}],
        "trl": [{"prompt": [user("Add.\n\n2 and 2")], "completion": [assistant("4")]},
                {"prompt": [user("Say hello.")], "completion": [assistant("Hello!")]}]},
    "alpaca": {
        "format": "alpaca",
        "rows": [{"instruction": "Add.", "input": "2 and 2", "output": "4"}, {"instruction": "Say hello.", "output": "Hello!"}],
        "trl": [{"prompt": "Below is an instruction that describes a task, paired with an input that provides further context. Write a response "
                           "that appropriately completes the request.\n\n### Instruction:\nAdd.\n\n### Input:\n2 and 2\n\n### Response:\n",
                 "completion": "4"},
                {"prompt": "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
                           "### Instruction:\nSay hello.\n\n### Response:\n", "completion": "Hello!"}]},
}


WEATHER = [user("Weather in Ulm?"), assistant("", tool_calls=CALL), {"role": "tool", "content": "sun"}]
RIGHT, WRONG = [assistant("Four.")], [assistant("Five, I think.")]
ORCA = {"system": "Be brief.", "instruction": "Two and two?", "chosen": "Four.", "rejected": "Five."}

# Of preferences; "kto" takes them unpaired. Where TRL reads no such form, "trl" says what it is.
PREFERENCES = {
    "texts": {"rows": [{"prompt": "The sky is", "chosen": " blue.", "rejected": " green, or so they say."},
                       {"prompt": "Rain is ", "chosen": "wet", "rejected": "dry<|im_end|>"}, {"prompt": "", "chosen": "A b.", "rejected": "C."}]},
    "messages": {"rows": [{"prompt": CHAT[:1], "chosen": RIGHT, "rejected": WRONG},
                          {"prompt": [{"role": "system", "content": "Be brief."}] + CHAT[:3], "chosen": CHAT[3:], "rejected": WRONG}]},
    "several_turns": {"rows": [{"prompt": CHAT[:1], "chosen": CHAT[1:], "rejected": WRONG + [user("Sure?"), assistant("No.")]}]},
    "implicit_texts": {"rows": [{"chosen": "The sky is blue.", "rejected": "The sky is green."}, {"chosen": "Caf\u00e9 \u00e8", "rejected": "Caf\u00e9 \u00e9!"},
                                {"chosen": "It rains", "rejected": "It rains cats"}, {"chosen": "yes", "rejected": "no"}]},
    "implicit_messages": {"rows": [{"chosen": CHAT[:1] + RIGHT, "rejected": CHAT[:1] + WRONG}, {"chosen": CHAT, "rejected": CHAT[:3] + WRONG},
                                   {"chosen": CHAT, "rejected": CHAT[:2]}]},
    "text_beside_conversations": {
        "rows": [{"prompt": CHAT[0]["content"], "chosen": CHAT[:1] + RIGHT, "rejected": CHAT[:1] + WRONG}],
        "trl": [{"chosen": CHAT[:1] + RIGHT, "rejected": CHAT[:1] + WRONG}]},
    "truncated": {"rows": [{"prompt": LONG[:1], "chosen": LONG[1:], "rejected": RIGHT}, {"prompt": LONG, "chosen": RIGHT, "rejected": WRONG},
                           {"prompt": CHAT[:1], "chosen": RIGHT, "rejected": LONG[1:]}], "settings": {"max_length": 40}},
    "same_or_nothing": {"rows": [{"prompt": "One", "chosen": " two", "rejected": " two"}, {"prompt": "One", "chosen": "", "rejected": " two"}],
                        "keep": True},
    "tools": {"rows": [{"prompt": WEATHER, "chosen": [assistant("Sunny.")], "rejected": [assistant("Rain.")], "tools": TOOLS},
                       {"prompt": WEATHER[:1], "chosen": WEATHER[1:2], "rejected": [assistant("No idea.")], "tools": json.dumps(TOOLS)}],
              "template": "qwen2_5_training.jinja", "one_by_one": True},
    "template_kwargs": {"rows": [{"prompt": [user("Two and two?")], "chosen": RIGHT, "rejected": WRONG, "chat_template_kwargs": {"enable_thinking": False}}],
                        "template": "qwen3.jinja"},
    "reasoning": {"rows": [{"prompt": [user("Two and two?")], "chosen": [assistant("Four.", reasoning_content="Count.")],
                            "rejected": [assistant("Five.", reasoning_content="Guess.")]}], "template": "qwen3.jinja"},
    "moved_border": {"rows": [{"prompt": [user("Two and two?")], "chosen": RIGHT, "rejected": WRONG}], "template": "qwen3_5_think.jinja"},
    "sharegpt": {
        "rows": [{"conversations": [{"from": "human", "value": "What is two and two?"}], "chosen": {"from": "gpt", "value": "Four."},
                  "rejected": {"from": "gpt", "value": "Five, I think."}}],
        "trl": [{"prompt": CHAT[:1], "chosen": RIGHT, "rejected": WRONG}]},
    "alpaca_chat": {"rows": [ORCA], "trl": [{"prompt": [{"role": "system", "content": "Be brief."}, user("Two and two?")], "chosen": RIGHT,
                                             "rejected": [assistant("Five.")]}]},
    "kto_texts": {"kto": True, "rows": [{"prompt": "The sky is", "completion": " blue.", "label": True},
                                        {"prompt": "Rain is ", "completion": "dry", "label": False}]},
    "kto_messages": {"kto": True, "rows": [{"prompt": CHAT[:1], "completion": RIGHT, "label": True},
                                           {"prompt": CHAT[:3], "completion": WRONG, "label": False}]},
    "kto_conversation": {"kto": True, "rows": [{"messages": CHAT, "label": 1}],
                         "trl": [{"prompt": CHAT[:3], "completion": CHAT[3:], "label": True}]},
    "kto_of_pairs": {"kto": True, "rows": [{"prompt": CHAT[:1], "chosen": RIGHT, "rejected": WRONG}, {"prompt": CHAT[:3], "chosen": CHAT[3:], "rejected": WRONG}]},
    "kto_of_implicit": {"kto": True, "rows": [{"chosen": "The sky is blue.", "rejected": "The sky is green."}]},
    "kto_truncated": {"kto": True, "settings": {"max_length": 40}, "rows": [{"prompt": LONG[:1], "completion": LONG[1:], "label": True},
                                                                              {"prompt": LONG, "completion": RIGHT, "label": False}]},
}


def load(case, rows):
    """The tokenizer with the case's template, and its rows as a data set."""
    tokenizer = AutoTokenizer.from_pretrained(HERE / "tiny_chat")
    if "template" in case:
        tokenizer.chat_template = (HERE / "templates" / case["template"]).read_text()
    work = Path("/tmp/temper-data-goldens")
    work.mkdir(exist_ok=True)
    with open(work / "rows.jsonl", "w") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    return tokenizer, datasets.load_dataset("json", data_files=str(work / "rows.jsonl"), split="train", cache_dir=str(work / "cache"))


COMMON = {"output_dir": "/tmp/temper-data-goldens/out", "report_to": [], "use_cpu": True, "bf16": False}


def trl_rows(case, model):
    tokenizer, dataset = load(case, case.get("trl", case["rows"]))
    settings = {"max_length": None, **case.get("settings", {})}
    trainer = SFTTrainer(model=model, args=SFTConfig(**COMMON, **settings), train_dataset=dataset, processing_class=tokenizer)
    return [{"ids": list(row["input_ids"]), "labels": list(row["labels"])} for row in trainer.train_dataset]


def prompt_and_answers(collated, row):
    """What the collator puts into each sequence of one row: tokens before the completion mask, and under it."""
    lists = []
    for ids, mask, live in zip(collated["input_ids"].tolist(), collated["completion_mask"].tolist(), collated["attention_mask"].tolist()):
        lists.append(([i for i, m, a in zip(ids, mask, live) if a and not m], [i for i, m, a in zip(ids, mask, live) if a and m]))
    assert all(prompt == row["prompt_ids"] == lists[0][0] for prompt, _ in lists)
    return {"prompt": lists[0][0], "answers": [answer for _, answer in lists]}


def trl_preferences(case):
    given = case.get("trl", case["rows"])
    result = []
    for rows in [[row] for row in given] if case.get("one_by_one") else [given]:  # a data set's rows have the same columns
        tokenizer, dataset = load(case, rows)
        model = AutoModelForCausalLM.from_pretrained(HERE / "tiny_chat")
        settings = {"max_length": None, **case.get("settings", {})}
        if case.get("kto"):
            args = KTOConfig(**COMMON, **settings, loss_type="apo_zero_unpaired")
            trainer = KTOTrainer(model=model, args=args, train_dataset=dataset, processing_class=tokenizer)
        else:
            trainer = DPOTrainer(model=model, args=DPOConfig(**COMMON, **settings), train_dataset=dataset, processing_class=tokenizer)
        for row in trainer.train_dataset:
            one = prompt_and_answers(trainer.data_collator([row]), row)
            result.append({**one, "label": row["label"]} if case.get("kto") else one)
    return result


def write_arrow():
    """The same rows as plain JSONL, as a save_to_disk directory of two files, and as a stream with every type that is read."""
    rows = []
    for i in range(5):
        row = {"messages": CHAT[:2] if i % 2 else CHAT, "tools": json.dumps(TOOLS) if i == 1 else None, "source": ["wiki", "forum"][i % 2]}
        row["messages"] = [{"role": m["role"], "content": m["content"], "weight": 0.5 if i == 2 else None} for m in row["messages"]]
        rows.append(row)
    table = pa.table({
        "messages": pa.array([r["messages"] for r in rows],
                             pa.list_(pa.struct([("role", pa.string()), ("content", pa.large_string()), ("weight", pa.float64())]))),
        "tools": pa.array([r["tools"] for r in rows]),
        "source": pa.array([r["source"] for r in rows]).dictionary_encode(),
    })
    def absent(value):
        if isinstance(value, dict):
            return {k: absent(v) for k, v in value.items() if v is not None}
        return [absent(v) for v in value] if isinstance(value, list) else value
    with open(OUT / "arrow_rows.jsonl", "w") as file:
        for row in rows:
            file.write(json.dumps(absent(row)) + "\n")
    plain = datasets.Dataset.from_list([{"messages": r["messages"], "tools": r["tools"], "source": r["source"]} for r in rows])
    plain.save_to_disk(OUT / "save_to_disk", num_shards=2)
    (OUT / "save_to_disk" / "dataset_info.json").unlink()
    folder = OUT / "arrow"
    folder.mkdir()
    with pa.ipc.new_stream(folder / "stream.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    with pa.ipc.new_file(folder / "file.arrow", table.schema) as writer:
        writer.write_table(table)
    kinds = pa.table({
        "i8": pa.array([-1, None, 3], pa.int8()), "u64": pa.array([2**64 - 1, 0, 7], pa.uint64()), "f32": pa.array([0.5, -2.0, None], pa.float32()),
        "yes": pa.array([True, False, None]), "none": pa.nulls(3), "day": pa.array([1, 2, 3], pa.date32()), "raw": pa.array([b"a", b"b", None]),
        "money": pa.array([1, 2, None], pa.decimal128(5, 2)), "fixed": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int32(), 2)),
        "large": pa.array([["a"], [], None], pa.large_list(pa.string())), "pairs": pa.array([[("k", 1)], [], None], pa.map_(pa.string(), pa.int16())),
        "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(['{"a": [1, null]}', '"x"', None])),
        "list": pa.array([["b", "a"], ["b"], []], pa.list_(pa.dictionary(pa.int16(), pa.string()))),
    })
    with pa.ipc.new_stream(folder / "types.arrow", kinds.schema) as writer:
        writer.write_table(kinds)
    deep = pa.DictionaryArray.from_arrays(pa.array([0, None], pa.int8()), pa.array([{"a": [1]}]))
    for name, odd in (("nulls", pa.table({"none": pa.nulls(3)})), ("deep_dictionary", pa.table({"d": deep}))):
        with pa.ipc.new_stream(folder / f"{name}.arrow", odd.schema) as writer:
            writer.write_table(odd)
    for name in ("compressed",):
        with pa.ipc.new_stream(folder / f"{name}.arrow", table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
            writer.write_table(table)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    model = AutoModelForCausalLM.from_pretrained(HERE / "tiny_chat")
    forms = {}
    for name, case in CASES.items():
        forms[name] = {key: value for key, value in case.items() if key != "trl"}
        forms[name]["expected"] = trl_rows(case, model)
        print(name, len(forms[name]["expected"]), "rows", sum(len(row["ids"]) for row in forms[name]["expected"]), "tokens", file=sys.stderr)
    preferences = {}
    for name, case in PREFERENCES.items():
        preferences[name] = {key: value for key, value in case.items() if key not in ("trl", "one_by_one")}
        preferences[name]["expected"] = trl_preferences(case)
        print(name, len(preferences[name]["expected"]), "rows", file=sys.stderr)
    from importlib.metadata import version
    versions = {name: version(name) for name in ("trl", "transformers", "datasets", "pyarrow", "tokenizers")}
    for name, cases in (("forms", forms), ("preferences", preferences)):
        text = json.dumps({"versions": versions, "cases": cases}, separators=(",", ":")).replace('"expected"', '\n"expected"')
        (OUT / f"{name}.json").write_text(text + "\n")
    write_arrow()


if __name__ == "__main__":
    main()
