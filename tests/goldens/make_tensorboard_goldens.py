#!/usr/bin/env python3
"""Event files as TensorBoard's own writer makes them: pip install tensorboard; python3 make_tensorboard_goldens.py (2.21.0 made those that are here)."""
import json
import pathlib

import tensorboard
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

EVENTS = [
    {"time_ms": 1795253400123},
    {"time_ms": 1795253400123, "tag": "config", "text": "    train.seed: 42\n    model: caf\u00e9\n"},
    {"time_ms": 1795253401000, "step": 1, "tag": "train/loss", "value": 2.5},
    {"time_ms": 1795253401500, "step": 0, "tag": "train/loss", "value": -1e-42},
    {"time_ms": 1795253402001, "step": 300, "tag": "eval/loss", "value": 0.1},
    {"time_ms": 1795253402002, "step": 5000000000, "tag": "train/" + "n" * 200, "value": None},
    {"time_ms": 1795253402003, "step": -3, "tag": "train/rewards/margins", "value": 0.0},
]


def event_of(item):
    if "tag" not in item:
        return event_pb2.Event(wall_time=item["time_ms"] / 1000, file_version="brain.Event:2")
    value = summary_pb2.Summary.Value(tag=item["tag"])
    if "text" in item:
        value.tag += "/text_summary"
        value.metadata.plugin_data.plugin_name = "text"
        value.tensor.CopyFrom(tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=tensor_shape_pb2.TensorShapeProto(), string_val=[item["text"].encode()]))
    else:
        value.simple_value = float("nan") if item["value"] is None else item["value"]
    return event_pb2.Event(wall_time=item["time_ms"] / 1000, step=item.get("step", 0), summary=summary_pb2.Summary(value=[value]))


folder = pathlib.Path(__file__).parent / "tensorboard"
with open(folder / "events.out.tfevents.golden", "wb") as file:
    writer = RecordWriter(file)
    for item in EVENTS:
        writer.write(event_of(item).SerializeToString(deterministic=True))
(folder / "events.json").write_text(json.dumps({"tensorboard": tensorboard.__version__, "events": EVENTS}, indent=1) + "\n")
