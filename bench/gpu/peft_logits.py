"""Logits of a base model with an adapter, by temper and by PEFT: peft_logits.py DUMP_LOGITS MODEL ADAPTER DEVICE (of PEFT: cuda or cpu)."""
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM


def main():
    dump, model, adapter, device = sys.argv[1:]
    vocabulary = json.loads(pathlib.Path(model, "config.json").read_text())["vocab_size"]
    ids = [3 + 7919 * i % (vocabulary - 3) for i in range(1, 65)]
    with tempfile.TemporaryDirectory() as work:
        out = work + "/logits.safetensors"
        subprocess.run([dump, model, adapter, " ".join(map(str, ids)), out, "cuda"], check=True)
        ours = load_file(out)["logits"]
    base = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).to(device)
    with torch.no_grad():
        plain = base(torch.tensor([ids], device=device)).logits[0].cpu()
        theirs = PeftModel.from_pretrained(base, adapter).to(device)(torch.tensor([ids], device=device)).logits[0].cpu()
    apart, moved = (ours - theirs).abs().max().item(), (theirs - plain).abs().max().item()
    print(f"logits apart by {apart:.1e} at most, of up to {theirs.abs().max().item():.1f}; the adapter moves them by {moved:.1e}")
    sys.exit(not (apart < 2e-3 and moved > 10 * apart))


main()
