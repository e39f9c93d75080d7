"""Writes templates/masks.json: which tokens of a conversation transformers marks as the assistant's, for every template here that has
{% generation %} blocks, with the small Qwen 2 tokenizer of tokenizers/.

    python3 tests/goldens/make_mask_goldens.py        (transformers 5.23; no network)
"""
import json
import pathlib

import transformers

from make_template_goldens import CONVERSATIONS

HERE = pathlib.Path(__file__).parent
TOKENIZER = "qwen2"


def ranges(mask):
    out = []
    for i, marked in enumerate(mask):
        if marked and out and out[-1][1] == i:
            out[-1][1] = i + 1
        elif marked:
            out.append([i, i + 1])
    return out


def main():
    tokenizer = transformers.AutoTokenizer.from_pretrained(HERE / "tokenizers" / TOKENIZER)
    cases = []
    for path in sorted((HERE / "templates").glob("*.jinja")):
        source = path.read_text()
        if "generation %}" not in source or "strftime_now" in source:
            continue
        for name, conversation in CONVERSATIONS.items():
            variables = dict(conversation.get("variables", {}))
            if not conversation["messages"]:
                continue
            try:
                encoded = tokenizer.apply_chat_template(json.loads(json.dumps(conversation["messages"])), chat_template=source, tokenize=True, return_dict=True,
                                                        return_assistant_tokens_mask=True, **variables)
            except Exception:  # refusals are compared by conversations.json
                continue
            cases.append({"template": path.name, "conversation": name, "tokens": len(encoded["input_ids"]), "assistant": ranges(encoded["assistant_masks"])})
    head = {"made_with": f"transformers {transformers.__version__}", "tokenizer": TOKENIZER}
    rows = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "templates/masks.json").write_text(json.dumps(head)[:-1] + f', "cases": [\n{rows}\n]}}\n')
    print(len(cases), "cases of", len({case["template"] for case in cases}), "templates")


main()
