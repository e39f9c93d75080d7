"""Times bfloat16 F.linear of PyTorch (oneDNN) on shapes N x OUT x IN, the weight as torch keeps it. Prints one JSON object of GFLOP/s.

    python3 bench/peers/matmul_torch.py --threads 2 2048x576x576 ...
"""

import argparse
import json
import time

import torch

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("shapes", nargs="+")
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
torch.set_num_threads(args.threads)
result = {}
with torch.no_grad():
    for shape in args.shapes:
        n, out, depth = map(int, shape.split("x"))
        x, w = torch.randn(n, depth).bfloat16(), torch.randn(out, depth).bfloat16()
        torch.nn.functional.linear(x, w)
        seconds = []
        end = time.perf_counter() + 0.5
        while time.perf_counter() < end or len(seconds) < 5:
            begin = time.perf_counter()
            torch.nn.functional.linear(x, w)
            seconds.append(time.perf_counter() - begin)
        seconds.sort()
        result[shape] = 2 * n * out * depth / seconds[len(seconds) // 2] / 1e9
print(json.dumps(result))
