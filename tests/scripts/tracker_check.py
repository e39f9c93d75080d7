# tracker_check.py PORT RUN [TRACKER...]: what the stand-in holds of a run is what the run's directory says, each item once.
import base64, collections, hashlib, json, math, pathlib, struct, sys, urllib.request, zipfile

port, run, trackers = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:] or ["mlflow"]
record = json.load(open(run / "run.json"))
rows = [json.loads(line) for line in open(run / "metrics.jsonl")] if (run / "metrics.jsonl").exists() else []
state = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/_state")) if port != "0" else {}
assert not state.get("errors"), state["errors"]
for row in rows:
    if any(name.startswith("eval_") for name in row):
        del row["epoch"]  # the row of its step has it
journal = {(name, row["step"]): value for row in rows for name, value in row.items() if name != "step"}
assert len(journal) == sum(len(row) - 1 for row in rows), "the journal itself has an item twice"


def flat(value, name=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else key)
    elif value != []:
        yield name, value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def figures(value, name=""):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from figures(inner, f"{name}/{key}" if name else key)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, value


final = dict(figures(record["metrics"]))
for part in ("performance", "usage", "cost"):
    final.update(figures(record.get(part), part))
final.pop("step", None)


def same(found, wanted, what):
    assert all(count == 1 for count in found.values()), (what, "twice:", [k for k, c in found.items() if c > 1][:5])
    assert set(found) == set(wanted), (what, "missing", sorted(set(wanted) - set(found))[:5], "too much", sorted(set(found) - set(wanted))[:5])


def check_mlflow():
    ours = [(i, r) for i, r in state["runs"].items() if r["tags"].get("temper.run_id") == record["run_id"]]
    assert len(ours) == 1, f"{len(ours)} runs"
    run_id, mine = ours[0]
    wanted = dict(journal)
    last = max([row["step"] for row in rows], default=0)
    names = {name for name, _ in journal}
    wanted.update({(name, last): value for name, value in final.items() if name not in names})
    same(collections.Counter((m["key"], m["step"]) for m in mine["metrics"]), wanted, "mlflow")
    for metric in mine["metrics"]:
        value = wanted[metric["key"], metric["step"]]
        assert metric["value"] == ("NaN" if value is None else value), (metric, value)
        assert 1.5e12 < metric["timestamp"] < 1e13, metric
    steps = [(m["step"], m["timestamp"]) for m in mine["metrics"] if m["key"] == "loss"]
    assert [t for _, t in sorted(steps)] == sorted(t for _, t in steps), "times go back"
    wanted_parameters = {k: v for k, v in flat(record["config"]) if not k.startswith("tracking.")}
    assert mine["params"] == wanted_parameters, (set(mine["params"].items()) ^ set(wanted_parameters.items()))
    assert mine["status"] == "FINISHED" and mine["tags"]["temper.status"] == "finished" and mine["tags"]["mlflow.runName"] == record["run_name"], mine
    same(collections.Counter(d["dataset"]["digest"] for d in mine["datasets"]), {d["sha256"][:36] for d in record["data"]}, "datasets")
    prefix = mine["artifact_uri"].split("mlflow-artifacts:/")[1] + "/"
    files = {name[len(prefix):]: base64.b64decode(data) for name, data in state["artifacts"].items() if name.startswith(prefix)}
    for artifact in record["artifacts"]:
        assert hashlib.sha256(files[artifact["path"]]).hexdigest() == artifact["sha256"], artifact
    assert files["report.html"] == (run / "report.html").read_bytes() and "config.yaml" in files
    mine_traces = [t for t in state["traces"] if t["run_id"] == run_id]
    assert len(mine_traces) == 1 and any("parentSpanId" not in s for s in mine_traces[0]["spans"]), mine_traces
    if record.get("parent_run_id"):
        parents = [i for i, r in state["runs"].items() if r["tags"].get("temper.run_id") == record["parent_run_id"]]
        assert [mine["tags"]["mlflow.parentRunId"]] == parents, (mine["tags"], parents)


def clearml_names(key):
    return (key[0][5:], "eval", key[1]) if key[0].startswith("eval_") else (key[0], "train", key[1])


def check_clearml_events(events):
    wanted = {clearml_names(key): value for key, value in journal.items() if value is not None}
    wanted.update({("Summary", name, -2147483648): value for name, value in final.items()})
    found = {(e["metric"], e["variant"], e["iter"]): e["value"] for e in events}
    assert found == wanted, set(found.items()) ^ set(wanted.items())


def check_clearml():
    ours = [(i, t) for i, t in state["tasks"].items() if f"temper.run_id:{record['run_id']}" in t["tags"]]
    assert len(ours) == 1, f"{len(ours)} tasks"
    task, mine = ours[0]
    assert mine["status"] == "completed" and mine["type"] == "training", mine
    assert mine["hyperparams"]["General/train.seed"] == json.dumps(record["config"]["train"]["seed"])
    check_clearml_events([e for e in state["events"] if e["task"] == task])  # of two that are alike the server keeps one
    prefix = f"tickets/{record['run_name']}.{task}/artifacts/"
    names = {a["path"] for a in record["artifacts"]} | {"report.html", "config.yaml"}
    assert set(mine["artifacts"]) == names, set(mine["artifacts"]) ^ names
    for name, artifact in mine["artifacts"].items():
        data = base64.b64decode(state["files"][prefix + name + "/" + pathlib.Path(name).name])
        assert data == (run / name).read_bytes() and hashlib.sha256(data).hexdigest() == artifact["hash"] and len(data) == artifact["content_size"], artifact
        assert artifact["uri"] == f"http://127.0.0.1:{port}/{prefix}{name}/{pathlib.Path(name).name}", artifact


def check_clearml_offline():
    (archive,) = (run / "trackers").glob("offline-*.zip")
    with zipfile.ZipFile(archive) as zip_file:
        assert zip_file.testzip() is None
        task = json.loads(zip_file.read("task.json"))
        events = [event for line in zip_file.read("metrics.jsonl").splitlines() for event in json.loads(line)]
        assert len(events) == len({(e["metric"], e["variant"], e["iter"]) for e in events}), "twice"
        check_clearml_events(events)
        for artifact in task["execution"]["artifacts"]:
            local = artifact["uri"].replace(task["offline_folder"] + "/data/", "", 1)
            assert hashlib.sha256(zip_file.read("data/" + local)).hexdigest() == artifact["hash"], artifact
    assert task["hyperparams"]["General"]["train.seed"]["value"] == json.dumps(record["config"]["train"]["seed"])


def check_otlp():
    spans = [s for s in state["spans"] if any(a["key"] == "temper.run_id" and a["value"]["stringValue"] == record["run_id"] for a in s["attributes"])]
    assert len({s["spanId"] for s in spans}) == 1 and spans[0]["name"].startswith("temper "), spans
    children = {s["spanId"] for s in state["spans"] if s.get("parentSpanId") == spans[0]["spanId"]}
    assert len(children) >= 1, "no attempt"


def fields_of(data):  # protobuf's wire format: {number: [values]}
    def varint(at):
        value = shift = 0
        while True:
            byte = data[at]
            value |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                return value, at

    fields, at = collections.defaultdict(list), 0
    while at < len(data):
        key, at = varint(at)
        if key & 7 == 0:
            value, at = varint(at)
        elif key & 7 == 1:
            value, at = struct.unpack_from("<d", data, at)[0], at + 8
        elif key & 7 == 5:
            value, at = struct.unpack_from("<f", data, at)[0], at + 4
        else:
            size, at = varint(at)
            value, at = data[at : at + size], at + size
        fields[key >> 3].append(value)
    return fields


def check_tensorboard():
    (path,) = pathlib.Path(json.load(open(run / "trackers/tensorboard.json"))["file"]).parent.glob("events.out.tfevents.*")
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        (size,) = struct.unpack_from("<Q", data, at)
        event = fields_of(data[at + 12 : at + 12 + size])
        at += size + 16
        for summary in event.get(5, []):
            for value in map(fields_of, fields_of(summary)[1]):
                if 2 in value:
                    found.append((value[1][0].decode(), event.get(2, [0])[0], value[2][0]))
    names = lambda key: (("eval/" + key[0][5:]) if key[0].startswith("eval_") else "train/" + key[0], key[1])
    wanted = {names(key): value for key, value in journal.items()}
    last = max([row["step"] for row in rows], default=0)
    wanted.update({("final/" + name, last): value for name, value in final.items()})
    same(collections.Counter(item[:2] for item in found), wanted, "tensorboard")
    for tag, step, value in found:
        right = wanted[tag, step]
        assert math.isnan(value) if right is None else math.isclose(value, right, rel_tol=1e-6), (tag, step, value)


for tracker in trackers:
    {"mlflow": check_mlflow, "clearml": check_clearml, "clearml-offline": check_clearml_offline, "otlp": check_otlp, "tensorboard": check_tensorboard}[tracker]()
