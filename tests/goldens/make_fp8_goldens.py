"""Writes tests/goldens/fp8/: 8-bit floats as torch rounds them, and a checkpoint as transformers reads it.

    python3 tests/goldens/make_fp8_goldens.py [OUTPUT_DIR]

Needs torch and transformers (versions are stored in versions.json).
  quantized.safetensors      a tensor NAME.weight (bfloat16 or float32) for each case; NAME.packed and NAME.scale: a scale a row, its largest magnitude
                             (at least 1e-12) / 448, and what torch rounds weight / scale to; NAME.bfloat16: the numbers that come back
  scales.safetensors         weights X.weight with scales X.weight_scale or X.weight_scale_inv of every kind, X.expected their product in bfloat16
  checkpoint/                the model tests/goldens/models/llama_gqa_tied with linear weights of 8-bit floats, scales one, one a row or one for a
                             block; other weights bfloat16
  checkpoint.safetensors     input_ids and the logits of transformers' model of that checkpoint, dequantised to float32
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, FineGrainedFP8Config

HERE = Path(__file__).resolve().parent
F8 = torch.float8_e4m3fn


def rounded(weight, scale):
    return (weight.float() / scale).clamp(-448.0, 448.0).to(F8)


def by_row(weight):
    return weight.float().abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 448.0


def by_block(weight, rows, columns):
    """A scale for every so many rows and columns, and the same spread over the numbers."""
    out, width = weight.shape
    grid = torch.zeros(-(-out // rows), -(-width // columns))
    for r in range(grid.shape[0]):
        for c in range(grid.shape[1]):
            block = weight[r * rows : (r + 1) * rows, c * columns : (c + 1) * columns].float()
            grid[r, c] = block.abs().amax().clamp(min=1e-12) / 448.0
    spread = grid.repeat_interleave(rows, 0)[:out].repeat_interleave(columns, 1)[:, :width]
    return grid, spread


def quantized(generator):
    tensors = {}
    weights = dict(rows=torch.randn(24, 80, generator=generator).bfloat16(), single=torch.randn(7, 33, generator=generator) * 0.02)
    weights["spread"] = (torch.randn(16, 64, generator=generator) * torch.logspace(-6, 2, 64)).bfloat16()  # subnormal ones, too
    weights["spread"][3] = 0
    for name, weight in weights.items():
        scale = by_row(weight)
        packed = rounded(weight, scale)
        tensors |= {name + ".weight": weight, name + ".packed": packed, name + ".scale": scale[:, 0].contiguous()}
        tensors[name + ".bfloat16"] = (packed.float() * scale).bfloat16()
    return tensors


def scales(generator):
    tensors = {}

    def add(name, weight, stored, spread, suffix):
        packed = rounded(weight, spread)
        tensors[f"{name}.weight"] = packed
        tensors[f"{name}.weight_{suffix}"] = stored
        tensors[f"{name}.expected"] = (packed.float() * spread).bfloat16()

    weight = lambda out, width: torch.randn(out, width, generator=generator) * 0.05
    one = torch.tensor(0.0009765625 * 3)
    add("scalar", weight(9, 40), one, one, "scale")
    add("single", weight(9, 40), one.reshape(1).clone(), one, "scale")
    row = by_row(weight(12, 40)).bfloat16()
    add("row", weight(12, 40), row, row.float(), "scale")
    flat = by_row(weight(12, 40))
    add("flat_row", weight(12, 40), flat[:, 0].contiguous(), flat, "scale")
    large = weight(129, 130)
    grid, spread = by_block(large, 128, 128)
    add("block", large, grid, spread, "scale_inv")
    tensors["row.input_scale"] = torch.ones(1)
    return tensors


def checkpoint(output):
    source = HERE / "models" / "llama_gqa_tied"
    tensors = {}
    for i, (name, weight) in enumerate(sorted(load_file(source / "model.safetensors").items())):
        if not name.endswith("proj.weight"):
            tensors[name] = weight.bfloat16()
            continue
        rows, columns = [tuple(weight.shape), (1, weight.shape[1]), (weight.shape[0] // 2, weight.shape[1] // 2)][i % 3]
        grid, spread = by_block(weight, rows, columns)
        tensors[name] = rounded(weight, spread)
        tensors[name + "_scale_inv"] = grid
    directory = output / "checkpoint"
    directory.mkdir(exist_ok=True)
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((source / "config.json").read_text())
    config["quantization_config"] = dict(quant_method="fp8", activation_scheme="dynamic", weight_block_size=[128, 128])
    (directory / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    model = AutoModelForCausalLM.from_pretrained(
        directory, quantization_config=FineGrainedFP8Config(dequantize=True), dtype=torch.float32, device_map="cpu"
    )
    for name, parameter in model.named_parameters():
        if name + "_scale_inv" in tensors:
            grid = tensors[name + "_scale_inv"]
            spread = grid.repeat_interleave(parameter.shape[0] // grid.shape[0], 0).repeat_interleave(parameter.shape[1] // grid.shape[1], 1)
            assert torch.equal(parameter.data, tensors[name].float() * spread), name
    model.float()  # some modules keep the checkpoint's bfloat16
    ids = torch.arange(3, 3 + 24).reshape(1, -1) * 7 % 320
    with torch.no_grad():
        logits = model(ids).logits[0, -4:].contiguous()
    save_file({"logits": logits, "input_ids": ids[0].int()}, output / "checkpoint.safetensors")


def main():
    torch.set_num_threads(1)
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "fp8"
    output.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(11)
    save_file(quantized(generator), output / "quantized.safetensors")
    save_file(scales(generator), output / "scales.safetensors")
    checkpoint(output)
    (output / "versions.json").write_text(json.dumps(dict(torch=torch.__version__, transformers=transformers.__version__), indent=1) + "\n")


main()
