"""Writes what transformers and sentence-transformers make of a few texts: perplexity by tiny_chat, cosines by encoders/bert.

    python3 make_model_metric_goldens.py [MODEL ENCODER ROWS.jsonl]     model_metrics.jsonl beside this file
"""

import json
import math
import sys
from pathlib import Path

import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = Path(__file__).parent
ROWS = [("A fish swims in the sea.", ["The fish is swimming."]), ("order two lamps", ["Two lamps, please.", "order three lamps"]), ("!", ["?"]),
        ("Ünïcode: 東京 is big.", ["Tokyo is a big city."]), ("the same text", ["the same text"]), ("x" * 40, ["a"]),
        ("Good evening, please prepare 4 egg timers for delivery, I pay on receipt. Thank you for your help. " * 3, ["Send four egg timers."])]


@torch.no_grad()
def loglikelihood(model, tokenizer, text):
    first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    ids = tokenizer(text)["input_ids"]
    logits = model(torch.tensor([[first, *ids]])).logits[0, :-1].float()
    return torch.log_softmax(logits, -1)[torch.arange(len(ids)), torch.tensor(ids)].double().sum().item(), len(ids)


def main():
    model_dir, encoder_dir = (sys.argv[1], sys.argv[2]) if len(sys.argv) > 2 else (str(HERE / "tiny_chat"), str(HERE / "encoders" / "bert"))
    rows = [(r["prediction"], r["reference"]) for r in map(json.loads, open(sys.argv[3], encoding="utf-8"))] if len(sys.argv) > 3 else ROWS
    model = AutoModelForCausalLM.from_pretrained(model_dir, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(model_dir)
    encoder = SentenceTransformer(encoder_dir, device="cpu")
    lines, total, tokens = [], 0.0, 0
    for prediction, references in rows:
        sum_, count = loglikelihood(model, tokenizer, prediction)
        total, tokens = total + sum_, tokens + count
        vectors = encoder.encode([prediction, *references], normalize_embeddings=True, convert_to_numpy=True).astype("float64")
        lines.append({"prediction": prediction, "reference": references, "perplexity": math.exp(-sum_ / count), "semantic_similarity": float(max(vectors[1:] @ vectors[0]))})
    summary = {"versions": {"torch": torch.__version__, "transformers": transformers.__version__, "sentence-transformers": sentence_transformers.__version__},
               "tolerance": 1e-4, "perplexity": math.exp(-total / tokens), "semantic_similarity": sum(line["semantic_similarity"] for line in lines) / len(lines)}
    out = sys.stdout if len(sys.argv) > 3 else open(HERE / "model_metrics.jsonl", "w", encoding="utf-8")
    for line in [*lines, {"all": summary}]:
        out.write(json.dumps(line, ensure_ascii=False) + "\n")


main()
