"""A server with the few REST calls of MLflow that temper gate and temper prompts sync use; it prints its port.

    mlflow_server.py RUNS       runs are {"run": ...} of the file RUNS; state is kept in memory, GET /state tells it
"""

import json
import sys
import urllib.parse
from pathlib import Path

import stand_in

models, requests = {}, []


def absent(what):
    return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": f"no {what}"}


def answer(method, path, query, body):
    requests.append(f"{method} {path}")
    if path == "runs/get":
        runs = json.loads(Path(sys.argv[1]).read_text())
        return (200, {"run": runs[query["run_id"]]}) if query["run_id"] in runs else absent("run")
    if path == "registered-models/create":
        if body["name"] in models:
            return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "there already"}
        models[body["name"]] = {"tags": body.get("tags", []), "versions": [], "aliases": {}}
        return 200, {"registered_model": {"name": body["name"]}}
    name = query.get("name") or body.get("name") or query.get("filter", "''").split("'")[1]
    if name not in models:
        return (200, {}) if path == "model-versions/search" else absent("model")
    model = models[name]
    if path == "registered-models/get":
        aliases = [{"alias": alias, "version": version} for alias, version in model["aliases"].items()]
        return 200, {"registered_model": {"name": name, "tags": model["tags"], "aliases": aliases}}
    if path == "registered-models/alias":
        model["aliases"][body["alias"]] = body["version"]
        return 200, {}
    if path == "model-versions/create":
        if body["source"] not in ("dummy-source", "prompt-template"):
            return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "Prompt sources must use an MLflow placeholder."}
        model["versions"].append({**body, "version": str(len(model["versions"]) + 1)})
        return 200, {"model_version": model["versions"][-1]}
    if path == "model-versions/search":  # two a page
        if "tags.`mlflow.prompt.is_prompt` = 'true'" not in query["filter"]:
            return 200, {}
        begin = int(query.get("page_token") or 0)
        more = {"next_page_token": str(begin + 2)} if begin + 2 < len(model["versions"]) else {}
        return 200, {"model_versions": model["versions"][begin:begin + 2], **more}
    return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": path}


class Handler(stand_in.Quiet):
    protocol_version = "HTTP/1.1"

    def reply(self):
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if url.path == "/state":
            status, found = 200, {"models": models, "requests": requests}
        elif self.headers.get("Authorization") != "Bearer secret":
            status, found = 401, {"message": "who are you?"}
        else:
            status, found = answer(self.command, url.path.removeprefix("/api/2.0/mlflow/"), dict(urllib.parse.parse_qsl(url.query)), json.loads(body or "{}"))
        data = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = reply


stand_in.serve(Handler)
