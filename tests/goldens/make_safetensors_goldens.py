"""Small .safetensors files as the reference library writes them (safetensors 0.8.0, torch 2.15). Run from the root: python3 tests/goldens/make_safetensors_goldens.py"""
import torch
from safetensors.torch import save_file

folder = "tests/goldens/safetensors/"
generator = torch.Generator().manual_seed(1)


def random(*shape):
    return torch.randn(*shape, generator=generator)


special = torch.tensor([0.0, -0.0, 1.0, -2.5, float("inf"), float("-inf"), 65504.0, 2.0**-24, -(2.0**-15), 1 / 3])
adapter = {
    "model.b.lora_B.weight": random(6, 3),
    "model.a.lora_A.weight": random(3, 5),
    "model.z.weight": random(2, 3, 4).bfloat16(),
    "model.\u00e4 \"x\".weight": random(5).bfloat16(),
    "model.odd": random(1).bfloat16(),
}
save_file(adapter, folder + "adapter.safetensors", metadata={"format": "pt"})
save_file(
    {
        "half": special.half().reshape(2, 5),
        "half as float": special.half().float().reshape(2, 5),
        "brain": special.bfloat16(),
        "brain as float": special.bfloat16().float(),
        "float": random(2, 2, 3),
        "float as brain": torch.zeros(1),
        "ids": torch.arange(3),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "double": random(2).double(),
        "scalar": torch.tensor(1.5),
        "flag": torch.tensor([True]),
    },
    folder + "kinds.safetensors",
)
