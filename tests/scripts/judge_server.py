# judge_server.py LOG [SECONDS]: an OpenAI-compatible endpoint on a free port of this machine, which it prints, that judges answers by words in them: one
# with "good" is good, with "invented" a hallucination. Of two alike it prefers the first, whatever it is. "malformed" in an answer gives a verdict that
# cannot be read at the first turn, "hopeless" at both, "fenced" one in a fence. Each request is a line of LOG: [kind, turn, sha256 of the body].
import hashlib, json, re, sys, threading, time

import stand_in

log, delay, lock = open(sys.argv[1], "a"), float(sys.argv[2]) if len(sys.argv) > 2 else 0.0, threading.Lock()


def between(text, name):
    found = re.search(rf"<{name}>\n(.*)\n</{name}>", text, re.DOTALL)
    return found.group(1) if found else ""


def verdict(question):
    if '"winner"' in question:
        good = ["good" in between(question, name) for name in ("answer_a", "answer_b")]
        return "preference", {"reason": "better", "winner": "B" if good == [False, True] else "A"}
    answer = between(question, "answer")
    if '"hallucinated"' in question:
        return "hallucination", {"reason": "looked for", "hallucinated": "invented" in answer}
    kind = "faithfulness" if "<context>" in question else "relevance"
    return kind, {"reason": "as it is", "score": 5 if "good" in answer else 2}


class Handler(stand_in.Quiet):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        messages = json.loads(data)["messages"]
        turn = sum(m["role"] == "user" for m in messages)
        question = messages[0]["content"]
        kind, said = verdict(question)
        with lock:
            log.write(json.dumps([kind, turn, hashlib.sha256(data).hexdigest()]) + "\n")
            log.flush()
        time.sleep(delay)
        text = json.dumps(said)
        answer = between(question, "answer")
        if "hopeless" in answer or "malformed" in answer and turn == 1:
            text = '{"reason": "no", "score": 9}'
        if "fenced" in answer:
            text = f"Here:\n```json\n{text}\n```"
        body = json.dumps({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                           "usage": {"prompt_tokens": 1000, "completion_tokens": 100}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


stand_in.serve(Handler)
