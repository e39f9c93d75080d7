"""Writes tests/goldens/tokenizers: small tokenizers with the parts of real ones, and what the reference makes of hard texts.

    python3 tests/goldens/make_tokenizer_goldens.py        (tokenizers 0.23, transformers 5.23; no network)
"""
import base64
import json
import pathlib
import random
import struct

import gguf
import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers.tokenization_utils_base import generate_merges

OUT = pathlib.Path(__file__).parent / "tokenizers"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

CORPUS = """The quick brown fox jumps over the lazy dog. It isn't what we'd say; they'll go, you've won, I'm here.
Numbers 1 22 333 4444 55555, dates 2024-01-31, prices $12.50 and 30%. def main(args): return [x for x in args if x > 0]
    if (a == b) { printf("%d\\n", value); }  // a comment
Der schnelle braune Fuchs springt über den faulen Hund. Zażółć gęślą jaźń. Быстрая коричневая лиса прыгает через ленивую собаку.
the model then trained there and the other things were read with that thing in the same words as they were written
東京都は日本の首都です。 今日はとても暑い。 我们在学习语言模型。 안녕하세요 세계. שלום עולם مرحبا بالعالم नमस्ते दुनिया
"""


def texts():
    rows = [
        "", " ", "  ", "\n", "\t", "a", "Hello", " Hello", "Hello ", "Hello world", "Hello  world", "  Hello\n\n world  ",
        "don't DON'T Don'T we'll WE'LL I'd I'D 'S 's '\u017f x'\u017f", "it's 'tis ''s", "The quick brown fox.", "a b  c   d    e     f",
        "line\nline\r\nline\rline\n\n\r\n\r\n", "trailing spaces   \n   leading", "\n \n  \n   \n", " \t \t\n", "tab\tsep\t\tx",
        "0 1 12 123 1234 12345 123456 1234567890", "3.14159 -42 1e-9 0x1F 1,000,000", "v1.2.3-rc4", "a1b2c3 1a2b3c", "٠١٢٣٤٥٦٧٨٩ 一二三 ⅧⅨ ½¾ ²³¹ ①②",
        "x=1;y=2;z=x+y;", "if (x<y && y>=z) { return a[i]++; }", "#include <stdio.h>\nint main(void) { return 0; }", "<html><body class=\"a\">&nbsp;</body></html>",
        "http://example.com/a?b=c&d=%20#e", "name@example.org", "C:\\path\\to\\file", "!!!???...---___***", "$100 €50 £20 ¥1000 ₿1",
        "naïve café résumé coöperate", "nai\u0308ve cafe\u0301 re\u0301sume\u0301", "Å Å Å", "\u1e9b\u0323 \u1e9b\u0323", "ﬁ ﬂ ﬀ ǆ ㎏ ℌ ①",
        "a\u0300\u0301\u0302\u0303 e\u0316\u0301 o\u0301\u0316", "\u0301leading mark", "q\u0323\u0307 q\u0307\u0323", "\u1100\u1161\u11a8 각 \u1100\u1161", "가나다라 ㄱㄴㄷ",
        "क्षि नमस्ते \u0915\u093c \u0958", "\u09c7\u09be \u0b47\u0b56 \u0dd9\u0dcf\u0dca", "தமிழ் ภาษาไทย ພາສາລາວ မြန်မာ ខ្មែរ བོད་", "ქართული Հայերեն አማርኛ",
        "שָׁלוֹם עֲלֵיכֶם", "مَرْحَبًا بِالعَالَم", "\u202bRTL\u202c and \u202aLTR\u202c \u200fmark\u200e", "\u2067isolate\u2069",
        "東京都は日本の首都です。", "我们在学习语言模型，对吗？", "繁體中文「引號」", "ｆｕｌｌｗｉｄｔｈ １２３ ｶﾀｶﾅ ﾊﾞﾊﾟ", "안녕하세요 세계", "𠀀𠀁𪚥 𰀀 𱍐 \U0002ebf0 \U00031350",
        "😀😃😄", "👨‍👩‍👧‍👦 family", "👩🏽‍🚀 👍🏿", "🇩🇪🇫🇷🇯🇵", "❤️ ❤ ☺️", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣ #️⃣", "text😀text 😀 text", "🫠🫶🏻 🪿 \U0001fae9",
        "\x00", "a\x00b", "\x01\x02\x03\x04\x05\x06\x07\x08", "\x0b\x0c\x0e\x1b[0m\x7f", "\x80\x85\x9f", "\u00a0nbsp\u00a0", "\u00adsoft\u00ad",
        "\u200bzero\u200b\u200c\u200d\u2060", "\ufeffBOM\ufeff", "\u2028line\u2029para", "\u2000\u2001\u2002\u2003\u2009\u200a\u202f\u205f\u3000", "\u180e mongolian \u180ex",
        "\u1680ogham", "a\u0085b", "\ufffd\ufffe\uffff", "\ud7ff\ue000\uf8ff", "\U0001ffff\U00020000\U0010ffff\U000fffff", "\U000e0001\U000e0041",
        "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛", "\U00010d40\U00010d41 \U00011bf0 \U00016d70", "\U00010d50\U00010d70 \ua7cb \u1c89", "ꟓ \U000105c0 \U00011938 \U00011935\U00011930",
        "İstanbul ıI iİ", "ΣΊΣΥΦΟΣ ὈΔΥΣΣΕΎΣ", "ẞß STRASSE", "ǅ ǈ ǋ ᾈ",
        "<|endoftext|>", "<|im_start|>user\nHi<|im_end|>\n", "a<|endoftext|>b", "<|endoftext|><|endoftext|>", " <|im_end|> ", "<|im_end", "<|endoftext|", "im_end|>",
        "<s>", "</s>", "<unk>", "<s>text</s>", "x <s> y </s> z", "<mask>", "a <mask> b", "a<mask>b", "  <mask>  <mask>", "<tool>", "x<tool>y", "<TOOL>", "<tool><tool_call>",
        "<tool_call>", "<tool_cal", "wordy", "a word", "words", "word", "word.", "(word)", "_word", "word1", "éword", "word word", "Word", "WORD", "\u200dword", "Straße", "STRASSE",
        "▁", "▁a", "a▁b", "▁▁", "Ġ", "Ġthe Ċ ĉ", "<0x0A>", "<0x41>", "a\u2581 b",
        " " * 100, " " * 33 + "x", "x" + " " * 65, "\n" * 40, "\t" * 17 + "x", " \n" * 20, "=" * 80, "-" * 33, "a" * 300, "ab" * 150, "na" * 64 + "!", "é" * 70, "東" * 70, "😀" * 40,
        "the the the  the   the", "thethethe", "THE The tHe", "isn'tit", "rock'n'roll 'n' l'été d'accord", "“quotes” ‘single’ «guillemets»", "em—dash en–dash hyphen-minus", "…ellipsis…",
        "a\u0338b \u2260", "\u0344 \u0374 \u037e \u0387 \u1fee", "\uf900\ufa0e\U0002f800", "\u0f73\u0f75\u0f81", "\u1d15e \U0001d15e \U0001d1bb", "\u0345\u0301", "\u0301\u0345", "\u093e\u0301\u0951",
        CORPUS,
    ]
    generator = random.Random(5)
    pools = ["abcdefgh THE the 0123456789 \n\t'", "éüßñ ąćę ΑΒΓ абв", "東京日本語 漢字かなカナ한국어", "😀👍🏽\u200d❤️🇩🇪", "\u0300\u0301\u0323\u0316\u0345\u0591\u064b", " \u00a0\u2003\u3000\n\r\u2028\u180e", "<|>_[](){}#@!.,;:-'\""]
    for i in range(12):
        pool = "".join(generator.sample(pools, 3))
        rows.append("".join(generator.choice(pool) for _ in range(generator.randint(5, 60))))
    return list(dict.fromkeys(rows))


def train(pre_tokenizer, normalizer=None, special=(), size=480, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=1, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  special_tokens=list(special), show_progress=False)
    tokenizer.train_from_iterator(CORPUS.splitlines(keepends=True), trainer)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def special(content, **flags):
    return AddedToken(content, special=True, normalized=False, **flags)


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Split(Regex(pattern), behavior=behavior, invert=invert)


def gpt2():
    tokenizer = train(pre_tokenizers.ByteLevel(add_prefix_space=False), special=["<|endoftext|>"])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.add_tokens([AddedToken("word", single_word=True, normalized=True), AddedToken("<tool>", lstrip=True, rstrip=True, normalized=False),
                          AddedToken("<tool_call>", normalized=False)])
    tokenizer.add_special_tokens([special("<mask>", lstrip=True)])
    return tokenizer, {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "mask_token": "<mask>"}


def smollm2():
    tokenizer = train(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]),
                      special=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    # Bytes that the training text lacked, as in the real one: their characters vanish.
    document = json.loads(tokenizer.to_str())
    gone = {pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str("\x04")[0][0], "ñ"}  # bytes 0x04 and 0xF1
    vocab = {token: i for token, i in document["model"]["vocab"].items() if token not in gone}
    document["model"]["vocab"] = {token: i for i, token in enumerate(sorted(vocab, key=vocab.get))}
    document["added_tokens"] = [dict(token, id=document["model"]["vocab"][token["content"]]) for token in document["added_tokens"]]
    return Tokenizer.from_str(json.dumps(document)), {"bos_token": "<|im_start|>", "eos_token": {"__type": "AddedToken", "content": "<|im_end|>", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}, "unk_token": "<|endoftext|>",
                       "chat_template": "{% for message in messages %}{{ message['content'] }}{% endfor %}"}


def llama3():
    tokenizer = train(pre_tokenizers.Sequence([split(LLAMA3), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), ignore_merges=True)
    tokenizer.add_special_tokens([special("<s>"), special("</s>"), special("<|im_end|>")])
    bos = tokenizer.token_to_id("<s>")
    template = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", bos)])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template])
    return tokenizer, {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": False, "clean_up_tokenization_spaces": True}


def qwen2():
    tokenizer = train(pre_tokenizers.Sequence([split(QWEN2), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), normalizers.NFC())
    tokenizer.add_special_tokens([special("<|endoftext|>"), special("<|im_start|>"), special("<|im_end|>")])
    tokenizer.add_tokens([AddedToken("<tool_call>", normalized=False)])
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    # <tool> and <mask> are known to the configuration alone.
    return tokenizer, {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "additional_special_tokens": ["<mask>"], "added_tokens_decoder": {
        str(tokenizer.token_to_id("<|im_end|>")): {"content": "<|im_end|>", "lstrip": False, "rstrip": True, "normalized": False, "single_word": False, "special": True},
        "900": {"content": "<tool>", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": False}}}


def sentencepiece_vocabulary():
    """A SentencePiece-like BPE: <unk> <s> </s>, 256 bytes, characters, merges."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(vocab_size=560, min_frequency=1, limit_alphabet=90, show_progress=False,
                                  special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)])
    tokenizer.train_from_iterator([word for line in CORPUS.splitlines() for word in line.split()], trainer)
    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = document["added_tokens"][:3]
    # Merges as they follow from scores: what a reader of the GGUF form has to arrive at.
    vocab = document["model"]["vocab"]
    words = [token for token in vocab if token not in ("<unk>", "<s>", "</s>") and not token.startswith("<0x")]
    document["model"]["merges"] = generate_merges({token: vocab[token] for token in words}, {token: -float(vocab[token]) for token in words})
    return document


def llama2():
    document = sentencepiece_vocabulary()
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", 1)])
    return tokenizer, {"bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False},
                       "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True}


def metaspace():
    document = sentencepiece_vocabulary()
    document["normalizer"] = None
    document["model"]["byte_fallback"] = False
    document["model"]["fuse_unk"] = False
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B", special_tokens=[("<s>", 1), ("</s>", 2)])
    tokenizer.add_tokens([AddedToken("<tool>", normalized=True), AddedToken("word", normalized=True, single_word=True, rstrip=True)])
    return tokenizer, {"eos_token": "</s>", "unk_token": "<unk>"}


def odd_parts():
    """Parts that real tokenizers have singly, all at once."""
    words = pre_tokenizers.Sequence([pre_tokenizers.Punctuation("merged_with_previous"), pre_tokenizers.WhitespaceSplit(),
                                     split(r"[\p{Lu}\p{Lt}]\p{Ll}*|\p{Han}{1,2}|(?:\p{M}|\W)+?", "merged_with_next"), split(r"\d{,2}", "contiguous", True),
                                     split(r"(?<=\w)\b|\h{2}(?=x)|[^\S\w]", "removed"), pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True),
                                     pre_tokenizers.Digits(False)])
    tokenizer = train(words, normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"q+"), "kw"), normalizers.Lowercase(),
                                                   normalizers.Strip(), normalizers.NFKD(), normalizers.NFD()]), special=["</s>"])
    tokenizer.add_tokens([AddedToken("WORD", normalized=True), AddedToken("Straße", normalized=True, single_word=True), AddedToken("<tool>", rstrip=True)])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 0), ("</s>", 0), trim_offsets=False)
    return tokenizer, {"eos_token": "</s>"}


GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK3 = [r"\p{N}{1,3}", r"[一-龥぀-ゟ゠-ヿ]+",
             r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]


def gpt4o():
    tokenizer = train(pre_tokenizers.Sequence([split(GPT4O), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]))
    tokenizer.add_special_tokens([special("<|endoftext|>"), special("<|im_end|>")])
    return tokenizer, {"eos_token": "<|endoftext|>"}


def deepseek3():
    words = [split(pattern) for pattern in DEEPSEEK3] + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    tokenizer = train(pre_tokenizers.Sequence(words))
    tokenizer.add_special_tokens([special("<｜begin▁of▁sentence｜>"), special("</s>")])
    tokenizer.post_processor = processors.TemplateProcessing(single="<｜begin▁of▁sentence｜> $A", pair=None,
                                                             special_tokens=[("<｜begin▁of▁sentence｜>", tokenizer.token_to_id("<｜begin▁of▁sentence｜>"))])
    return tokenizer, {"bos_token": "<｜begin▁of▁sentence｜>", "eos_token": "</s>"}


def gemma():
    document = sentencepiece_vocabulary()
    document["normalizer"] = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    tokenizer.add_tokens([AddedToken("\n\n", normalized=False), AddedToken("<tool>", normalized=False)])
    return tokenizer, {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def bert():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=60))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS.splitlines(), trainers.WordPieceTrainer(vocab_size=520, min_frequency=1, special_tokens=names, show_progress=False))
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer, {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}


def bert_cased():
    """No case folding; each part of the normalizer on its own, marks of the other table, Roberta's post-processor."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="<unk>", continuing_subword_prefix="@@"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False,
                                                                                            lowercase=False), normalizers.NFKD(), normalizers.StripAccents()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.CharDelimiterSplit("e"), pre_tokenizers.UnicodeScripts(),
                                                       pre_tokenizers.FixedLength(7)])
    trainer = trainers.WordPieceTrainer(vocab_size=420, min_frequency=1, special_tokens=["<s>", "</s>", "<unk>"], continuing_subword_prefix="@@", show_progress=False)
    tokenizer.train_from_iterator(CORPUS.splitlines(), trainer)
    tokenizer.decoder = decoders.WordPiece(prefix="@@", cleanup=False)
    tokenizer.post_processor = processors.BertProcessing(("</s>", 1), ("<s>", 0))
    return tokenizer, {"unk_token": "<unk>", "sep_token": "</s>", "cls_token": "<s>"}


def charsmap(rules):
    """SentencePiece's compiled form of {bytes: replacement}: a double array and the replacements."""
    blob, values = b"", {}
    for key, value in sorted(rules.items()):
        values[key] = len(blob)
        blob += value.encode() + b"\0"
    units, used = {0: 0}, {0}

    def place(index, prefix):
        labels = sorted({key[len(prefix)] for key in values if key.startswith(prefix) and len(key) > len(prefix)})
        leaf = prefix in values
        slots = ([0] if leaf else []) + labels
        base = next(b for b in range(1, 1 << 20) if all(b ^ label not in used for label in slots))
        used.update(base ^ label for label in slots)
        units[index] |= (index ^ base) << 10 | leaf << 8
        if leaf:
            units[base] = values[prefix] | 1 << 31
        for label in labels:
            units[base ^ label] = label
        for label in labels:
            place(base ^ label, prefix + bytes([label]))

    place(0, b"")
    size = (max(units) // 256 + 1) * 256  # a look-up that fails reads within its block
    array = b"".join(units.get(i, 0).to_bytes(4, "little") for i in range(size))
    return len(array).to_bytes(4, "little") + array + blob


def t5():
    rules = {"ﬁ".encode(): "fi", "ﬂ".encode(): "fl", "①".encode(): "1", "½".encode(): "1/2", "é".encode(): "é", "e\u0301".encode(): "é",
             "\u200b".encode(): " ", "\t".encode(): " ", "\n".encode(): " ", "\r".encode(): " ", "\u00a0".encode(): " ", "Å".encode(): "Å", "\u2028".encode(): " ",
             b"\x7f": "", "ｆ".encode(): "f", "각".encode(): "각", "q".encode(): "q", "\U0001f468".encode(): "man", "n".encode(): "n"}
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Precompiled(charsmap(rules))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    trainer = trainers.UnigramTrainer(vocab_size=420, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(CORPUS.splitlines(), trainer)
    document = json.loads(tokenizer.to_str())
    for entry in document["model"]["vocab"]:  # scores that a GGUF file can hold
        entry[1] = struct.unpack("f", struct.pack("f", entry[1]))[0]
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return tokenizer, {"unk_token": "<unk>", "eos_token": "</s>", "pad_token": "<pad>"}


def unigram_bytes():
    """Byte fallback, and no word boundaries: the whole text is one lattice."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " "), normalizers.Replace(" ", "▁"), normalizers.Prepend("▁")])
    trainer = trainers.UnigramTrainer(vocab_size=300, special_tokens=["<s>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator([line.replace(" ", "▁") for line in CORPUS.splitlines()[:4]], trainer)
    document = json.loads(tokenizer.to_str())
    document["model"]["vocab"] += [[f"<0x{b:02X}>", -20.0 - b / 64] for b in range(256)]
    document["model"]["byte_fallback"] = True
    tokenizer = Tokenizer.from_str(json.dumps(document))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return tokenizer, {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}


def clip():
    """Ends of words are marked, and what goes on inside them."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>", continuing_subword_prefix="##"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", "removed", True)])
    trainer = trainers.BpeTrainer(vocab_size=420, min_frequency=1, end_of_word_suffix="</w>", continuing_subword_prefix="##", special_tokens=["<s>", "</s>", "<unk>"], show_progress=False)
    tokenizer.train_from_iterator(CORPUS.splitlines(), trainer)
    tokenizer.decoder = decoders.BPEDecoder()
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=False)
    return tokenizer, {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}


def word_level():
    vocab = {token: i for i, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'.,!? ABCDEFGH", "é", "東"])}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    tokenizer.pre_tokenizer = split(r"(?m:.)", "isolated")
    tokenizer.decoder = decoders.CTC()
    tokenizer.add_special_tokens([special("<s>"), special("</s>")])
    return tokenizer, {"unk_token": "<unk>", "pad_token": "<pad>", "eos_token": "</s>"}


def write_gguf(path, directory, kind, pre=None):
    """The tokenizer in a directory as a GGUF file without tensors."""
    document = json.loads((directory / "tokenizer.json").read_text())
    config = json.loads((directory / "tokenizer_config.json").read_text())
    vocab = document["model"]["vocab"]
    ids = dict(vocab) if kind != "t5" else {token: i for i, (token, _) in enumerate(vocab)}
    types = {token: 6 if kind in ("llama", "t5") and token.startswith("<0x") else 1 for token in ids}
    for token in document["added_tokens"]:
        ids[token["content"]] = token["id"]
        types[token["content"]] = 2 if token["content"] in ("<unk>", "[UNK]") else 3 if token["special"] else 4
    tokens = sorted(ids, key=ids.get)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(kind)
    if kind == "bert":  # marks where a word begins instead of where it goes on
        written = [token if types[token] != 1 else token[2:] if token.startswith("##") else "▁" + token for token in tokens]
    writer.add_token_list(written if kind == "bert" else tokens)
    writer.add_token_types([types[token] for token in tokens])
    if kind == "llama":
        writer.add_token_scores([0.0 if types[token] in (2, 3, 6) else -float(ids[token]) for token in tokens])
    elif kind == "t5":
        writer.add_token_scores([score for _, score in vocab])
        writer.add_precompiled_charsmap(base64.b64decode(document["normalizer"]["precompiled_charsmap"]))
        writer.add_remove_extra_whitespaces(True)
    elif kind == "gpt2":
        writer.add_tokenizer_pre(pre)
        if "TemplateProcessing" in json.dumps(document["post_processor"]):
            writer.add_add_bos_token(True)
        writer.add_token_merges([" ".join(merge) for merge in document["model"]["merges"]])
    for key, add in (("bos_token", writer.add_bos_token_id), ("eos_token", writer.add_eos_token_id), ("unk_token", writer.add_unk_token_id), ("cls_token", lambda id: writer.add_uint32("tokenizer.ggml.cls_token_id", id)),
                     ("sep_token", writer.add_sep_token_id), ("pad_token", writer.add_pad_token_id), ("mask_token", writer.add_mask_token_id)):
        if key in config:
            add(ids[config[key]["content"] if isinstance(config[key], dict) else config[key]])
    if "chat_template" in config:
        writer.add_chat_template(config["chat_template"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()


def byte_offsets(text, characters):
    return [[len(text[:begin].encode()), len(text[:end].encode())] for begin, end in characters]


def main():
    OUT.mkdir(exist_ok=True)
    rows = texts()
    (OUT / "texts.json").write_text(json.dumps(rows))
    # Of the later ones every third text, to be short.
    sparse = (gpt4o, deepseek3, gemma, bert, bert_cased, t5, unigram_bytes, clip, word_level)
    all_rows = rows
    for make in (gpt2, smollm2, llama3, qwen2, llama2, metaspace, odd_parts) + sparse:
        every = 3 if make in sparse else 1
        rows = all_rows[::every]
        directory = OUT / make.__name__
        directory.mkdir(exist_ok=True)
        tokenizer, config = make()
        (directory / "tokenizer.json").write_text(tokenizer.to_str())
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
        (directory / "tokenizer_config.json").write_text(json.dumps(config))
        reference = transformers.AutoTokenizer.from_pretrained(directory)
        ids = [reference(text).input_ids for text in rows]
        decoded = [reference.decode(row, skip_special_tokens=True) for row in ids]
        generator = random.Random(7)
        cut = [[generator.randrange(len(reference)) for _ in range(generator.randint(1, 12))] for _ in range(60)]
        # Offsets where both of us mean the same: no normalizer that joins characters, no character that gives no token.
        plain = [text for text in rows[:110] if make.__name__ in ("gpt2", "llama3", "llama2") and len(text) < 60]
        offsets = []
        for text in plain:
            encoding = reference(text, return_offsets_mapping=True)
            offsets.append({"text": text, "bytes": byte_offsets(text, encoding.offset_mapping)})
        # Special tokens in the text left alone.
        reference.backend_tokenizer.encode_special_tokens = True
        spelling = [text for text in all_rows if "<" in text and ">" in text] if make in (gpt2, llama3, qwen2, llama2, gpt4o, gemma, clip) else []
        plain_ids = [[text, reference.backend_tokenizer.encode(text, add_special_tokens=False).ids] for text in spelling]
        expected = {"every": every, "plain": plain_ids, "versions": {"tokenizers": tokenizers.__version__, "transformers": transformers.__version__}, "size": max(reference.get_vocab().values()) + 1,
                    "ids": ids, "decoded": [None if text == row else text for text, row in zip(decoded, rows)],
                    "decodes": [[row, reference.decode(row)] for row in cut], "offsets": offsets}
        (directory / "expected.json").write_text(json.dumps(expected, separators=(",", ":")))
        print(make.__name__, len(reference), sum(map(len, ids)))
    for name, kind, pre in (("smollm2", "gpt2", "smollm"), ("llama3", "gpt2", "llama-bpe"), ("llama2", "llama", None), ("bert", "bert", None), ("t5", "t5", None),
                            ("gpt4o", "gpt2", "gpt-4o"), ("deepseek3", "gpt2", "deepseek-v3")):
        write_gguf(OUT / f"{name}.gguf", OUT / name, kind, pre)


main()
