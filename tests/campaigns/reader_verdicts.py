#!/usr/bin/env python3
"""Mutated .safetensors and .gguf files: temper may refuse what the reference reader accepts, never accept what it refuses.
The references are the `safetensors` package (Rust) and GGUFReader of the `gguf` package.
Usage: reader_verdicts.py CHECK_FILES [FILES=100000] [SEED=1]   (build/release/tests/check_files; safetensors, gguf, numpy)

Where temper is stricter, on purpose; each is counted and shown:
  safetensors  tensors without elements (they may share an offset), fields that are not known, more than a million tensors, depth beyond 8,
               integers beyond 2^63 - 1, NUL bytes; keys that stand twice are refused by both
  GGUF         nearly every length: GGUFReader cuts what reaches beyond the file short and maps what is left; llama.cpp's own checks are the
               measure there, see the list of lies in tests/io/gguf_test.cpp
"""
import collections
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import warnings

from gguf import GGUFReader
from safetensors import deserialize

checker, count, seed = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100000, int(sys.argv[3]) if len(sys.argv) > 3 else 1
goldens = os.path.dirname(os.path.abspath(__file__)) + "/../goldens/"
warnings.simplefilter("ignore")
# Keys that the package uses for its own fields, so that a file's key of that name counts as standing twice.
package_accidents = re.compile(r"Duplicate GGUF\.|Duplicated? ")


def small_safetensors(rng):
    """A valid file of a few tensors, so that most mutations meet the header."""
    sizes = {"U8": 1, "F16": 2, "BF16": 2, "F32": 4, "I64": 8, "F8_E4M3": 1}
    parts, offset = [], 0
    for index in range(rng.randrange(4)):
        dtype, shape = rng.choice(list(sizes)), [rng.randrange(1, 4) for _ in range(rng.randrange(3))]
        size = sizes[dtype]
        for extent in shape:
            size *= extent
        parts.append(f'"t{index}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{offset},{offset + size}]}}'.replace(" ", ""))
        offset += size
    if rng.randrange(2):
        parts.insert(rng.randrange(len(parts) + 1), '"__metadata__":{"format":"pt"}')
    header = ("{" + ",".join(parts) + "}").encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + bytes(offset)


tokens = [b"0", b"1", b"-1", b"8", b"1.0", b"1e3", b"18446744073709551616", b"9223372036854775808", b"null", b"true", b"{}", b"[]", b"[0,0]", b",",
          b":", b'"', b"{", b"}", b" ", b"\n", b"\0", b"\xff", b'"t0"', b'"t1"', b'"dtype"', b'"shape"', b'"data_offsets"', b'"F32"', b'"BOOL"',
          b'"F4"', b'"C64"', b'"__metadata__"', b'"a":"b"', b"[4194305,4194305,211106198978564]", b"\\u0000", b"\\ud800"]
numbers = [0, 1, 2, 31, 32, 33, 255, 2**31, 2**32 - 1, 2**61, 2**63 - 1, 2**63, 2**64 - 32, 2**64 - 1]


def mutate(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randrange(min(len(data), 400) or 1) if data else 0
        kind = rng.randrange(8)
        if kind == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[at] = rng.randrange(256)
        elif kind == 2:
            del data[at : at + rng.randrange(1, 9)]
        elif kind == 3:
            data[at:at] = rng.choice(tokens)
        elif kind == 4:
            data[at : at + 1] = rng.choice(tokens)
        elif kind == 5:
            data[at : at + 8] = struct.pack("<Q", rng.choice(numbers))
        elif kind == 6:
            digits = [m.span() for m in re.finditer(rb"[0-9]+", bytes(data[8:400]))]
            if digits:
                begin, end = rng.choice(digits)
                data[8 + begin : 8 + end] = str(rng.choice([*numbers, 3, 4, 8, 12, 16])).encode()
        else:
            data = data[: rng.randrange(len(data) + 1)] if rng.randrange(2) else data + bytes(rng.randrange(1, 9))
    # Half of the files state the header's length as it now is, so that what stands in it is reached.
    end = data.rfind(b"}")
    if rng.randrange(2) and end > 8 and data[8:9] == b"{":
        data[:8] = struct.pack("<Q", end - 7)
    return bytes(data)


def safetensors_verdict(data, path):
    try:
        deserialize(data)
        return None
    except Exception as error:  # every refusal of the package
        return str(error)


class TooLong(BaseException):
    pass


def too_long(*_):
    raise TooLong


def gguf_verdict(data, path):
    """GGUFReader counts through arrays of any stated length; after a second that is no verdict, and counts as accepted."""
    signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        GGUFReader(path)
        return None
    except TooLong:
        return None
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)


def run(kind, sources, verdict, files):
    rng, tally, reasons = random.Random(seed), collections.Counter(), collections.Counter()
    process = subprocess.Popen([checker], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        path = f"{folder}/file.{kind}"
        for _ in range(files):
            data = mutate(sources(rng), rng)
            with open(path, "wb") as file:
                file.write(data)
            process.stdin.write(path + "\n")
            process.stdin.flush()
            ours, theirs = process.stdout.readline().strip(), verdict(data, path)
            if not ours:
                sys.exit(f"{kind}: the checker ended")
            tally["accepted" if ours == "ok" else "refused", "accepted" if theirs is None else "refused"] += 1
            if ours == "ok" and theirs is not None and not (kind == "gguf" and package_accidents.search(theirs)):
                kept = f"/tmp/verdict.{kind}"
                open(kept, "wb").write(data)
                sys.exit(f"{kind}: accepted, but the reference says: {theirs}; kept in {kept}")
            if ours != "ok" and theirs is None:
                reasons[re.sub(r"[0-9]+", "N", re.sub(r'"[^"]*"', '"…"', ours.split(f"file.{kind}: ")[-1]))[:70]] += 1
    process.stdin.close()
    process.wait()
    print(f"{kind}: {files} files;", ", ".join(f"temper {a} reference {b}: {n}" for (a, b), n in sorted(tally.items())))
    for reason, times in reasons.most_common(12):
        print(f"    {times:6}  stricter: {reason}")


run("safetensors", small_safetensors, safetensors_verdict, count)
gguf_seeds = [open(goldens + "gguf/" + name, "rb").read() for name in ("kinds.gguf", "aligned.gguf", "quants.gguf")]
run("gguf", lambda rng: rng.choice(gguf_seeds), gguf_verdict, count // 5)
