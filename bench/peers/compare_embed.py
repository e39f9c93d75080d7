"""`temper embed` beside OpenVINO and torch: sentences and 256-token chunks a second, each engine as a process of its own.

    python3 bench/peers/compare_embed.py --temper build/release/temper --model DIR [--rounds 5] [--threads 2] [--int8-scales FILE] [--no-peers]

Needs sentence-transformers and openvino. Texts are of this repository's documents: short sentences, and chunks of 256 tokens. Every engine gets the
same texts, sorted by length into batches as suits it best (the best of several sizes is taken, once, before the rounds); engines take turns, and
medians are printed. With scales of `temper calibrate` 8-bit integers take turns too. Time is of the texts alone: from the tokenizer to the vectors, without loading the model.
"""
import argparse
import glob
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def documents():
    text = " ".join(pathlib.Path(name).read_text(encoding="utf-8") for name in sorted(glob.glob(str(ROOT / "docs/*.md")) + [str(ROOT / "CONTRIBUTING.md")]))
    return text.split()


def make_texts(model, kind, count):
    words = documents()
    if kind == "short":
        lengths = [4 + (i * 7) % 17 for i in range(count)]
    else:
        lengths = [260] * count  # more than 256 tokens: all are cut to the limit
    texts, at = [], 0
    for length in lengths:
        texts.append(" ".join(words[(at + k) % len(words)] for k in range(length)))
        at += length
    return texts


def openvino_engine(model, threads):
    """The encoder with mean pooling and the norm, as a graph of OpenVINO."""
    import numpy
    import openvino
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    class Sentence(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = AutoModel.from_pretrained(model, attn_implementation="eager").eval()

        def forward(self, input_ids, attention_mask):
            hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).float()
            return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)

    example = torch.ones(2, 9, dtype=torch.long)
    with torch.no_grad():
        converted = openvino.convert_model(Sentence(), example_input=(example, example))
    core = openvino.Core()
    compiled = core.compile_model(converted, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "THROUGHPUT"})
    tokenizer = Tokenizer.from_file(f"{model}/tokenizer.json")
    tokenizer.enable_truncation(256)
    tokenizer.no_padding()
    jobs = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")

    def run(texts, batch):
        encoded = tokenizer.encode_batch(texts)
        order = sorted(range(len(texts)), key=lambda i: -len(encoded[i].ids))
        vectors = numpy.empty((len(texts), compiled.output(0).partial_shape[1].get_length()), dtype=numpy.float32)
        queue = openvino.AsyncInferQueue(compiled, jobs)
        queue.set_callback(lambda request, chosen: vectors.__setitem__(chosen, request.get_output_tensor(0).data))
        for begin in range(0, len(order), batch):
            chosen = order[begin:begin + batch]
            longest = max(len(encoded[i].ids) for i in chosen)
            ids, mask = numpy.zeros((len(chosen), longest), numpy.int64), numpy.zeros((len(chosen), longest), numpy.int64)
            for row, i in enumerate(chosen):
                ids[row, :len(encoded[i].ids)] = encoded[i].ids
                mask[row, :len(encoded[i].ids)] = 1
            queue.start_async([ids, mask], chosen)
        queue.wait_all()
        return vectors
    return run


def torch_engine(model, threads):
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(threads)
    sentence = SentenceTransformer(model, device="cpu")
    return lambda texts, batch: sentence.encode(texts, batch_size=batch)


def serve(arguments):
    """An engine in a process of its own: a line of JSON for every round it is asked for."""
    engine = {"openvino": openvino_engine, "torch": torch_engine}[arguments.serve](arguments.model, arguments.threads)
    texts = json.loads(pathlib.Path(arguments.texts).read_text())
    tries = {}
    engine(texts[:len(texts) // 4], 32)
    for batch in (8, 32, 128):
        begin = time.perf_counter()
        engine(texts[:len(texts) // 4], batch)
        tries[time.perf_counter() - begin] = batch
    batch = tries[min(tries)]
    print(json.dumps(dict(ready=True, batch=batch)), flush=True)
    for line in sys.stdin:
        begin = time.perf_counter()
        engine(texts, batch)
        print(json.dumps(dict(seconds=time.perf_counter() - begin, rss=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)), flush=True)


class Peer:
    def __init__(self, name, arguments, texts):
        self.process = subprocess.Popen([sys.executable, __file__, "--serve", name, "--model", arguments.model, "--texts", texts, "--threads",
                                         str(arguments.threads), "--temper", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.batch = self.read()["batch"]

    def read(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit("a peer ended")

    def round(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def temper_round(arguments, jsonl, work, ranks, threads, dtype="float32"):
    scales = ["--int8-scales", arguments.int8_scales] if dtype == "int8" else []
    launcher = ["mpirun", "-n", str(ranks), "--bind-to", "none"] if ranks > 1 else []
    command = launcher + [arguments.temper, "embed", "--model", arguments.model, "--input", jsonl, "--output", f"{work}/out.h5", "--output-dir", f"{work}/runs",
                          "--resume", "no", "--threads", str(threads), "--dtype", dtype, "--device", "cpu", "--json"] + scales
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "OMP_WAIT_POLICY": "passive", "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"})
    result = json.loads(done.stdout.splitlines()[-1])
    performance = json.loads(pathlib.Path(result["run_dir"], "run.json").read_text())["performance"]
    return dict(seconds=performance["seconds"], rss=performance["peak_memory_bytes"] >> 20)


def main():
    parser = argparse.ArgumentParser()
    for name in ("--temper", "--model"):
        parser.add_argument(name, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--short", type=int, default=4000)
    parser.add_argument("--chunks", type=int, default=400)
    parser.add_argument("--int8-scales")
    parser.add_argument("--no-peers", action="store_true", help="temper alone, in its forms")
    parser.add_argument("--serve")
    parser.add_argument("--texts")
    arguments = parser.parse_args()
    if arguments.serve:
        return serve(arguments)
    with tempfile.TemporaryDirectory() as work:
        for kind, count in (("short", arguments.short), ("chunks", arguments.chunks)):
            texts = make_texts(arguments.model, kind, count)
            pathlib.Path(f"{work}/{kind}.json").write_text(json.dumps(texts))
            pathlib.Path(f"{work}/{kind}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
            peers = {name: Peer(name, arguments, f"{work}/{kind}.json") for name in (() if arguments.no_peers else ("openvino", "torch"))}
            rounds = {}
            for _ in range(arguments.rounds):
                for name, peer in peers.items():
                    rounds.setdefault(name, []).append(peer.round())
                forms = [("temper", 1, arguments.threads, "float32"), ("temper bfloat16", 1, arguments.threads, "bfloat16"),
                         ("temper, 1 rank of 1 thread", 1, 1, "float32"), ("temper, 2 ranks of 1 thread", 2, 1, "float32")]
                if arguments.int8_scales:
                    forms.insert(1, ("temper int8", 1, arguments.threads, "int8"))
                for name, ranks, threads, dtype in forms:
                    rounds.setdefault(name, []).append(temper_round(arguments, f"{work}/{kind}.jsonl", work, ranks, threads, dtype))
            medians = {name: statistics.median(one["seconds"] for one in list_) for name, list_ in rounds.items()}
            print(f"{kind}: {count} texts, {arguments.rounds} rounds")
            for name, seconds in medians.items():
                rates = sorted(count / one["seconds"] for one in rounds[name])
                print(f"  {name:28} {count / seconds:8.1f}/s  ({rates[0]:.1f} to {rates[-1]:.1f})  RSS {max(one['rss'] for one in rounds[name])} MiB"
                      + (f"  batch {peers[name].batch}" if name in peers else ""))
            ratios = [f"temper / {name} {medians[name] / medians['temper']:.2f}" for name in peers]
            if arguments.int8_scales:
                ratios.append(f"int8 / float32 {medians['temper'] / medians['temper int8']:.2f}")
            ratios.append(f"2 ranks / 1 rank {medians['temper, 1 rank of 1 thread'] / medians['temper, 2 ranks of 1 thread']:.2f}")
            print("  " + ", ".join(ratios), flush=True)
            for peer in peers.values():
                peer.close()


main()
