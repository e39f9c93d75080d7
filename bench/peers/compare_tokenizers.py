"""The peer of compare_tokenizers.sh, and the corpus that both read.

    compare_tokenizers.py corpus FILE MEGABYTES           documents of this machine, a zero byte between
    compare_tokenizers.py encode MODEL_DIR FILE THREADS   one JSON line: seconds, MB/s, tokens, hash
    compare_tokenizers.py summary RESULTS
"""
import glob
import gzip
import hashlib
import json
import os
import pathlib
import random
import statistics
import sys
import time


def read(name):
    try:
        data = gzip.open(name).read(4_000_000) if name.endswith(".gz") else open(name, "rb").read(4_000_000)
        text = data.decode()
    except (OSError, UnicodeDecodeError, EOFError):
        return ""
    return "" if "\0" in text or len(text) < 200 else text


def translations(name):
    """The texts of a gettext catalogue: what Debian's packages say in every language."""
    try:
        data = open(name, "rb").read()
        order = "little" if data[:4] == b"\xde\x12\x04\x95" else "big"
        word = lambda at: int.from_bytes(data[at:at + 4], order)
        count, table = word(8), word(16)
        rows = [data[word(table + 8 * i + 4):word(table + 8 * i + 4) + word(table + 8 * i)].decode() for i in range(count)]
    except (OSError, UnicodeDecodeError, IndexError):
        return ""
    return "\n".join(rows).replace("\0", "\n")


def make_corpus(path, megabytes):
    patterns = ["/usr/share/doc/**/*", "/usr/share/common-licenses/*", "/usr/share/man/**/*.gz", "/usr/lib/python3*/**/*.py", "/usr/share/info/*.gz",
                "/usr/share/perl/**/*.p[mo]*", "/usr/include/**/*.h", "/usr/share/i18n/locales/*", sys.prefix + "/**/*.py", sys.prefix + "/**/*.md"]
    files = sorted({name for pattern in patterns for name in glob.glob(pattern, recursive=True) if os.path.isfile(name) and not os.path.islink(name)})
    catalogues = sorted(glob.glob("/usr/share/locale/**/*.mo", recursive=True))
    generator = random.Random(1)
    generator.shuffle(files)
    generator.shuffle(catalogues)
    wanted, size, documents = megabytes * 1_000_000, 0, []
    for name in catalogues + files:
        catalogue = name.endswith(".mo")
        if size > wanted or (catalogue and size > wanted // 4):  # translations are at most a quarter
            continue
        text = (translations(name) if catalogue else read(name))[:400_000]
        documents += [text[at:at + 4000] for at in range(0, len(text), 4000)]
        size += len(text.encode())
    generator.shuffle(documents)
    pathlib.Path(path).write_bytes("\0".join(documents).encode())
    print(f"corpus: {size / 1e6:.1f} MB in {len(documents)} documents", file=sys.stderr)


def encode(model, path, threads):
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
    import numpy
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(pathlib.Path(model) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    data = pathlib.Path(path).read_bytes()
    documents = data.decode().split("\0")
    tokenizer.encode("warm")
    counts, ids, seconds = [], [], 0.0
    for at in range(0, len(documents), 1024):
        start = time.perf_counter()
        encodings = tokenizer.encode_batch_fast(documents[at:at + 1024], add_special_tokens=False)
        seconds += time.perf_counter() - start  # without the copying of the ids into Python
        for encoding in encodings:
            counts.append(len(encoding))
            ids.append(numpy.array(encoding.ids, dtype=numpy.int32))
    every = numpy.concatenate(ids)
    digest = hashlib.sha256(numpy.array(counts, dtype=numpy.int32).tobytes() + every.tobytes()).hexdigest()
    print(json.dumps({"seconds": round(seconds, 4), "mb_per_second": round(len(data) / 1e6 / seconds, 2), "documents": len(documents), "tokens": int(every.size),
                      "threads": threads, "hash": digest}))


def summary(path):
    rows = [(line.split(None, 1)[0], json.loads(line.split(None, 1)[1])) for line in open(path)]
    same = len({row["hash"] for _, row in rows}) == 1
    for threads in sorted({row["threads"] for _, row in rows}):
        speed = {name: statistics.median(row["mb_per_second"] for who, row in rows if who == name and row["threads"] == threads) for name in ("temper", "tokenizers")}
        print(f"{threads} thread(s): temper {speed['temper']:.1f} MB/s, tokenizers {speed['tokenizers']:.2f} MB/s, {speed['temper'] / speed['tokenizers']:.1f} times")
    print("ids", "equal" if same else "DIFFER")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    if sys.argv[1] == "corpus":
        make_corpus(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1] == "encode":
        encode(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        summary(sys.argv[2])
