#!/usr/bin/env python3
"""Writes tests/goldens/data: rows in every form with the token ids and labels that TRL makes of them, and Arrow files of such rows.

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
from trl import SFTConfig, SFTTrainer  # noqa: E402

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


def trl_rows(case, model):
    tokenizer = AutoTokenizer.from_pretrained(HERE / "tiny_chat")
    if "template" in case:
        tokenizer.chat_template = (HERE / "templates" / case["template"]).read_text()
    work = Path("/tmp/temper-data-goldens")
    work.mkdir(exist_ok=True)
    with open(work / "rows.jsonl", "w") as file:
        for row in case.get("trl", case["rows"]):
            file.write(json.dumps(row) + "\n")
    dataset = datasets.load_dataset("json", data_files=str(work / "rows.jsonl"), split="train", cache_dir=str(work / "cache"))
    settings = {"max_length": None, **case.get("settings", {})}
    config = SFTConfig(output_dir=str(work / "out"), report_to=[], use_cpu=True, bf16=False, **settings)
    trainer = SFTTrainer(model=model, args=config, train_dataset=dataset, processing_class=tokenizer)
    return [{"ids": list(row["input_ids"]), "labels": list(row["labels"])} for row in trainer.train_dataset]


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
    from importlib.metadata import version
    versions = {name: version(name) for name in ("trl", "transformers", "datasets", "pyarrow", "tokenizers")}
    (OUT / "forms.json").write_text(json.dumps({"versions": versions, "cases": forms}, separators=(",", ":")).replace('"expected"', '\n"expected"') + "\n")
    write_arrow()


if __name__ == "__main__":
    main()
