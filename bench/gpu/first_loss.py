"""Whether the first steps of a run and of a peer agree: first_loss.py RUN PEER. PEER is another run, whose gradients must be those of the first, or
the words of sft_torch.py, which rounds elsewhere: then within 1% in the loss and 5% in the gradient norm."""
import json
import os
import sys


def first(path):
    if os.path.isdir(path):
        with open(path + "/metrics.jsonl", encoding="utf-8") as file:
            row = json.loads(file.readline())
        return row["loss"], row["grad_norm"]
    with open(path, encoding="utf-8") as file:
        words = json.loads(file.read().strip().splitlines()[-1])
    return words["loss"][0], words["grad_norm"][0]


def main():
    (loss, norm), (other_loss, other_norm) = first(sys.argv[1]), first(sys.argv[2])
    bounds = (1e-6, 0.02) if os.path.isdir(sys.argv[2]) else (0.01, 0.05)
    apart = abs(loss - other_loss) / abs(other_loss), abs(norm - other_norm) / other_norm
    print(f"first loss {loss:.6f} and {other_loss:.6f}, gradient norm {norm:.5f} and {other_norm:.5f}")
    sys.exit(not (apart[0] <= bounds[0] and apart[1] <= bounds[1]))


main()
