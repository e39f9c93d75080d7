# tracker_server.py [MODE]: MLflow's, ClearML's and an OTLP collector's interfaces on a free port of this machine, which it prints. What it took stands in GET /_state.
# POST /_mode with the name of a fault makes every answer that of a server which is broken so; APPLIED names those that break after having done what was asked.
# Figures are appended as MLflow's file store does it: one that is sent twice is there twice.
import base64, http.server, json, random, re, socket, struct, sys, threading, time, urllib.parse, uuid

APPLIED = {"500-applied", "hang-body", "garbage", "half", "reset", "drip", "truncated"}
FAULTS = ["500", "500-applied", "429", "hang", "hang-body", "garbage", "html", "wrong", "half", "drip", "redirect", "truncated", "reset"]
lock = threading.Lock()
mode = {"name": sys.argv[1] if len(sys.argv) > 1 else "ok"}
store = {"experiments": {}, "runs": {}, "artifacts": {}, "traces": [], "projects": {}, "tasks": {}, "files": {}, "events": [], "spans": [], "models": {}, "requests": 0, "faults": {}}
random.seed(7)


class Refused(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


def check(condition, message, code="INVALID_PARAMETER_VALUE"):
    if not condition:
        raise Refused(404 if code == "RESOURCE_DOES_NOT_EXIST" else 400, code, message)


def run_of(run_id):
    check(run_id in store["runs"], f"no run {run_id}", "RESOURCE_DOES_NOT_EXIST")
    return store["runs"][run_id]


def log_batch(body):
    run = run_of(body["run_id"])
    metrics, params, tags = (body.get(name, []) for name in ("metrics", "params", "tags"))
    check(len(metrics) <= 1000 and len(params) <= 100 and len(tags) <= 100 and len(metrics) + len(params) + len(tags) <= 1000, "batch too large")
    for item in metrics + params + tags:
        check(re.fullmatch(r"[\w\-. /:]{1,250}", item["key"]), f"bad key {item['key']}")
    for param in params:
        check(run["params"].get(param["key"], param["value"]) == param["value"], f"param {param['key']} changes")
        check(len(param["value"]) <= 6000, "param too long")
    for metric in metrics:
        check(isinstance(metric["step"], int) and isinstance(metric["timestamp"], int), "step and timestamp are whole numbers")
        check(isinstance(metric["value"], (int, float)) or metric["value"] in ("NaN", "Infinity", "-Infinity"), "a value is a number")
    run["params"].update({p["key"]: p["value"] for p in params})
    run["tags"].update({t["key"]: t["value"] for t in tags})
    run["metrics"] += metrics
    return {}


def get_run(run_id):
    run = run_of(run_id)
    latest = {}
    for metric in run["metrics"]:
        if metric["key"] not in latest or metric["step"] >= latest[metric["key"]]["step"]:
            latest[metric["key"]] = metric
    pairs = lambda items: [{"key": k, "value": v} for k, v in items.items()]
    return {"info": {"run_id": run_id, "artifact_uri": run["artifact_uri"], "status": run["status"], "experiment_id": run["experiment_id"]},
            "data": {"metrics": list(latest.values()), "params": pairs(run["params"]), "tags": pairs(run["tags"])},
            "inputs": {"dataset_inputs": run["datasets"]}}


def mlflow(path, query, body):
    if path == "experiments/get-by-name":
        name = query["experiment_name"][0]
        check(name in store["experiments"], f"no experiment {name}", "RESOURCE_DOES_NOT_EXIST")
        return {"experiment": {"experiment_id": store["experiments"][name], "name": name}}
    if path == "experiments/create":
        check(body["name"] not in store["experiments"], "there already", "RESOURCE_ALREADY_EXISTS")
        store["experiments"][body["name"]] = str(len(store["experiments"]) + 1)
        return {"experiment_id": store["experiments"][body["name"]]}
    if path == "runs/create":
        run_id = uuid.uuid4().hex
        check(body["experiment_id"] in store["experiments"].values(), "no such experiment", "RESOURCE_DOES_NOT_EXIST")
        store["runs"][run_id] = {"experiment_id": body["experiment_id"], "name": body["run_name"], "status": "RUNNING", "start_time": body["start_time"], "params": {}, "metrics": [],
                                 "tags": {t["key"]: t["value"] for t in body["tags"]}, "datasets": [], "artifact_uri": f"mlflow-artifacts:/{body['experiment_id']}/{run_id}/artifacts"}
        return {"run": get_run(run_id)}
    if path == "runs/search":
        key, value = re.fullmatch(r"tags\.`([^`]+)` = '([^']*)'", body["filter"]).groups()
        found = [get_run(i) for i, run in store["runs"].items() if run["tags"].get(key) == value and run["experiment_id"] in body["experiment_ids"]]
        return {"runs": found[: body["max_results"]]} if found else {}
    if path == "runs/get":
        return {"run": get_run(query["run_id"][0])}
    if path == "runs/log-batch":
        return log_batch(body)
    if path == "runs/log-inputs":
        run_of(body["run_id"])["datasets"] += body["datasets"]
        return {}
    if path == "runs/update":
        run = run_of(body["run_id"])
        run["status"] = body["status"]
        return {"run_info": {"run_id": body["run_id"], "status": run["status"]}}
    if path == "metrics/get-history":
        metrics = [m for m in run_of(query["run_id"][0])["metrics"] if m["key"] == query["metric_key"][0]]
        start, most = int(query.get("page_token", ["0"])[0]), min(7, int(query["max_results"][0]))  # pages are small here
        answer = {"metrics": metrics[start : start + most]}
        if start + most < len(metrics):
            answer["next_page_token"] = str(start + most)
        return answer
    if path.startswith(("registered-models/", "model-versions/")):
        return model_registry(path, query, body)
    raise Refused(404, "ENDPOINT_NOT_FOUND", path)


def model_registry(path, query, body):
    """As MLflow's: a version's source among a run's artifacts needs that run, and a local path is refused."""
    pairs = lambda tags: {t["key"]: t["value"] for t in tags}
    items = lambda tags: [{"key": k, "value": v} for k, v in tags.items()]
    name = body["name"] if body else query["name"][0] if "name" in query else re.match("name='([^']*)'", query["filter"][0]).group(1)
    models = store["models"]
    if path == "registered-models/create":
        check(name not in models, "there already", "RESOURCE_ALREADY_EXISTS")
        models[name] = {"tags": pairs(body.get("tags", [])), "aliases": {}, "versions": []}
        return {"registered_model": {"name": name}}
    if path == "model-versions/search":
        versions = models.get(name, {"versions": []})["versions"]
        start = int(query.get("page_token", ["0"])[0])  # two a page here
        answer = {"model_versions": [{"name": name, "version": str(i + 1), "tags": items(v["tags"])} for i, v in enumerate(versions)][start : start + 2]}
        return {**answer, "next_page_token": str(start + 2)} if start + 2 < len(versions) else answer
    check(name in models, f"no model {name}", "RESOURCE_DOES_NOT_EXIST")
    model = models[name]
    if path == "registered-models/get":
        return {"registered_model": {"name": name, "tags": items(model["tags"]), "aliases": [{"alias": a, "version": v} for a, v in model["aliases"].items()]}}
    if path == "model-versions/create":
        if body["source"].startswith("mlflow-artifacts:"):
            check(body["source"].startswith(run_of(body.get("run_id"))["artifact_uri"] + "/"), "the source is not the run's")
        check(re.match("[a-z-]+:", body["source"]) and not body["source"].startswith("file:"), f"a local source {body['source']}")
        model["versions"].append({"source": body["source"], "run_id": body.get("run_id"), "tags": pairs(body["tags"])})
        return {"model_version": {"name": name, "version": str(len(model["versions"]))}}
    version = body["version"]
    check(0 < int(version) <= len(model["versions"]), f"no version {version}", "RESOURCE_DOES_NOT_EXIST")
    if path == "registered-models/alias":
        check(body["alias"] != "latest", "'latest' alias name (case insensitive) is reserved.")
        model["aliases"][body["alias"]] = version
        store.setdefault("alias_moves", []).append([name, body["alias"], version])
    elif path == "model-versions/set-tag":
        model["versions"][int(version) - 1]["tags"][body["key"]] = body["value"]
    else:
        raise Refused(404, "ENDPOINT_NOT_FOUND", path)
    return {}


def check_spans(body):
    def fields(json, required, optional=()):
        check(isinstance(json, dict) and set(required) <= set(json) <= set(required) | set(optional), f"fields of {json}")

    def attributes(items):
        for item in items:
            fields(item, ["key", "value"])
            ((kind, value),) = item["value"].items()
            check(isinstance(value, {"stringValue": str, "boolValue": bool, "intValue": str, "doubleValue": (int, float)}[kind]), f"value {item}")

    fields(body, ["resourceSpans"])
    for resource_spans in body["resourceSpans"]:
        fields(resource_spans, ["resource", "scopeSpans"], ["schemaUrl"])
        attributes(resource_spans["resource"]["attributes"])
        check(any(a["key"] == "service.name" for a in resource_spans["resource"]["attributes"]), "a service has a name")
        for scope_spans in resource_spans["scopeSpans"]:
            fields(scope_spans, ["scope", "spans"], ["schemaUrl"])
            for span in scope_spans["spans"]:
                fields(span, ["traceId", "spanId", "name", "startTimeUnixNano", "endTimeUnixNano"], ["parentSpanId", "kind", "attributes", "status", "traceState", "flags", "events", "links"])
                check(re.fullmatch("[0-9a-f]{32}", span["traceId"]) and re.fullmatch("[0-9a-f]{16}", span["spanId"]), "ids are hexadecimal")
                check(re.fullmatch("[0-9a-f]{16}", span.get("parentSpanId", "0" * 16)), "ids are hexadecimal")
                check(all(re.fullmatch("[0-9]{19}", span[n]) for n in ("startTimeUnixNano", "endTimeUnixNano")), "times are nanoseconds as text")
                check(int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) and span["kind"] in range(6) and span["status"]["code"] in range(3), "a span")
                attributes(span["attributes"])
                yield span


def traces(body, headers):
    spans = list(check_spans(body))
    if headers.get("x-mlflow-experiment-id"):
        store["traces"].append({"experiment_id": headers["x-mlflow-experiment-id"], "run_id": headers["x-mlflow-run-id"], "spans": spans})
    else:
        store["spans"] += spans
    return {}


def clearml(endpoint, text, headers):
    if endpoint == "auth.login":
        check(headers["Authorization"] == "Basic " + base64.b64encode(b"key:secret").decode(), "credentials")
        return {"token": "t0"}
    if headers["Authorization"] != "Bearer t0":
        raise Refused(401, "", "no token")
    if endpoint == "events.add_batch":
        events = [json.loads(line) for line in text.splitlines()]
        for event in events:
            check(event["task"] in store["tasks"] and isinstance(event["value"], (int, float)), f"event {event}")
        store["events"] += events
        return {"added": len(events), "errors": 0}
    body = json.loads(text)
    if endpoint == "projects.get_all":
        return {"projects": [{"id": i, "name": n} for n, i in store["projects"].items() if re.search(body["name"], n)]}
    if endpoint == "projects.create":
        return {"id": store["projects"].setdefault(body["name"], uuid.uuid4().hex)}
    if endpoint == "tasks.get_all":
        return {"tasks": [{"id": i} for i, task in store["tasks"].items() if set(body["tags"]) <= set(task["tags"])]}
    if endpoint == "tasks.create":
        task = uuid.uuid4().hex
        store["tasks"][task] = {**body, "status": "created", "hyperparams": {}}
        return {"id": task}
    task = store["tasks"][body["task"]]
    if endpoint == "tasks.add_or_update_artifacts":
        check(task["status"] != "created" or body["force"], "the task runs")
        for artifact in body["artifacts"]:
            check(urllib.parse.unquote(urllib.parse.urlsplit(artifact["uri"]).path[1:]) in store["files"], f"no file {artifact['uri']}")
            task.setdefault("artifacts", {})[artifact["key"]] = artifact  # known by their keys
    elif endpoint == "tasks.edit_hyper_params":
        task["hyperparams"] = {p["section"] + "/" + p["name"]: p["value"] for p in body["hyperparams"]}
    elif endpoint in ("tasks.started", "tasks.completed", "tasks.failed", "tasks.stopped"):
        task["status"] = endpoint[6:]
    else:
        raise Refused(404, "", endpoint)
    return {"updated": 1}


def file_server(data, headers):
    """A form with one file, under the name that it is kept by."""
    if headers["Authorization"] != "Bearer t0":
        raise Refused(401, "", "no token")
    boundary = re.fullmatch(r"multipart/form-data; boundary=(.+)", headers["Content-Type"]).group(1).encode()
    before, part, after = data.split(b"--" + boundary)
    check(before == b"" and after == b"--\r\n", "one file")
    head, body = part.split(b"\r\n\r\n", 1)
    name = re.search(rb'form-data; name="([^"]+)"; filename="([^"]+)"', head)
    check(name and name[1] == name[2] and ".." not in name[1].decode(), f"a part {head}")
    store["files"][name[1].decode()] = base64.b64encode(body[:-2]).decode()
    return [name[1].decode()]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def take(self, data):
        """What is asked, done: (status, object)."""
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        with lock:
            if self.command == "PUT":
                store["artifacts"][urllib.parse.unquote(url.path).split("/artifacts/", 1)[1]] = base64.b64encode(data).decode()
                return {}
            if self.headers.get("Content-Type", "").startswith("multipart/"):
                return file_server(data, self.headers)
            if url.path == "/v1/traces":
                return traces(json.loads(data), self.headers)
            if url.path == "/api/3.0/mlflow/traces/search":
                run_id = re.search("'(.*)'", json.loads(data)["filter"]).group(1)
                return {"traces": [t for t in store["traces"] if t["run_id"] == run_id]}
            if url.path.startswith("/api/2.0/mlflow/"):
                return mlflow(url.path[16:], query, json.loads(data) if data else None)
            return {"data": clearml(url.path[1:], data.decode(), self.headers), "meta": {"result_code": 200}}

    def send(self, status, body, headers=(), length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def hang(self):
        while mode["name"] != "ok":
            time.sleep(0.05)
        self.close_connection = True

    def fail(self, fault, answer):
        body = json.dumps(answer).encode()
        if fault in ("500", "500-applied"):
            self.send(500, b'{"error_code": "INTERNAL_ERROR", "message": "broken"}')
        elif fault == "429":
            self.send(429, b"slow down", [("Retry-After", "1")])
        elif fault == "hang":
            self.hang()
        elif fault == "hang-body":
            self.send(200, body[:1], length=len(body) + 100)
            self.hang()
        elif fault == "garbage":
            self.send(200, bytes(random.randrange(256) for _ in range(300)))
        elif fault == "html":
            self.send(200, b"<html><body>Please log in</body></html>", [("Content-Type", "text/html")])
        elif fault == "wrong":
            self.send(200, b'{"hello": "world"}', [("Content-Type", "application/json")])
        elif fault == "redirect":
            self.send(302, b"", [("Location", self.path)])
        elif fault == "drip":
            self.send(200, b"", length=len(body) + 1000)
            for _ in range(1000):
                self.wfile.write(b" ")
                time.sleep(0.1)
                if mode["name"] == "ok":
                    break
            self.close_connection = True
        elif fault == "truncated":
            self.send(200, body[: len(body) // 2], length=len(body) + 50)
            self.close_connection = True
        elif fault == "half":
            self.close_connection = True
        elif fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True

    def handle_any(self):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/_state":
            with lock:
                return self.send(200, json.dumps(store).encode())
        if self.path == "/_mode":
            mode["name"] = data.decode()
            return self.send(200, b"")
        fault = mode["name"]
        if fault == "flaky":
            fault = random.choice(["ok"] * 9 + [f for f in FAULTS if "hang" not in f and f != "drip"])
        with lock:
            store["requests"] += 1
            store["faults"][fault] = store["faults"].get(fault, 0) + 1
        try:
            answer = self.take(data) if fault == "ok" or fault in APPLIED else {}
            if fault == "ok":
                return self.send(200, json.dumps(answer).encode())
        except Refused as refused:
            return self.send(refused.status, json.dumps({"error_code": refused.code, "message": str(refused)}).encode())
        except Exception as error:  # what this server does not know is the test's failure
            with lock:
                store.setdefault("errors", []).append(f"{self.command} {self.path}: {error!r}: {data[:300]!r}")
            return self.send(500, b"{}")
        self.fail(fault, answer)

    do_GET = do_POST = do_PUT = handle_any

    def log_message(self, *ignored):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *ignored):  # a client that left
        pass


if mode["name"] == "hang-connect":  # nobody accepts, and the queue is full: a connection is never made
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    for _ in range(4):
        waiting.append(socket.socket())
        waiting[-1].setblocking(False)
        waiting[-1].connect_ex(listener.getsockname())
    print(listener.getsockname()[1], flush=True)
    while True:
        time.sleep(60)
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
