"""The client side of serve_openai.sh:  serve_openai.py TEMPER_SERVE TEMPER WORK"""
import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request

import numpy
import openai

program, temper, work = sys.argv[1:4]
read = lambda name: [json.loads(line) for line in open(f"{work}/{name}")]
rows = [{"messages": row.get("messages") or row["prompt"], "a": a["prediction"], "b": b["prediction"], "tokens": None}
        for row, a, b in zip(read("rows.jsonl"), read("greedy_a.jsonl"), read("greedy_b.jsonl"))]
differing = sum(row["a"] != row["b"] for row in rows)
assert differing > 4, f"only {differing} answers of the two adapters differ"
texts, vectors = [row["text"] for row in read("texts.jsonl")], numpy.load(f"{work}/vectors.npy")

began = time.time()
log = open(f"{work}/server.log", "w")
server = subprocess.Popen([program, "--config", f"{work}/serve.yaml"], stdout=subprocess.PIPE, stderr=log, text=True)
url = server.stdout.readline().strip()
assert url, open(f"{work}/server.log").read()
started = time.time() - began
client = openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
chat = lambda row, **more: client.chat.completions.create(model="tickets", messages=row["messages"], temperature=0, max_tokens=48, **more)


def metrics():
    text = urllib.request.urlopen(url + "/metrics").read().decode()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")}


def streamed(row):
    pieces, usage = [], None
    for chunk in chat(row, stream=True, stream_options={"include_usage": True}):
        pieces += [choice.delta.content or "" for choice in chunk.choices]
        usage = chunk.usage or usage
    return "".join(pieces), usage


def check(name):
    """Every row whole, streamed, and all at once: what temper generate answers with this adapter."""
    for row in rows:
        answer = chat(row)
        assert answer.choices[0].message.content == row[name], (answer.choices[0].message.content, row[name])
        text, usage = streamed(row)
        assert text == row[name] and usage == answer.usage, (text, row[name])
        row["tokens"] = usage.completion_tokens

    async def together():
        asynchronous = openai.AsyncOpenAI(base_url=url + "/v1", api_key="none", max_retries=0)
        answers = await asyncio.gather(*[asynchronous.chat.completions.create(model="tickets", messages=row["messages"], temperature=0, max_tokens=48) for row in rows * 2])
        return [answer.choices[0].message.content for answer in answers]
    assert asyncio.run(together()) == [row[name] for row in rows * 2]
    for options in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}):
        answer = client.embeddings.create(model="vectors", input=texts, **options)
        if options.get("encoding_format") != "base64":
            got = numpy.array([item.embedding for item in answer.data], dtype=numpy.float32)
            assert (got == vectors).all(), numpy.abs(got - vectors).max()
    short = numpy.array(client.embeddings.create(model="vectors", input=texts[0], dimensions=64).data[0].embedding)
    assert len(short) == 64 and abs(numpy.linalg.norm(short) - 1) < 1e-6
    print(f"adapter {name}: {len(rows)} chats whole, streamed and {2 * len(rows)} at once as temper generate, vectors as temper embed")


def check_errors():
    def raises(kind, call):
        try:
            call()
        except kind as error:
            return error
        raise AssertionError(f"no {kind.__name__}")
    assert raises(openai.NotFoundError, lambda: client.chat.completions.create(model="gpt-4o", messages=rows[0]["messages"])).code == "model_not_found"
    assert raises(openai.BadRequestError, lambda: chat(rows[0], n=2)).param == "n"
    assert raises(openai.BadRequestError, lambda: chat(rows[0], tools=[{"type": "function", "function": {"name": "f"}}])).param == "tools"
    assert raises(openai.BadRequestError, lambda: client.chat.completions.create(model="tickets", messages=[{"role": "user", "content": "x " * 5000}])).code == "context_length_exceeded"
    assert [model.id for model in client.models.list()] == ["tickets", "vectors"]
    assert client.completions.create(model="tickets", prompt="Once upon a time", max_tokens=4, temperature=0).choices[0].finish_reason == "length"


def move(version):
    subprocess.run([temper, "registry", "alias", "tickets", "candidate", str(version), "--registry", f"{work}/registry"], check=True, stdout=subprocess.DEVNULL)


def check_move():
    """The pointer moves while chats run: all are answered, each by the adapter that its fingerprint names."""
    answers, stop = [], threading.Event()

    def ask(i):
        while not stop.is_set():
            row = rows[i % len(rows)]
            answer = chat(row)
            answers.append((row, answer.choices[0].message.content, answer.system_fingerprint))
            i += 1
    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    move(2)
    while not any(fingerprint.startswith("v2-") for _, _, fingerprint in answers):
        time.sleep(0.1)
    time.sleep(1)
    stop.set()
    for thread in threads:
        thread.join()
    for row, text, fingerprint in answers:
        assert text == row["a" if fingerprint.startswith("v1-") else "b"], (fingerprint, text)
    by_old = sum(fingerprint.startswith("v1-") for _, _, fingerprint in answers)
    print(f"the pointer moved under {len(answers)} chats: {by_old} answered by the old adapter, {len(answers) - by_old} by the new, none lost")


def measure():
    total = sum(row["tokens"] for row in rows)
    began = time.time()
    for row in rows:
        chat(row)
    alone = total / (time.time() - began)
    began = time.time()
    threads = [threading.Thread(target=chat, args=(row,)) for row in rows]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    together = total / (time.time() - began)
    latencies = []
    for row in rows:
        began = time.time()
        next(iter(chat(row, stream=True)))
        latencies.append(time.time() - began)
    print(f"ready after {started:.2f} s; peak memory {metrics()['temper_peak_memory_bytes'] / 2**20:.0f} MiB (both models, two versions while the pointer moved)")
    print(f"tokens a second: {alone:.1f} one after the other, {together:.1f} with {len(rows)} at once; first event after {sorted(latencies)[len(latencies) // 2] * 1000:.0f} ms")


try:
    check("a")
    check_errors()
    check_move()
    check("b")
    measure()
    server.terminate()
    assert server.wait(60) == 0, server.returncode
    print("all checks passed")
finally:
    if server.poll() is None:
        server.kill()
        print(open(f"{work}/server.log").read()[-2000:], file=sys.stderr)
