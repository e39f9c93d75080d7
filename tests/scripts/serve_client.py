"""temper-serve from outside, with the standard library alone: a server process, requests over sockets, and the checks of serve_test.sh.

    serve_client.py TEMPER_SERVE TEMPER WORK     WORK holds what serve_test.sh made: serve.yaml, expected.json, registry/
"""
import base64
import concurrent.futures
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

program, temper, work = sys.argv[1:4]
expected = json.load(open(f"{work}/expected.json"))
failures = []


def check(holds, *what):
    if not holds:
        failures.append(" ".join(str(part) for part in what))
        print("FAILED:", *what, file=sys.stderr)


class Server:
    """A process of temper-serve with these settings, reachable when made."""

    def __init__(self, name, *overrides, environment=()):
        self.log_path = f"{work}/{name}.log"
        command = [program, "--config", f"{work}/serve.yaml", "port=0", *overrides]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=open(self.log_path, "w"), text=True, env={**os.environ, **dict(environment)})
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            raise SystemExit(f"{name} did not start: {self.log()}")
        self.host = urllib.parse.urlsplit(self.url).netloc

    def log(self):
        return open(self.log_path).read()

    def request(self, method, path, body=None, headers=()):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json", **dict(headers)})
        response = connection.getresponse()
        answer = response.read()
        connection.close()
        return response.status, answer

    def json(self, method, path, body=None, headers=()):
        status, answer = self.request(method, path, body, headers)
        return status, json.loads(answer)

    def chat(self, messages, **more):
        return self.json("POST", "/v1/chat/completions", {"model": "tiny", "messages": messages, "temperature": 0, **more})

    def stream(self, path, body):
        """The events of a streamed answer, parsed; "[DONE]" must end them."""
        status, answer = self.request("POST", path, {**body, "stream": True})
        lines = [line for line in answer.decode().split("\n\n") if line]
        check(status == 200 and lines and lines[-1] == "data: [DONE]", "stream:", status, lines[-1:])
        return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]

    def chat_stream(self, messages, **more):
        return self.stream("/v1/chat/completions", {"model": "tiny", "messages": messages, "temperature": 0, **more})

    def metrics(self):
        status, text = self.request("GET", "/metrics")
        values = {}
        for line in text.decode().splitlines():
            if line.startswith("#"):
                check(re.fullmatch(r"# (HELP|TYPE) [a-z_]+ .+", line), "metrics:", line)
            else:
                match = re.fullmatch(r'([a-z_]+(?:\{[a-z0-9_]+="[^"]*"(?:,[a-z0-9_]+="[^"]*")*\})?) ([0-9.e+-]+)', line)
                check(match, "metrics:", line)
                values[match[1]] = float(match[2])
        return values

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self):
        self.process.kill()
        self.process.wait()


def text_of(answer):
    return answer["choices"][0]["message"]["content"]


def streamed_text(events):
    return "".join(event["choices"][0]["delta"].get("content", "") for event in events if event["choices"])


def wait_until(holds, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if holds():
            return True
        time.sleep(0.02)
    return False


limit = expected["max_new_tokens"]
rows = expected["rows"]  # {"messages", "a", "b", "reason_a", "tokens"...}: greedy answers of temper generate with adapters a and b


def check_chats(server):
    for row in rows:
        status, answer = server.chat(row["messages"], max_tokens=limit)
        check(status == 200 and text_of(answer) == row["a"]["prediction"], "chat:", status, answer, "instead of", row["a"])
        choice, usage = answer["choices"][0], answer["usage"]
        check(choice["finish_reason"] == row["a"]["finish_reason"] and choice["message"]["role"] == "assistant", "chat:", choice)
        check(usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] and usage["completion_tokens"] <= limit, "usage:", usage)
        check(answer["object"] == "chat.completion" and answer["model"] == "tiny" and answer["id"].startswith("chatcmpl-"), "chat:", answer)
        events = server.chat_stream(row["messages"], max_completion_tokens=limit, stream_options={"include_usage": True})
        check(streamed_text(events) == row["a"]["prediction"], "stream:", streamed_text(events), "instead of", row["a"])
        check(events[0]["choices"][0]["delta"]["role"] == "assistant", "stream: no role", events[0])
        reasons = [event["choices"][0]["finish_reason"] for event in events if event["choices"]]
        check(reasons[-1] == row["a"]["finish_reason"] and not any(reasons[:-1]), "stream: reasons", reasons)
        check(events[-1]["choices"] == [] and events[-1]["usage"] == usage, "stream: usage", events[-1])
        check({event["object"] for event in events} == {"chat.completion.chunk"} and len({event["id"] for event in events}) == 1, "stream: ids")
    check("usage" not in server.chat_stream(rows[0]["messages"], max_tokens=2)[0], "stream: usage that nobody asked for")


def check_sampling(server):
    asked = expected["sampled"]
    for _ in range(2):
        status, answer = server.chat([{"role": "user", "content": asked["prompt"]}], temperature=0.8, top_p=0.9, seed=7, max_tokens=limit)
        check(text_of(answer) == asked["text"], "sampled:", text_of(answer), "instead of", asked["text"])
    texts = {text_of(server.chat([{"role": "user", "content": "x"}], temperature=2, max_tokens=12)[1]) for _ in range(8)}
    check(len(texts) > 1, "without a seed all draws are the same:", texts)
    status, answer = server.json("POST", "/v1/completions", {"model": "tiny", "prompt": asked["prompt"], "temperature": 0, "max_tokens": limit})
    check(status == 200 and answer["choices"][0]["text"] == asked["raw"] and answer["object"] == "text_completion", "completion:", answer)
    events = server.stream("/v1/completions", {"model": "tiny", "prompt": asked["prompt"], "temperature": 0, "max_tokens": limit})
    check("".join(event["choices"][0]["text"] for event in events) == asked["raw"], "streamed completion:", events)


def check_stops(server):
    row = max(rows, key=lambda row: len(row["a"]["prediction"]))
    whole = row["a"]["prediction"]
    for begin, length in ((len(whole) // 2, 3), (1, 2), (len(whole) - 2, 2)):
        stop = whole[begin:begin + length]
        wanted = whole[:whole.index(stop)]
        status, answer = server.chat(row["messages"], max_tokens=limit, stop=[stop, "never there"])
        check(text_of(answer) == wanted and answer["choices"][0]["finish_reason"] == "stop", "stop", repr(stop), answer)
        events = server.chat_stream(row["messages"], max_tokens=limit, stop=stop)
        check(streamed_text(events) == wanted, "stop in a stream", repr(stop), streamed_text(events))


def check_control_tokens_of_strangers(server):
    """A content that spells a control token is text: the prompt has more tokens than one in which it would command."""
    counts = [server.chat([{"role": "user", "content": content}], max_tokens=1)[1]["usage"]["prompt_tokens"] for content in ("", expected["control_token"])]
    check(counts[1] - counts[0] > 1, "a control token in a content is one token:", counts)


def check_embeddings(server):
    texts, vectors = expected["texts"], expected["vectors"]
    ask = lambda **more: server.json("POST", "/v1/embeddings", {"model": "encoder", "input": texts, **more})
    status, answer = ask()
    got = [item["embedding"] for item in answer["data"]]
    as_floats = lambda row: [struct.unpack("<f", struct.pack("<f", value))[0] for value in row]
    check(status == 200 and [as_floats(row) for row in got] == vectors, "embeddings differ from temper embed:", status)
    check([item["index"] for item in answer["data"]] == list(range(len(texts))) and answer["usage"]["prompt_tokens"] > 0, "embeddings:", answer["usage"])
    packed = [base64.b64decode(item["embedding"]) for item in ask(encoding_format="base64")[1]["data"]]
    check([list(struct.unpack(f"<{len(row) // 4}f", row)) for row in packed] == vectors, "base64 differs")
    short = ask(dimensions=4)[1]["data"]
    check(all(len(item["embedding"]) == 4 for item in short), "dimensions: 4")
    single = server.json("POST", "/v1/embeddings", {"model": "encoder", "input": texts[0]})[1]["data"]
    check(len(single) == 1 and as_floats(single[0]["embedding"]) == vectors[0], "a text alone has another vector")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for status, answer in pool.map(lambda i: ask(), range(24)):
            check(status == 200 and [as_floats(item["embedding"]) for item in answer["data"]] == vectors, "embeddings at once:", status)


def check_errors(server):
    hello = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}]}
    vector = {"model": "encoder", "input": "x"}
    chat, embeddings = "/v1/chat/completions", "/v1/embeddings"
    cases = [
        ("POST", chat, b"{", 400, None, None), ("POST", chat, b"", 400, None, None), ("POST", chat, b"\xff\xfe", 400, None, None),
        ("POST", chat, b"[" * 5000, 400, None, None), ("POST", chat, [], 400, None, None), ("POST", chat, {}, 400, "messages", None),
        ("POST", chat, {**hello, "model": "gpt-4"}, 404, "model", "model_not_found"), ("POST", chat, {**hello, "model": "encoder"}, 404, "model", "model_not_found"),
        ("POST", chat, {**hello, "n": 2}, 400, "n", "unsupported_value"), ("POST", chat, {**hello, "tools": [{}]}, 400, "tools", "unsupported_value"),
        ("POST", chat, {**hello, "max_token": 3}, 400, "max_token", "unsupported_parameter"), ("POST", chat, {**hello, "temperature": 3}, 400, "temperature", None),
        ("POST", chat, {**hello, "max_tokens": 100000}, 400, "messages", "context_length_exceeded"),
        ("POST", chat, {**hello, "messages": [{"role": "user", "content": "word " * 3000}]}, 400, "messages", "context_length_exceeded"),
        ("POST", embeddings, {**vector, "model": "tiny"}, 404, "model", "model_not_found"), ("POST", embeddings, {**vector, "dimensions": 100000}, 400, "dimensions", None),
        ("POST", embeddings, {**vector, "input": ["x", "word " * 3000]}, 400, "input", None), ("GET", chat, None, 405, None, "method_not_allowed"),
        ("POST", "/v1/models", {}, 405, None, "method_not_allowed"), ("GET", "/v1/models/other", None, 404, "model", "model_not_found"),
        ("GET", "/v1/files", None, 404, None, "not_found"), ("GET", "/", None, 404, None, "not_found"),
    ]
    for method, path, body, wanted, parameter, code in cases:
        status, answer = server.json(method, path, body)
        error = answer.get("error", {})
        check(status == wanted and set(error) == {"message", "type", "param", "code"} and error["message"], "error:", method, path, str(body)[:80], status, answer)
        check(error.get("param") == parameter and (code is None or error.get("code") == code), "error:", str(body)[:80], answer)
    raw = socket.create_connection(server.host.split(":"), timeout=10)
    raw.sendall(b"what is this\r\n\r\n")
    check(raw.recv(100).startswith(b"HTTP/1.1 400"), "bytes that are no HTTP")
    status, answer = server.json("POST", chat, b"x" * 70000)
    check(status == 413 and "65536" in answer["error"]["message"], "a long body:", status, answer)
    check([item["id"] for item in server.json("GET", "/v1/models")[1]["data"]] == ["tiny", "encoder"], "models")
    for name in ("tiny", "ti%6Ey"):
        check(server.json("GET", f"/v1/models/{name}")[1].get("id") == "tiny", "one model:", name)
    status, answer = server.json("POST", chat, {**hello, "chat_template_kwargs": {f"name {i}": 1 for i in range(2000)}})
    check(status == 400 and answer["error"]["param"] == "chat_template_kwargs", "many names:", status, str(answer)[:300])
    check(server.metrics().get('temper_requests_total{endpoint="http",status="400"}') == 1, "metrics: bytes that are no HTTP")
    check(server.metrics().get('temper_requests_total{endpoint="http",status="413"}') == 1, "metrics: a long body")
    check("http 413, the body has more than 65536 bytes" in server.log(), "log: a long body")
    check(server.chat(hello["messages"], max_tokens=1)[0] == 200, "the server does not answer after errors")


def check_together(server):
    """Many at once, in both forms: every answer is what it is alone."""
    def ask(i):
        row = rows[i % len(rows)]
        if i % 3 == 0:
            return streamed_text(server.chat_stream(row["messages"], max_tokens=limit)) == row["a"]["prediction"]
        status, answer = server.chat(row["messages"], max_tokens=limit)
        return status == 200 and text_of(answer) == row["a"]["prediction"]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(64)))
    check(all(answers), "together:", answers.count(False), "of 64 answers differ")


def check_metrics(server):
    values = server.metrics()
    check(values['temper_requests_total{endpoint="/v1/chat/completions",status="200"}'] >= 64, "metrics: chats")
    check(values['temper_requests_total{endpoint="/v1/chat/completions",status="400"}'] >= 5, "metrics: refused chats")
    check(values['temper_tokens_total{kind="generated"}'] > 500 and values['temper_tokens_total{kind="embedded"}'] > 10, "metrics: tokens")
    under_way = lambda: server.metrics()["temper_queue_depth"] + server.metrics()["temper_running_requests"]
    check(wait_until(lambda: under_way() == 0), "metrics: something is left under way")
    check(any(f'adapter_sha256="{expected["sha256"]["a"]}"' in name and 'version="1"' in name for name in values), "metrics: no adapter", list(values)[-8:])
    count = values['temper_request_seconds_count{endpoint="/v1/embeddings"}']
    check(count == values['temper_request_seconds_bucket{endpoint="/v1/embeddings",le="+Inf"}'] > 24, "metrics: histogram")


versions = {"a": 1, "b": 2}
pointer = f"{work}/registry/tiny/aliases/production.json"


def promote(name, verdict):
    command = [temper, "registry", "promote", f"{work}/run_{name}", "--name", "tiny", "--alias", "production", "--verdict", f"{work}/{verdict}.json", "--registry", f"{work}/registry"]
    return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode


def put_pointer(text):
    open(pointer + ".new", "w").write(text)
    os.rename(pointer + ".new", pointer)


def check_reload(server):
    """The pointer moves while requests run: none fails, each is answered by the version that its fingerprint names, and the last ones by the new."""
    stop, answers = threading.Event(), []

    def ask(i):
        while not stop.is_set():
            row = rows[i % len(rows)]
            if i % 2:
                status, answer = server.chat(row["messages"], max_tokens=limit)
                text, fingerprint = text_of(answer) if status == 200 else answer, answer.get("system_fingerprint")
            else:
                events = server.chat_stream(row["messages"], max_tokens=limit)
                status, text, fingerprint = 200, streamed_text(events), events[0]["system_fingerprint"]
            answers.append((status, row, text, fingerprint))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    version = lambda: server.json("GET", "/health")[1]["version"]
    check(promote("b", "stopped_b") == 3, "reload: a run that the gate stopped is promoted")
    time.sleep(0.3)
    check(version() == 1 and server.metrics()['temper_reloads_total{outcome="done"}'] == 0, "reload: without a move")
    for wanted in ("b", "a", "b"):
        time.sleep(0.3)
        check(promote(wanted, f"passed_{wanted}") == 0, "reload: not promoted:", wanted)
        number = versions[wanted]
        check(wait_until(lambda: version() == number), "reload: version", number, "is not served:", server.log()[-500:])
    time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    names = {f"v{versions[key]}-{expected['sha256'][key][:12]}": key for key in "ab"}
    seen = set()
    for status, row, text, fingerprint in answers:
        key = names.get(fingerprint)
        check(status == 200 and key and text == row[key]["prediction"], "reload:", status, fingerprint, text, "instead of", key and row[key])
        seen.add(key)
    check(seen == {"a", "b"}, "reload: answers of", seen, "in", len(answers))
    check(wait_until(lambda: server.metrics()["temper_model_versions_loaded"] == 1), "reload: an old version stays in memory")
    check(server.metrics()['temper_reloads_total{outcome="done"}'] == 3, "reload: counted", server.metrics())
    # An adapter whose bytes are not those that were registered is not served, and the one that is stays. Nor is a pointer that nobody can read.
    whole = open(pointer).read()
    put_pointer(whole.replace(expected["sha256"]["b"], "0" * 64))
    check(wait_until(lambda: server.metrics()['temper_reloads_total{outcome="failed"}'] > 0), "reload: a broken version is not noticed")
    status, answer = server.chat(rows[0]["messages"], max_tokens=limit)
    check(status == 200 and text_of(answer) == rows[0]["b"]["prediction"], "reload: after a broken version", answer)
    check(server.log().count("SHA-256") == 1, "reload: the log says it", server.log().count("SHA-256"), "times")
    put_pointer(whole[:100])
    check(wait_until(lambda: "production.json" in server.log()), "reload: a torn pointer is not noticed")
    check(server.chat(rows[0]["messages"], max_tokens=limit)[0] == 200, "reload: after a torn pointer")
    put_pointer(whole)
    check(promote("a", "passed_a") == 0 and wait_until(lambda: version() == 1), "reload: not back to the first version")
    print(f"reload: {len(answers)} answers over three moves, none lost")


def long_chat(server, **more):
    return server.chat(rows[0]["messages"], max_tokens=200, stop=["\u2603"], **more)


def check_drain(server):
    """SIGTERM while requests run and wait: all are answered, then the process ends with 0."""
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        asked = [pool.submit(long_chat, server) for _ in range(24)]
        check(wait_until(lambda: server.metrics()["temper_running_requests"] > 0), "drain: nothing runs")
        server.process.send_signal(signal.SIGTERM)
        statuses = [future.result()[0] for future in asked]
    check(statuses == [200] * 24, "drain:", statuses)
    check(server.process.wait(30) == 0, "drain: exit", server.process.returncode, server.log()[-500:])
    try:
        server.request("GET", "/health")
        check(False, "drain: it still answers")
    except OSError:
        pass


def check_limits():
    server = Server("limits", "slots=1", "limits.queue=1", "limits.answer_seconds=0.2", "embedding_model=null", "api_key_env=TEMPER_TEST_KEY",
                    environment={"TEMPER_TEST_KEY": "secret"}.items())
    key = {"Authorization": "Bearer secret"}
    chat = lambda tokens=450: server.json("POST", "/v1/chat/completions", {"model": "tiny", "messages": [{"role": "user", "content": "x"}], "temperature": 1,
                                          "seed": 1, "max_tokens": tokens}, key)[0]
    for headers in ({}, {"Authorization": "Bearer wrong!"}, {"Authorization": "secret"}):
        status, answer = server.json("GET", "/v1/models", headers=headers)
        check(status == 401 and answer["error"]["code"] == "invalid_api_key", "key:", status, answer)
    check(server.json("GET", "/v1/models", headers=key)[0] == 200 and server.json("GET", "/health")[0] == 200, "key")
    check(server.json("POST", "/v1/embeddings", {"model": "encoder", "input": "x"}, key)[0] == 404, "no embedding model")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda i: chat(), range(16)))
    check(set(statuses) <= {200, 503, 504} and 503 in statuses and {200, 504} & set(statuses), "limits:", statuses)
    # A client that goes frees its slot.
    connection = http.client.HTTPConnection(server.host)
    body = {"model": "tiny", "messages": [{"role": "user", "content": "x"}], "max_tokens": 450, "temperature": 1, "seed": 1, "stream": True}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), key)
    connection.getresponse().read(1)
    connection.close()
    check(wait_until(lambda: server.metrics()["temper_running_requests"] == 0), "a client that went keeps its slot")
    check(chat(2) == 200, "after a client that went")
    check(server.stop() == 0, "limits: exit", server.process.returncode)
    check("secret" not in server.log(), "the key is in the log")


def check_embedding_limits():
    """Many long texts at once: /health does not wait while they are read, they end with 504 after their time, and SIGTERM does not wait for them."""
    long_one = json.dumps({"model": "encoder", "input": ["a cat sat on the mat " * 300] * 2048, "encoding_format": "base64"}).encode()

    def ask(server):
        try:
            return server.request("POST", "/v1/embeddings", long_one)[0]
        except (OSError, http.client.HTTPException):
            return None  # cut off

    def ask_together(server, meanwhile):
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            asked = [pool.submit(ask, server) for _ in range(6)]
            time.sleep(0.3)
            began = time.time()
            result = meanwhile()
            return result, time.time() - began, [future.result() for future in asked]

    large = ["limits.body_bytes=16777216", "embedding_truncate=true"]
    server = Server("late_vectors", *large, "limits.answer_seconds=0.01")
    health, seconds, statuses = ask_together(server, lambda: server.request("GET", "/health")[0])
    check(health == 200 and seconds < 1, "vectors: /health waits", health, seconds)
    check(statuses == [504] * 6, "vectors: beyond their time:", statuses)
    check(server.stop() == 0, "vectors: exit", server.process.returncode)
    server = Server("cut_vectors", *large, "limits.drain_seconds=0.2")
    connection = http.client.HTTPConnection(server.host)
    connection.request("POST", "/v1/embeddings", long_one)
    connection.close()
    gone = 'temper_requests_total{endpoint="/v1/embeddings",status="499"}'
    check(wait_until(lambda: server.metrics().get(gone) == 1), "vectors: a client that goes is not noticed", server.log()[-300:])
    code, seconds, statuses = ask_together(server, server.stop)
    check(code in (0, 75) and seconds < 5, "vectors: SIGTERM:", code, "after", seconds, "s", server.log()[-300:])
    check(set(statuses) <= {200, None}, "vectors: cut off:", statuses)


def prompts(*arguments):
    done = subprocess.run([temper, "prompts", *arguments, "--prompts", f"{work}/prompts", "--json"], stdout=subprocess.PIPE)
    check(done.returncode == 0, "prompts", *arguments)
    return json.loads(done.stdout.splitlines()[-1])


def check_system_prompt():
    """A chat without a system message is answered as one that brings the prompt's text, under a fingerprint that names it; the alias is followed."""
    texts = {"brief": "You answer in one word.", "kind": "Be kind, and call the customer by name."}
    open(f"{work}/brief.yaml", "w").write(f"name: assistant\ntemplate: {texts['brief']}\n")
    open(f"{work}/kind.yaml", "w").write(f"name: assistant\nmessages:\n  - {{role: system, content: '{texts['kind']}'}}\n  - {{role: user, content: '{{{{ message }}}}'}}\n")
    open(f"{work}/varying.yaml", "w").write("name: assistant\ntemplate: 'Hello {{ name }}'\n")
    added = {name: prompts("add", f"{work}/{name}.yaml") for name in ("brief", "kind", "varying")}
    hashes = {name: prompt["sha256"] for name, prompt in added.items()}
    prompts("alias", "assistant:1", "production")
    server = Server("prompts", "system_prompt=assistant@production", f"prompts={work}/prompts", "embedding_model=null")
    user = [row["messages"] for row in rows if row["messages"][0]["role"] != "system"][0]
    strip = lambda answer: (answer["choices"], answer["usage"])
    base = f"v1-{expected['sha256']['a'][:12]}"

    def check_given(name, version):
        status, given = server.chat(user, max_tokens=limit)
        own = server.chat([{"role": "system", "content": texts[name]}, *user], max_tokens=limit)[1]
        other = server.chat([{"role": "developer", "content": "Something else."}, *user], max_tokens=limit)[1]
        check(status == 200 and strip(given) == strip(own) != strip(other), "prompt:", name, given, own)
        check(given["system_fingerprint"] == f"{base}-p{hashes[name][:12]}" and own["system_fingerprint"] == base, "prompt:", given["system_fingerprint"])
        events = server.chat_stream(user, max_tokens=limit)
        check(streamed_text(events) == text_of(given) and events[0]["system_fingerprint"] == given["system_fingerprint"], "prompt in a stream:", events[:1])
        health = server.json("GET", "/health")[1]["system_prompt"]
        check(health == {"name": "assistant", "version": version, "sha256": hashes[name]}, "prompt: health", health)
        info = f'temper_system_prompt_info{{name="assistant",version="{version}",sha256="{hashes[name]}"}}'
        check(server.metrics().get(info) == 1, "prompt: metrics", [line for line in server.metrics() if "prompt" in line])

    check_given("brief", 1)
    plain = server.json("POST", "/v1/completions", {"model": "tiny", "prompt": "x", "temperature": 0})[1]
    check(plain["system_fingerprint"] == base, "prompt: of a completion", plain["system_fingerprint"])
    prompts("alias", "assistant:2", "production")
    check(wait_until(lambda: server.json("GET", "/health")[1]["system_prompt"]["version"] == 2), "prompt: the move is not followed", server.log()[-300:])
    check_given("kind", 2)
    prompts("alias", "assistant:3", "production")
    check(wait_until(lambda: server.metrics()['temper_prompt_reloads_total{outcome="failed"}'] > 1), "prompt: one with variables is not noticed")
    check_given("kind", 2)
    check(server.log().count("expected a fixed text") == 1, "prompt: the log says it", server.log().count("expected a fixed text"), "times")
    prompts("alias", "assistant:1", "production")
    check(wait_until(lambda: server.json("GET", "/health")[1]["system_prompt"]["version"] == 1), "prompt: not back to the first")
    check_given("brief", 1)
    check(server.metrics()['temper_prompt_reloads_total{outcome="done"}'] == 2, "prompt: counted", server.metrics())
    check(server.stop() == 0, "prompt: exit", server.process.returncode)
    for overrides, code, reason in ((["system_prompt=assistant:3"], 2, "fixed text"), (["system_prompt=absent@production"], 66, "no prompt absent"),
                                    (["system_prompt=assistant@nobody"], 66, "no alias nobody"), (["system_prompt=assistant:2", "max_context=16"], 2, "max_context")):
        done = subprocess.run([program, "--config", f"{work}/serve.yaml", "port=0", f"prompts={work}/prompts", *overrides], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        check(done.returncode == code and reason in done.stderr, "prompt:", overrides, done.returncode, done.stderr[-300:])


try:
    server = Server("server")
    for part in (check_chats, check_sampling, check_stops, check_control_tokens_of_strangers, check_embeddings, check_errors, check_together, check_metrics, check_reload,
                 check_drain):
        began = time.time()
        part(server)
        print(f"{part.__name__}: {time.time() - began:.1f} s")
    check_limits()
    check_embedding_limits()
    began = time.time()
    check_system_prompt()
    print(f"check_system_prompt: {time.time() - began:.1f} s")
finally:
    if "server" in globals() and server.process.poll() is None:
        server.kill()
sys.exit(len(failures) > 0)
