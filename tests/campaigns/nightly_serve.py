"""The client side of nightly_serve.sh:  nightly_serve.py URL WORK check NAME VERSION | ask STOP_FILE | count FIRST SECOND

check  every row, whole and streamed, is answered as temper generate did with the adapter NAME, the registry's VERSION; vectors are those of temper embed
ask    asks until STOP_FILE is there, and prints a line an answer: number of the row, the adapter's fingerprint, the text
count  of those lines: each is the answer of the first adapter, or, after the pointer moved, of the second
"""
import json
import os
import sys
import time

import numpy
import openai

url, work, action, *arguments = sys.argv[1:]
client = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0)


def read(name):
    return [json.loads(line) for line in open(f"{work}/{name}")]


rows = [row.get("messages") or row["prompt"] for row in read("rows.jsonl")]


def chat(row, **more):
    return client.chat.completions.create(model="tickets", messages=row, temperature=0, max_tokens=48, **more)


def check(name, version):
    expected = [row["prediction"] for row in read(f"greedy_{name}.jsonl")]
    until = time.time() + 60  # the new version is loaded while the old one answers
    while not chat(rows[0]).system_fingerprint.startswith(f"v{version}-") and time.time() < until:
        time.sleep(1)
    for row, text in zip(rows, expected):
        answer = chat(row)
        assert answer.system_fingerprint.startswith(f"v{version}-") and answer.choices[0].message.content == text, (name, answer, text)
        pieces = [choice.delta.content or "" for chunk in chat(row, stream=True) for choice in chunk.choices]
        assert "".join(pieces) == text, (name, pieces, text)
    texts = [row["text"] for row in read("texts.jsonl")]
    got = numpy.array([item.embedding for item in client.embeddings.create(model="vectors", input=texts, encoding_format="float").data], dtype=numpy.float32)
    assert (got == numpy.load(f"{work}/vectors.npy")).all()
    print(f"{name}: {len(rows)} chats whole and streamed as temper generate, vectors as temper embed")


def ask(stop):
    number = 0
    while not os.path.exists(stop):
        answer = chat(rows[number % len(rows)])
        print(json.dumps([number % len(rows), answer.system_fingerprint, answer.choices[0].message.content]), flush=True)
        number += 1
        time.sleep(2)  # the night needs the cores, too


def count(first, second):
    expected = {name: [row["prediction"] for row in read(f"greedy_{name}.jsonl")] for name in (first, second)}
    asked = [json.loads(line) for line in sys.stdin]
    prints = list(dict.fromkeys(fingerprint for _, fingerprint, _ in asked))
    assert len(prints) == 2, prints  # one move, and none back
    counts = [0, 0]
    for row, fingerprint, text in asked:
        which = prints.index(fingerprint)
        assert text == expected[(first, second)[which]][row], (row, fingerprint, text)
        counts[which] += 1
    assert [fingerprint for _, fingerprint, _ in asked] == [prints[0]] * counts[0] + [prints[1]] * counts[1]
    print(f"{len(asked)} chats during both nights, none lost: {counts[0]} answered by the first adapter, then {counts[1]} by the second")


{"check": check, "ask": ask, "count": count}[action](*arguments)
