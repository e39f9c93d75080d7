"""500 texts, real and nasty, through `temper embed` and sentence-transformers: ids equal, vectors close.

    python3 tests/campaigns/embed_reference.py --temper build/release/temper --model DIR [--texts 500]

Needs sentence-transformers. Token ids (of `temper tokenize`, cut as the model's limit says) must be equal, the cosine of float32 vectors at least
0.999999 and of bfloat16 ones 0.9995. The last line counts; the exit code says whether all held.
"""
import argparse
import json
import pathlib
import random
import subprocess
import tempfile

import numpy
from sentence_transformers import SentenceTransformer

NASTY = ["", " ", "   \n\t ", "a" * 5000, "word " * 3000, "漢字かな交じり文。" * 40, "مرحبا بالعالم " * 20, "שלום עולם", "नमस्ते दुनिया", "สวัสดีชาวโลก", "한국어 문장입니다",
         "👨‍👩‍👧‍👦 👩🏽‍🚀 🇩🇪🇫🇷 ❤️‍🔥", "e\u0301 a\u0308 o\u0328\u0301 n\u0303" * 10, "ﬁ ﬂ ﬀ ﬃ ǆ", "\u0000\u0001\u0002\u0007\u001b[31m", "\u200b\u200c\u200d\u2060\ufeff zero width",
         "\u202eright to left\u202c", "[CLS] [SEP] [MASK] [PAD] [UNK]", "[CLS][SEP]", "##ing ##ed un##", "İstanbul ıI ß ẞ ſ", "ﷺ ㎏ ½ ² ①", "\ud7a3\u1100\u1161\u11a8",
         "x" * 100, "x" * 101, "http://example.com/" + "a/" * 200, "0123456789" * 60, "!?.,;:" * 100, "\u00a0\u2003\u3000spaces", "A\u030a Å \u212b", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟘𝟙𝟚", "\U0010ffff \ue000 \ufffd"]


def real_texts(count):
    root = pathlib.Path(__file__).resolve().parents[2]
    rows = [json.loads(line) for name in sorted((root / "jobs/data").glob("*.jsonl")) for line in open(name, encoding="utf-8")]
    texts = []

    def collect(value):
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, dict):
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)
    collect(rows)
    texts += [line for path in sorted(root.glob("docs/*.md")) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    generator = random.Random(3)
    generator.shuffle(texts)
    for i in range(0, count, 5):  # some long ones
        texts[i] = " ".join(texts[i:i + generator.randint(2, 60)])
    return texts[:count]


def cosines(a, b):
    a, b = a.astype("float64"), b.astype("float64")
    return (a * b).sum(1) / numpy.maximum(numpy.linalg.norm(a, axis=1) * numpy.linalg.norm(b, axis=1), 1e-300)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--temper", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--texts", type=int, default=500)
    arguments = parser.parse_args()
    # JSON carries every text but one with a NUL, which the reader refuses.
    nasty = [text.replace("\0", "\x03") for text in NASTY]
    texts = nasty + real_texts(arguments.texts - len(nasty))
    model = SentenceTransformer(arguments.model, device="cpu")
    expected = model.encode(texts, batch_size=32)
    failures = 0
    with tempfile.TemporaryDirectory() as work:
        with open(f"{work}/texts.jsonl", "w", encoding="utf-8") as out:
            for text in texts:
                out.write(json.dumps({"text": text}) + "\n")
        subprocess.run([arguments.temper, "tokenize", "--model", arguments.model, "--input", f"{work}/texts.jsonl", "--output", f"{work}/ids.jsonl"], check=True,
                       capture_output=True)
        limit, different = model.max_seq_length, 0
        for text, line in zip(texts, open(f"{work}/ids.jsonl", encoding="utf-8")):
            ids = json.loads(line)["ids"]
            ids = ids if len(ids) <= limit else ids[:limit - 1] + ids[-1:]
            different += ids != model.tokenizer(text, truncation=True, max_length=limit)["input_ids"]
        failures += different > 0
        print(f"{len(texts)} texts: ids of {different} differ")
        for dtype, least in (("float32", 0.999999), ("bfloat16", 0.9995)):
            subprocess.run([arguments.temper, "embed", "--model", arguments.model, "--input", f"{work}/texts.jsonl", "--output", f"{work}/{dtype}.npy", "--format", "npy",
                            "--dtype", dtype, "--output-dir", f"{work}/runs"], check=True, capture_output=True)
            got = numpy.load(f"{work}/{dtype}.npy")
            values = cosines(got, expected)
            failures += not values.min() >= least
            print(f"{dtype}: least cosine {values.min():.9f} (text {values.argmin()}), largest difference {numpy.abs(got - expected).max():.2e}")
    print("all held" if failures == 0 else f"{failures} failures")
    raise SystemExit(failures > 0)


main()
