"""Golden renderings of chat templates: what transformers' own apply_chat_template makes of them.

Writes templates/snippets.json (small pieces of the language, some of them errors) and templates/conversations.json (every *.jinja in
templates/ over the conversations below). Ranges of {% generation %} blocks are converted from characters to UTF-8 bytes.

    python3 tests/goldens/make_template_goldens.py [--templates DIR --out FILE]

With --templates the conversations are rendered over other templates, for a wider check that is not committed.
"""

import argparse
import datetime
import json
import pathlib

import transformers
from transformers.utils import chat_template_utils as chat

from template_snippets import SNIPPETS, VARIABLES

HERE = pathlib.Path(__file__).parent / "templates"
NOW = datetime.datetime(2026, 3, 7, 14, 5, 9)


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a place <now> & \"soon\".",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "City, e.g. Zürich"},
                "days": {"type": "integer", "description": "Days ahead", "default": 1},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "description": "Unit"},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["city"],
        },
    },
}
PING = {"type": "function", "function": {"name": "ping", "description": "Nothing.", "parameters": {"type": "object", "properties": {}}}}


def call(name, arguments, **more):
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


def text(value):
    return [{"type": "text", "text": value}]


CONVERSATIONS = {
    "plain": {"messages": [{"role": "user", "content": "Hello there"}, {"role": "assistant", "content": "General remarks."}]},
    "user_only": {"messages": [{"role": "user", "content": "  spaced \n"}]},
    "system": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Why?"},
            {"role": "assistant", "content": "Because."},
        ]
    },
    "turns": {
        "messages": [
            {"role": "user", "content": "One"},
            {"role": "assistant", "content": "Two"},
            {"role": "user", "content": "Three"},
            {"role": "assistant", "content": "Four\n\nwith lines "},
            {"role": "user", "content": "Five"},
        ]
    },
    "unicode": {
        "messages": [
            {"role": "system", "content": "Ünïcödé ist ßchön"},
            {"role": "user", "content": "日本語 \U0001f600 e\u0301 \u00a0nbsp\u3000"},
            {"role": "assistant", "content": "“quotes” — dash… \u2028 line"},
        ]
    },
    "empty": {"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}]},
    "none": {"messages": []},
    "markup": {"messages": [{"role": "user", "content": "<a href=\"x\">&amp;</a> {{ no }} {% no %}"}, {"role": "assistant", "content": "'\\n'"}]},
    "lists": {
        "messages": [
            {"role": "system", "content": text("Be brief.")},
            {"role": "user", "content": text("First. ") + text("Second.")},
            {"role": "assistant", "content": text("Third.")},
        ]
    },
    "tools": {
        "messages": [
            {"role": "system", "content": "Use tools."},
            {"role": "user", "content": "Weather in Zürich?"},
            {"role": "assistant", "content": "", "tool_calls": [call("get_weather", {"city": "Zürich", "days": 2, "tags": ["a", "b"], "x": {"y": None, "z": 1.5, "t": True}})]},
            {"role": "tool", "name": "get_weather", "content": "{\"sky\": \"grey\"}"},
            {"role": "assistant", "content": "Grey."},
        ],
        "variables": {"tools": [WEATHER, PING]},
    },
    "tool_pair": {
        "messages": [
            {"role": "user", "content": "Both?"},
            {"role": "assistant", "content": "Looking.", "tool_calls": [call("ping", {}, id="call00001"), call("get_weather", {"city": "Bern"}, id="call00002")]},
            {"role": "tool", "name": "ping", "content": "ok", "tool_call_id": "call00001"},
            {"role": "tool", "name": "get_weather", "content": "sun", "tool_call_id": "call00002"},
        ],
        "variables": {"tools": [PING, WEATHER]},
    },
    "tools_unused": {"messages": [{"role": "user", "content": "Hi"}], "variables": {"tools": [WEATHER]}},
    "reasoning": {
        "messages": [
            {"role": "user", "content": "2+2?"},
            {"role": "assistant", "reasoning_content": "\nTwo and two.\n", "content": "4"},
            {"role": "user", "content": "3+3?"},
            {"role": "assistant", "reasoning": "Three twice.", "content": "6"},
        ]
    },
    "thinking_inline": {
        "messages": [
            {"role": "user", "content": "2+2?"},
            {"role": "assistant", "content": "<think>\nsum\n</think>\n\n4"},
            {"role": "user", "content": "more"},
            {"role": "assistant", "content": "<think>x</think>5"},
        ]
    },
    "no_thinking": {"messages": [{"role": "user", "content": "Hi"}], "variables": {"enable_thinking": False, "reasoning_effort": "low"}},
    "thinking": {"messages": [{"role": "user", "content": "Hi"}], "variables": {"enable_thinking": True}},
    "two_users": {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]},
    "documents": {
        "messages": [{"role": "user", "content": "Read."}],
        "variables": {"documents": [{"title": "T", "text": "Body"}, {"title": "U", "text": "Other"}]},
    },
}


def byte_ranges(rendered, ranges):
    at = lambda index: len(rendered[:index].encode())
    return [[at(start), at(end)] for start, end in ranges]


def render(source, messages, add_generation_prompt=False, variables=None):
    """What ChatTemplate::render returns, or None where transformers raises."""
    messages = [{k: v for k, v in m.items() if v is not None} for m in messages]  # as apply_chat_template does it
    variables = dict(variables or {})
    tools, documents = variables.pop("tools", None), variables.pop("documents", None)
    try:
        rendered, ranges = chat.render_jinja_template(
            [json.loads(json.dumps(messages))], tools=tools, documents=documents, chat_template=source, return_assistant_tokens_mask=True,
            add_generation_prompt=add_generation_prompt, **{"bos_token": "<s>", "eos_token": "</s>", **variables},
        )
        rendered[0].encode()
    except Exception as error:  # any failure is a refusal; its words are not compared
        return None, f"{type(error).__name__}: {error}"[:120]
    return rendered[0], byte_ranges(rendered[0], ranges[0])


def conversation_cases(folder):
    cases = []
    for path in sorted(folder.glob("*.jinja")):
        source = path.read_text()
        for name, conversation in CONVERSATIONS.items():
            for prompt in (False, True):
                out, ranges = render(source, conversation["messages"], prompt, conversation.get("variables"))
                case = {"template": path.name, "conversation": name, "prompt": prompt}
                cases.append(case | ({"error": ranges} if out is None else {"text": out} | ({"generated": ranges} if ranges else {})))
    return {"conversations": CONVERSATIONS, "cases": cases}


def snippet_cases():
    cases = []
    for source in SNIPPETS:
        out, ranges = render(source, VARIABLES["messages"], False, {k: v for k, v in VARIABLES.items() if k != "messages"})
        cases.append({"source": source} | ({"error": ranges} if out is None else {"text": out} | ({"generated": ranges} if ranges else {})))
    return {"variables": VARIABLES, "cases": cases}


def save(path, content):
    content = {"made_with": f"transformers {transformers.__version__}", "now": NOW.isoformat()} | content
    rows = content.pop("cases")
    head = json.dumps(content, ensure_ascii=False, indent=1)[:-2]
    body = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f'{head},\n "cases": [\n{body}\n]}}\n')
    print(path, len(rows), "cases,", sum("error" in row for row in rows), "of them errors")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--templates", type=pathlib.Path, default=HERE)
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "conversations.json")
    options = parser.parse_args()
    chat.datetime = FixedClock
    save(options.out, conversation_cases(options.templates))
    if options.templates == HERE:
        save(HERE / "snippets.json", snippet_cases())
