#!/usr/bin/env python3
"""What trackers hold, read back by their own programs: trackers_readers.py RUN [mlflow URL] [tensorboard] [clearml]. Run by trackers.sh, in the venv that has them."""
import collections
import json
import math
import pathlib
import sys

run = pathlib.Path(sys.argv[1])
record = json.load(open(run / "run.json"))
rows = [json.loads(line) for line in open(run / "metrics.jsonl")]
for row in rows:
    if any(name.startswith("eval_") for name in row):
        del row["epoch"]  # the row of its step has it
journal = {(name, row["step"]): value for row in rows for name, value in row.items() if name != "step"}


def close(found, right, what):
    assert math.isnan(found) if right is None else math.isclose(found, right, rel_tol=1e-6), (what, found, right)


def mlflow(url):
    import mlflow
    from mlflow.tracking import MlflowClient

    client = MlflowClient(url)
    experiment = client.get_experiment_by_name("tickets")
    found = client.search_runs([experiment.experiment_id], f"tags.`temper.run_id` = '{record['run_id']}'")
    assert len(found) == 1, found
    (mine,) = found
    assert mine.info.status == "FINISHED" and mine.info.run_name == record["run_name"], mine.info
    count = 0
    for name in {name for name, _ in journal}:
        history = client.get_metric_history(mine.info.run_id, name)
        assert all(n == 1 for n in collections.Counter(m.step for m in history).values()), f"{name} twice"
        assert {m.step for m in history} == {step for n, step in journal if n == name}, name
        for metric in history:
            close(metric.value, journal[name, metric.step], (name, metric.step))
        count += len(history)
    assert mine.data.params["train.seed"] == json.dumps(record["config"]["train"]["seed"]), mine.data.params
    assert {d.dataset.digest for d in mine.inputs.dataset_inputs} == {d["sha256"][:36] for d in record["data"]}
    names = {a.path for a in client.list_artifacts(mine.info.run_id, "adapter")}
    assert "adapter/adapter_model.safetensors" in names, names
    mlflow.set_tracking_uri(url)
    traces = mlflow.search_traces(locations=[experiment.experiment_id], run_id=mine.info.run_id, return_type="list")
    assert len(traces) == 1 and len(traces[0].data.spans) >= 2, traces
    print(f"MLflow {mlflow.__version__}'s client: {count} figures, each once; {len(mine.data.params)} parameters, {len(names)} files of the adapter, "
          f"a trace of {len(traces[0].data.spans)} spans")


def tensorboard():
    import tensorboard
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = pathlib.Path(json.load(open(run / "trackers/tensorboard.json"))["file"]).parent
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    count = 0
    for name in {name for name, _ in journal}:
        tag = "eval/" + name[5:] if name.startswith("eval_") else "train/" + name
        found = events.Scalars(tag)
        assert [e.step for e in found] == sorted(step for n, step in journal if n == name), name
        for event in found:
            close(event.value, journal[name, event.step], (tag, event.step))
        count += len(found)
    text = events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "train.seed" in text
    print(f"TensorBoard {tensorboard.__version__}'s reader: {count} figures, each once, and the configuration")


def clearml():
    """ClearML's own importer reads the archive; a session of its own offline mode takes the server's place."""
    import clearml
    from clearml import Task
    from clearml.backend_interface.metrics.interface import Metrics

    Task.set_offline(True)
    (archive,) = (run / "trackers").glob("offline-*.zip")
    seen = {}
    imported = Task.import_task

    def keep(data, *arguments, **options):
        seen.update(data)
        return imported(data, *arguments, **options) or Task.current_task()

    events = []
    Task.import_task = keep
    Task.create = classmethod(lambda cls, project_name, task_name: Task.init(project_name, task_name, reuse_last_task_id=False, auto_connect_frameworks=False,
                                                                            auto_resource_monitoring=False))
    report = Metrics.report_offline_session.__func__

    def count(cls, task, folder, *arguments, **options):
        for line in open(pathlib.Path(folder) / "metrics.jsonl"):
            events.extend(json.loads(line))
        return report(cls, task, folder, *arguments, **options)

    Metrics.report_offline_session = classmethod(count)
    Task.import_offline_session(str(archive))
    assert seen["hyperparams"]["General"]["train.seed"]["value"] == json.dumps(record["config"]["train"]["seed"])
    wanted = {((n[5:], "eval") if n.startswith("eval_") else (n, "train")) + (s,): v for (n, s), v in journal.items() if v is not None}
    found = {(e["metric"], e["variant"], e["iter"]): e["value"] for e in events if e["metric"] != "Summary"}
    assert found == wanted
    print(f"ClearML {clearml.__version__}'s importer: {len(found)} figures, {len(seen['hyperparams']['General'])} parameters, {len(seen['execution']['artifacts'])} files")


arguments = sys.argv[2:]
while arguments:
    name = arguments.pop(0)
    mlflow(arguments.pop(0)) if name == "mlflow" else {"tensorboard": tensorboard, "clearml": clearml}[name]()
