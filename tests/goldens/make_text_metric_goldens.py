"""Writes pairs of texts with what rouge-score 0.1.2 and sacrebleu 2.6.0 make of them.

    python3 make_text_metric_goldens.py [ROWS [DIRECTORY]]      200 rows into text_metrics/ beside this file
"""

import json
import random
import sys
from pathlib import Path

import nltk
import sacrebleu
from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF, TER

ROUGE = ["rouge1", "rouge2", "rouge4", "rougeL", "rougeLsum"]
WORDS = """the a an of to in is was relational conditional rational valenci hesitanci digitizer conformabli radicalli differentli vileli analogousli
vietnamization predication operator feudalism decisiveness hopefulness callousness formaliti sensitiviti sensibiliti triplicate formative formalize
electriciti electrical hopeful goodness revival allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment dependent
adoption homologou communism activate angulariti homologous effective bowdlerize probate rate cease controll roll skies dying lying tying innings
canning howe proceed happy enjoy sky fly spied dies agreed plastered motoring sing conflated troubled sized hopping tanned falling hissing fizzed failing
filing apologi geologi carefulli cats ponies caresses ties 3 14 2026 x y z don't it's U.S.A. e.g. 3,000.50 -5 10-20 state-of-the-art (hi) [x] {y} "q"
&amp; &quot;so&quot; &lt;b&gt; <skipped> a/b c:d; e! f? g... #tag @me 100% $5 ~ ^ _ ` | \\ Straße ÄPFEL naïve ΟΔΟΣ ΣΑΣ. İstanbul K ﬁne 東京 は 大きい 。 、 ，
العربية مرحبا 👩‍👩‍👧 🇩🇪 e\u0301 \u00a0 \u2003 \u3000 \u200b – — “so” ‘x’ … № ½ ² Ⅻ ٣ € ™""".split(" ")
WORDS = [word for part in WORDS for word in part.split("\n")]


def sentence(rng):
    text = rng.choice([" ", " ", " ", "  ", "\n", "-\n"]).join(rng.choice(WORDS) for _ in range(rng.randrange(1, 25)))
    return text + rng.choice(["", ".", " .", "!", "\n", " \t"])


def vary(rng, text):
    words = text.split(" ")
    for _ in range(rng.randrange(0, 1 + len(words) // 2)):
        at = rng.randrange(len(words))
        words[at : at + 1] = rng.choice([[], [rng.choice(WORDS)], [words[at], words[at]], [words[at].upper()], words[at : at + 1][::-1]])
        if not words:
            return ""
    return " ".join(words)


def pairs(count):
    rng = random.Random(7)
    special = ["", " ", "\n", "a", ".", "…", "東京", "\u3000", "the", "The the THE", "x" * 300, "a b c", "a b c d", "a b c d e"]
    rows = [(p, [r]) for p in special for r in special][:: 1 if count >= 1000 else 7]
    while len(rows) < count:
        references = ["\n".join(sentence(rng) for _ in range(rng.randrange(1, 4)))]
        while rng.random() < 0.2:
            references.append(vary(rng, references[0]))
        rows.append((vary(rng, rng.choice(references)) if rng.random() < 0.9 else sentence(rng), references))
    return rows[:count]


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parent / "text_metrics"
    folder.mkdir(parents=True, exist_ok=True)
    rows = pairs(count)
    metrics = {"bleu": BLEU(), "bleu_lc": BLEU(lowercase=True), "bleu_intl": BLEU(tokenize="intl"), "bleu_char": BLEU(tokenize="char"),
               "bleu_none": BLEU(tokenize="none"), "chrf": CHRF(), "chrf_lc": CHRF(lowercase=True), "chrf++": CHRF(word_order=2), "ter": TER()}
    sentence_bleu = BLEU(effective_order=True)
    predictions, references = [p for p, _ in rows], [r for _, r in rows]
    width = max(map(len, references))
    streams = [[r[i] if i < len(r) else None for r in references] for i in range(width)]
    with open(folder / "rows.jsonl", "w", encoding="utf-8") as out:
        for prediction, texts in rows:
            row = {"prediction": prediction, "reference": texts}
            for stem in (False, True):
                scores = rouge_scorer.RougeScorer(ROUGE, use_stemmer=stem).score_multi(texts, prediction)
                row["rouge_stem" if stem else "rouge"] = [list(scores[name]) for name in ROUGE]
            row["sentence_bleu"] = sentence_bleu.sentence_score(prediction, texts).score
            row["sentence_ter"] = metrics["ter"].sentence_score(prediction, texts).score
            row["sentence_chrf"] = metrics["chrf"].sentence_score(prediction, texts).score
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    corpus = {}
    for name, metric in metrics.items():
        corpus[name] = {"score": metric.corpus_score(predictions, streams).score, "signature": str(metric.get_signature())}
    words = sorted({word.lower() for word in WORDS if word.isascii() and word.isalnum()})
    stemmer = PorterStemmer()
    (folder / "corpus.json").write_text(json.dumps({
        "versions": {"rouge-score": "0.1.2", "sacrebleu": sacrebleu.__version__, "nltk": nltk.__version__}, "tolerance": {"rouge": 1e-9, "bleu": 1e-6},
        "rouge": ROUGE, "corpus": corpus, "stems": {word: stemmer.stem(word) for word in words}}, indent=1) + "\n", encoding="utf-8")


main()
