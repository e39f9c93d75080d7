"""Many texts through many tokenizers, temper beside the reference library: ids and decoded texts must be equal.

    python3 tests/campaigns/tokenizer_ids.py --check build/release/tests/tokenize_texts [--texts 2000] [--work DIR] [MODEL_DIR ...]

Trains tokenizers of every kind on text of this machine (byte-level BPE with each family's pattern, SentencePiece BPE, Unigram, WordPiece),
takes any further directories that hold a tokenizer.json, and compares `--texts` texts on each. With sentencepiece installed the Unigram
models use its own charsmaps. Needs a Python with tokenizers 0.23. The last line counts; the exit code says whether all were equal.
"""
import argparse
import base64
import glob
import json
import pathlib
import random
import subprocess
import sys
import tempfile

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
REST = r"\s*[\r\n]+|\s+(?!\S)|\s+"
HEAD, TAIL = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"


def cased(digits):
    return CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|" + REST


def capitals(end, digits):
    lead = r"[^\r\n\p{L}\p{N}]?"
    return f"{lead}{HEAD}*{TAIL}+{end}|{lead}{HEAD}+{TAIL}*{end}|{digits}" + r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + REST


PATTERNS = {
    "llama3": [cased(r"\p{N}{1,3}")], "qwen2": [cased(r"\p{N}")], "gpt4o": [capitals(CONTRACTIONS + "?", r"\p{N}{1,3}")],
    "tekken": [capitals("", r"\p{N}")],
    "qwen35": [CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + REST],
    "deepseek3": [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
                  r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|" + REST],
}


def corpus():
    """Lines of text that lies about on a Debian system: documentation, licences, Python's own help, this repository."""
    files = sorted(glob.glob("/usr/share/doc/**/*", recursive=True) + glob.glob("/usr/share/common-licenses/*") + glob.glob("/usr/lib/python3/**/*.py", recursive=True)
                   + glob.glob(str(pathlib.Path(__file__).parents[2] / "**/*.md"), recursive=True) + glob.glob("/usr/share/i18n/locales/*"))
    random.Random(1).shuffle(files)
    lines, size = [], 0
    for name in files:
        try:
            text = pathlib.Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        lines += [line for line in text[:40_000].split("\n") if line.strip()]
        size += min(len(text), 40_000)
        if size > 8_000_000:
            break
    return lines


def texts(lines, count):
    generator = random.Random(3)
    goldens = json.loads((pathlib.Path(__file__).parents[1] / "goldens/tokenizers/texts.json").read_text())
    rows = list(goldens)
    scripts = [(0x20, 0x7f), (0xa0, 0x250), (0x250, 0x700), (0x900, 0xe00), (0x1100, 0x1200), (0x2000, 0x2c00), (0x3000, 0x3100), (0x4e00, 0x9fff),
               (0xac00, 0xd7a4), (0xf900, 0xfb50), (0xfe00, 0x10000), (0x1f300, 0x1fb00), (0x10000, 0x32000), (0x300, 0x370)]
    while len(rows) < count:
        kind = generator.randrange(4)
        if kind < 2:
            at = generator.randrange(len(lines) - 8)
            rows.append("\n".join(lines[at:at + generator.randint(1, 8)]))
        elif kind == 2:  # words of several scripts, and spaces
            words = []
            for _ in range(generator.randint(1, 20)):
                low, high = generator.choice(scripts)
                words.append("".join(chr(c) for c in (generator.randrange(low, high) for _ in range(generator.randint(1, 8))) if not 0xd800 <= c < 0xe000))
            rows.append(generator.choice([" ", "", "\n", "  ", "\u3000"]).join(words))
        else:  # pieces of hard texts
            rows.append("".join(generator.choice(goldens)[:generator.randint(1, 20)] for _ in range(generator.randint(2, 6))))
    return rows[:count]


def byte_level(lines, steps, normalizer=None, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=8000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                                             special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"], show_progress=False))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def splits(patterns):
    return [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns] + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]


def sentencepiece_bpe(lines, normalizer, pre_tokenizer=None):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=6000, limit_alphabet=400, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)])
    tokenizer.train_from_iterator([" ".join(line.split()[i:i + 1]) for line in lines[:30000] for i in range(len(line.split()))], trainer)
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = document["added_tokens"][:3]
    tokenizer = Tokenizer.from_str(json.dumps(document))
    if pre_tokenizer:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return tokenizer


def charsmaps():
    """The charsmaps that sentencepiece compiles in, by name; none where it is not installed."""
    try:
        import sentencepiece
    except ImportError:
        return {}
    found = {}
    with tempfile.TemporaryDirectory() as work:
        sample = pathlib.Path(work, "sample.txt")
        sample.write_text("\n".join(f"word{i} another sample of {i * 7} words" for i in range(400)))
        for rule in ("nmt_nfkc", "nmt_nfkc_cf"):
            sentencepiece.SentencePieceTrainer.train(input=str(sample), model_prefix=f"{work}/m", vocab_size=60, normalization_rule_name=rule, minloglevel=2)
            blob = pathlib.Path(work, "m.model").read_bytes()
            at = blob.rindex(b"\x0a" + len(rule).to_bytes(1, "little") + rule.encode())  # NormalizerSpec: name, then charsmap (field 2)
            at += 2 + len(rule)
            assert blob[at] == 0x12
            size, shift, at = 0, 0, at + 1
            while True:
                size |= (blob[at] & 127) << shift
                shift += 7
                at += 1
                if blob[at - 1] < 128:
                    break
            found[rule] = blob[at:at + size]
    return found


def unigram(lines, normalizer, steps):
    tokenizer = Tokenizer(models.Unigram())
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer.train_from_iterator(lines[:20000], trainers.UnigramTrainer(vocab_size=6000, special_tokens=["<s>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False))
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair=None, special_tokens=[("<s>", 0), ("</s>", 1)])
    return tokenizer


def word_piece(lines, lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=8000, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def make_all(work, lines):
    made = {}

    def make(name, build):
        path = work / name
        if not (path / "tokenizer.json").exists():
            path.mkdir(parents=True, exist_ok=True)
            build().save(str(path / "tokenizer.json"))
        made[name] = path

    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False)
    make("gpt2", lambda: byte_level(lines, [gpt2]))
    make("smollm", lambda: byte_level(lines, [pre_tokenizers.Digits(True), gpt2]))
    make("falcon", lambda: byte_level(lines, [pre_tokenizers.Punctuation("contiguous"), gpt2, pre_tokenizers.Digits(False), pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated")]))
    make("roberta", lambda: byte_level(lines, [pre_tokenizers.ByteLevel(add_prefix_space=True)]))
    for name, patterns in PATTERNS.items():
        make(name, lambda patterns=patterns, name=name: byte_level(lines, splits(patterns), normalizers.NFC() if name.startswith("qwen") else None, ignore_merges=name == "llama3"))
    make("llama2", lambda: sentencepiece_bpe(lines, normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])))
    make("gemma", lambda: sentencepiece_bpe(lines, normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous")))
    make("bert_uncased", lambda: word_piece(lines, True))
    make("bert_cased", lambda: word_piece(lines, False))
    metaspace = [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    make("unigram", lambda: unigram(lines, normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]), [pre_tokenizers.Metaspace()]))
    for rule, blob in charsmaps().items():
        make(f"unigram_{rule}", lambda blob=blob: unigram(lines, normalizers.Precompiled(blob), metaspace))
    return made


def reference_encode(tokenizer, text):
    try:
        return tokenizer.encode(text).ids
    except BaseException as error:  # a panic of the library is no result to compare with
        if isinstance(error, KeyboardInterrupt):
            raise
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", required=True)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--work", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir()) / "temper-tokenizers")
    parser.add_argument("directories", nargs="*", type=pathlib.Path)
    options = parser.parse_args()
    lines = corpus()
    rows = texts(lines, options.texts)
    made = make_all(options.work, lines) | {str(path): path for path in options.directories}
    texts_path = options.work / "texts.json"
    texts_path.write_text(json.dumps(rows))
    mismatches = compared = 0
    for name, path in made.items():
        tokenizer = Tokenizer.from_file(str(path / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        result = subprocess.run([options.check, str(path), str(texts_path)], capture_output=True, text=True)
        if result.returncode != 0:
            print(f"{name}: {result.stderr.strip()}")
            mismatches += 1
            continue
        ours, wrong, panics = json.loads(result.stdout), 0, 0
        for i, text in enumerate(rows):
            ids = reference_encode(tokenizer, text)
            if ids is None:
                panics += 1
                continue
            decoded = tokenizer.decode(ids, skip_special_tokens=True)
            same = ours["ids"][i] == ids and ours["offset_ids"][i] == ids and ours["decoded"][i] == decoded
            if not same and wrong < 3:
                print(f"{name}: {text!r}\n  reference {ids} {decoded!r}\n  temper    {ours['ids'][i]} {ours['decoded'][i]!r}")
            wrong += not same
        compared += len(rows) - panics
        mismatches += wrong
        print(f"{name}: {len(rows) - panics} texts, {wrong} differ" + (f", {panics} on which the reference panics" if panics else ""), flush=True)
    print(f"{len(made)} tokenizers, {compared} comparisons, {mismatches} mismatches")
    return 1 if mismatches else 0


if __name__ == "__main__":
    sys.exit(main())
