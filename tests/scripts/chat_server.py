# chat_server.py LOG [SECONDS [uncounted|troubled]]: an OpenAI-compatible endpoint on a free port of this machine, which it prints. A word in the question
# decides the answer: see do_POST(). Each request is a line of LOG: [word, chunk, turn, authorization]. `uncounted` says nothing of tokens, `troubled` fails
# in turns at the first request about a chunk.
import json, re, sys, threading, time

import stand_in

log, delay = open(sys.argv[1], "a"), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
manner = sys.argv[3] if len(sys.argv) > 3 else ""
troubles = [(529, {"error": {"message": "overloaded"}}), (200, {"error": {"message": "overloaded", "code": 502}}), (200, "<html>")]
lock, busy = threading.Lock(), set()


def rows(chunk, preference, same):
    result = []
    for number in (1, 2):
        row = {"prompt": "What is said? " if same else f"What does {chunk} say, {number}?"}
        row.update({"chosen": f"A {chunk} {number}", "rejected": "Nothing."} if preference else {"completion": f"It says \u201cyes\u201d, {chunk} {number}."})
        result.append(row)
    return result


class Handler(stand_in.Quiet):
    protocol_version = "HTTP/1.1"

    def send(self, status, answer, headers=()):
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = next(m["content"] for m in body["messages"] if m["role"] == "user")
        turn = sum(m["role"] == "user" for m in body["messages"])
        found = re.search(r"\b([A-Z]{4,}) of (\S+) part (\d)", question)
        word, chunk = found.group(1), f"{found.group(2)}#{found.group(3)}"
        with lock:
            log.write(json.dumps([word, chunk, turn, self.headers.get("Authorization", "")]) + "\n")
            log.flush()
            first = chunk not in busy
            busy.add(chunk)
            trouble = troubles[len(busy) % len(troubles)]
        time.sleep(delay)
        if self.headers.get("Authorization") != "Bearer secret-of-the-test":
            return self.send(401, {"error": {"message": f"bad key {self.headers.get('Authorization')}"}})
        if word == "BUSY" and first:
            return self.send(429, {"error": {"message": "slow down"}}, [("Retry-After", "0")])
        if manner == "troubled" and first and word != "BUSY":
            return self.send(*trouble)
        if word == "REFUSED":
            return self.send(400, {"error": {"message": "content policy"}})
        text = json.dumps({"rows": rows(chunk, "chosen" in question, word == "SAME")})
        if word == "HOPELESS" or word == "MALFORMED" and turn == 1:
            text = text[:-5] if turn == 1 else '{"rows": [{"prompt": 1}]}'
        if word == "FENCED":
            text = f"Here it is:\n```json\n{text}\n```\nAnything else?"
        answer = {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
        if manner != "uncounted":
            answer["usage"] = {"prompt_tokens": 1000, "completion_tokens": 100}
        self.send(200, answer)


stand_in.serve(Handler)
