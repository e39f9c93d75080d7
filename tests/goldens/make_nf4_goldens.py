"""Writes tests/goldens/nf4/: what bitsandbytes makes of weights on the CPU, and a checkpoint that transformers quantised with it.

    python3 tests/goldens/make_nf4_goldens.py [OUTPUT_DIR]

Needs torch, transformers, accelerate and bitsandbytes (versions are stored in versions.json).
  quantized.safetensors      a tensor NAME.weight (bfloat16 or float32) for each case, under NAME.plain and NAME.double what quantize_4bit makes of
                             it without and with double quantisation: packed, absmax, and with it nested_absmax and offset; float32 and
                             bfloat16 are the numbers that come back in each dtype (of a large tensor in
                             bfloat16 alone); maps.nf4 and maps.dynamic
  checkpoint/                the model tests/goldens/models/llama_gqa_tied in bfloat16, loaded with load_in_4bit and double quantisation and saved
  checkpoint.safetensors     every linear weight of it as bitsandbytes dequantises it to bfloat16, input_ids, and the logits of a float32 model
                             with these weights
"""

import json
import sys
from pathlib import Path

import bitsandbytes
import torch
import transformers
from bitsandbytes import functional
from bitsandbytes.backends.default.ops import _dequantize_4bit_compute
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

HERE = Path(__file__).resolve().parent


def cases():
    """Absmax values of these have short sums, so that no order of summation changes their mean."""
    generator = torch.Generator().manual_seed(7)
    weight = lambda out, width: torch.randn(out, width, generator=generator) * 0.05
    yield "blocks", weight(136, 128).bfloat16()  # 272 blocks: more than one of nested ones
    yield "across_rows", weight(24, 80).bfloat16()
    yield "cut", weight(25, 42).bfloat16()  # the last block is not full
    yield "single", weight(37, 128)
    zeros = weight(4, 128).bfloat16()
    zeros[1] = 0
    zeros[2] = 0.5
    yield "constant", zeros


def numbers(packed, state, dtype):
    """As dequantize_4bit, but for rows that are no whole blocks: there the vectorised CPU code takes the scale of another block than the one that
    was quantised with it, and the library's plain code stands in."""
    absmax = state.absmax
    if state.nested:
        absmax = functional.dequantize_blockwise(state.absmax, state.state2) + state.offset
    result = _dequantize_4bit_compute(packed.reshape(-1), absmax, state.code, state.blocksize, state.shape, dtype)
    state.dtype = dtype
    assert state.shape[1] % state.blocksize != 0 or torch.equal(result, functional.dequantize_4bit(packed, state))
    return result


def quantized(tensors, name, weight, double):
    packed, state = functional.quantize_4bit(weight.contiguous(), quant_type="nf4", compress_statistics=double)
    prefix = f"{name}.{'double' if double else 'plain'}."
    tensors[prefix + "packed"] = packed.reshape(-1)
    tensors[prefix + "absmax"] = state.absmax
    if double:
        tensors[prefix + "nested_absmax"] = state.state2.absmax
        tensors[prefix + "offset"] = state.offset.reshape(1)
        tensors["maps.dynamic"] = state.state2.code.clone()
    tensors["maps.nf4"] = state.code.clone()
    for dtype in (torch.float32, torch.bfloat16) if weight.numel() < 6000 else (torch.bfloat16,):
        tensors[prefix + str(dtype).split(".")[1]] = numbers(packed, state, dtype)


def checkpoint(output):
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16)
    source = HERE / "models" / "llama_gqa_tied"
    model = AutoModelForCausalLM.from_pretrained(source, quantization_config=config, dtype=torch.bfloat16, device_map="cpu")
    model.save_pretrained(output / "checkpoint")
    (output / "checkpoint" / "generation_config.json").unlink(missing_ok=True)
    plain = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32)
    parameters = dict(plain.named_parameters())
    tensors = {}
    for name, parameter in model.named_parameters():
        number = parameter
        if isinstance(parameter, bitsandbytes.nn.Params4bit):
            number = numbers(parameter.data, parameter.quant_state, torch.bfloat16)
            tensors[name] = number.clone()
        parameters[name].data = number.float()
    ids = torch.arange(3, 3 + 24).reshape(1, -1) * 7 % 320
    with torch.no_grad():
        tensors["logits"] = plain(ids).logits[0, -4:].contiguous()
    tensors["input_ids"] = ids[0].int()
    save_file(tensors, output / "checkpoint.safetensors")


def main():
    torch.set_num_threads(1)
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "nf4"
    output.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, weight in cases():
        tensors[name + ".weight"] = weight
        for double in (False, True):
            quantized(tensors, name, weight, double)
    save_file(tensors, output / "quantized.safetensors")
    checkpoint(output)
    versions = dict(torch=torch.__version__, transformers=transformers.__version__, bitsandbytes=bitsandbytes.__version__)
    (output / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")


main()
