"""Seeds of the fuzz targets that read two files: the first one's text, a NUL byte, the second one's bytes.
Run from the root: python3 tests/goldens/make_fuzz_seeds.py (h5py, safetensors, numpy)"""
import hashlib
import json
import os

import h5py
import numpy as np
from safetensors.numpy import save

folder = "tests/fuzz/seeds/"


def write(name, text, data):
    os.makedirs(os.path.dirname(folder + name), exist_ok=True)
    with open(folder + name, "wb") as file:
        file.write(text.encode() + b"\0" + data)


def adapter(name, rank, targets, dtype, **more):
    """Of the tiny model in tests/fuzz/adapter.cpp."""
    sizes = {"self_attn.q_proj": (8, 8), "self_attn.k_proj": (4, 8), "self_attn.v_proj": (4, 8), "self_attn.o_proj": (8, 8),
             "mlp.gate_proj": (12, 8), "mlp.up_proj": (12, 8), "mlp.down_proj": (8, 12)}
    random, tensors = np.random.default_rng(1), {}
    for path, (rows, columns) in sizes.items():
        if targets == "all-linear" or path.split(".")[1] in targets:
            stem = f"base_model.model.model.layers.0.{path}.lora_"
            tensors[stem + "A.weight"] = random.standard_normal((rank, columns)).astype(dtype)
            tensors[stem + "B.weight"] = random.standard_normal((rows, rank)).astype(dtype)
    config = {"peft_type": "LORA", "r": rank, "lora_alpha": 4, "target_modules": targets, "bias": "none", "use_rslora": False,
              "rank_pattern": {}, "alpha_pattern": {}, "task_type": "CAUSAL_LM", **more}
    write("adapter/" + name, json.dumps(config, indent=2), save(tensors))


def checkpoint(name, size, step, cursor):
    """As train/checkpoint.cpp writes it; h5py stands for io/hdf5/state_encode.cpp."""
    vectors = {key: np.arange(size, dtype=np.float32) / 7 for key in ("adapter", "first_moment", "second_moment")}
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_core(1 << 12, False)
    access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_V18)
    identifier = h5py.h5f.create(b"state", h5py.h5f.ACC_TRUNC, fapl=access)
    with h5py.File(identifier) as file:
        file.attrs.create("format_version", np.int64(1))
        file.attrs.create("cursor", np.bytes_(json.dumps(cursor)))
        for key, values in vectors.items():
            file.create_dataset(key, data=values, track_times=False)
        file.create_dataset("step", data=np.array([step], np.int64), track_times=False)
        file.flush()
        body = identifier.get_file_image()
    tensors = [{"name": key, "dtype": "float32", "shape": [size], "sha256": hashlib.sha256(values.tobytes()).hexdigest()}
               for key, values in vectors.items()]
    manifest = {"format_version": 1, "step": step, "files": [{"name": "state.h5", "size": len(body), "sha256": hashlib.sha256(body).hexdigest()}],
                "tensors": tensors}
    manifest["sha256"] = hashlib.sha256(json.dumps(manifest, indent=2).encode()).hexdigest()
    write("checkpoint/" + name, json.dumps(manifest, indent=2) + "\n", body)


adapter("all_linear", 2, "all-linear", np.float32)
adapter("query_half", 1, ["q_proj"], np.float16, use_rslora=True)
adapter("patterns", 2, ["q_proj", "v_proj"], np.float32, rank_pattern={"q_proj": 1}, alpha_pattern={"v_proj": 8})
checkpoint("plain", 6, 100, {"epoch": 1, "rows": [0, 5]})
checkpoint("empty", 0, 0, {})
