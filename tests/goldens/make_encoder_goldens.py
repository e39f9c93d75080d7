"""Writes tests/goldens/encoders/<name>/: tiny random encoders with what sentence-transformers computes of them.

    python3 tests/goldens/make_encoder_goldens.py [OUTPUT_DIR [NAME ...]]

Needs torch, transformers, sentence-transformers (versions are stored in golden.json). float32, one thread, fixed seeds. A model's folder holds
its files as the two libraries save them, and golden.json: versions, tolerances, texts with their token ids, vectors of every pooling, vectors
as the model's own files say (with a prompt, and of fewer dimensions), or pairs with ids, token types and scores.
"""

import json
import shutil
import sys
from pathlib import Path

import sentence_transformers
import torch
import transformers
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoder, SentenceTransformer
from transformers import (BertConfig, BertForMaskedLM, BertForSequenceClassification, BertModel, CamembertConfig, CamembertModel, DistilBertConfig,
                          DistilBertForSequenceClassification, DistilBertModel, MPNetConfig, MPNetForSequenceClassification, MPNetModel, RobertaConfig,
                          RobertaForSequenceClassification, XLMRobertaConfig, XLMRobertaModel)
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

HERE = Path(__file__).resolve().parent
TEXTS = ["The quick brown fox jumps over the lazy dog.", "", " ", "a", "Hello world", "naïve café résumé", "3.14159 and 42", "漢字 and 日本",
         "name@example.org, http://example.com/a?b=c", "[UNK] in the middle of a text", "one two three four five six seven eight nine ten " * 4,
         "😀 👨‍👩‍👧 flags 🇩🇪"]
LONG = " ".join(f"{word} {number}" for number in range(60) for word in ("quick", "lazy"))  # as far as MPNet tells distances apart, and farther
PAIRS = [["what jumps?", "The quick brown fox jumps over the lazy dog."], ["", "a text"], ["a question", ""],
         ["one two three " * 12, "four five"], ["four five", "one two three " * 12], ["one two three " * 10, "six seven eight " * 11]]
POOLINGS = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
SHAPE = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, vocab_size=463)
DISTIL = dict(dim=32, n_layers=2, n_heads=4, hidden_dim=48, vocab_size=463, max_position_embeddings=40)
SENTENCE = dict(max_seq_length=24, do_lower_case=False)
MODELS = {
    # name: class, configuration, kind of post-processor, extras
    "bert": (BertModel, BertConfig(**SHAPE, max_position_embeddings=40), "bert", dict(pooling=["mean"], normalize=True, limits=SENTENCE)),
    "bert_prefixed_f16": (BertForMaskedLM, BertConfig(**SHAPE, max_position_embeddings=40, hidden_act="gelu_new", tie_word_embeddings=False), "bert",
                          dict(pooling=["cls", "mean"], normalize=False, limits=SENTENCE, dtype=torch.float16)),
    "distilbert_dense": (DistilBertModel, DistilBertConfig(**DISTIL), "bert", dict(pooling=["mean"], normalize=True, limits=SENTENCE, dense=20)),
    "xlm_roberta": (XLMRobertaModel, XLMRobertaConfig(**SHAPE, max_position_embeddings=34, pad_token_id=1, type_vocab_size=1, layer_norm_eps=1e-5),
                    "roberta", dict(pooling=["mean"], normalize=True, limits=None)),
    "camembert_bf16": (CamembertModel, CamembertConfig(**SHAPE, max_position_embeddings=34, pad_token_id=1, type_vocab_size=1, layer_norm_eps=1e-5),
                       "roberta", dict(pooling=["cls"], normalize=False, limits=SENTENCE, dtype=torch.bfloat16)),
    "cross_bert": (BertForSequenceClassification, BertConfig(**SHAPE, max_position_embeddings=40, num_labels=1), "bert", dict(cross=True)),
    "cross_bert_labels": (BertForSequenceClassification, BertConfig(**SHAPE, max_position_embeddings=40, num_labels=3), "bert", dict(cross=True)),
    "cross_roberta": (RobertaForSequenceClassification,
                      RobertaConfig(**SHAPE, max_position_embeddings=34, pad_token_id=1, type_vocab_size=1, num_labels=1,
                                    sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity", "version": "6.2.0"}),
                      "roberta", dict(cross=True)),
    "cross_distilbert": (DistilBertForSequenceClassification, DistilBertConfig(**DISTIL, num_labels=1), "bert", dict(cross=True)),
    "mpnet": (MPNetModel, MPNetConfig(**SHAPE, max_position_embeddings=234, layer_norm_eps=1e-5), "roberta",
              dict(pooling=["mean"], normalize=True, limits=dict(max_seq_length=230, do_lower_case=False), texts=TEXTS + [LONG])),
    "cross_mpnet": (MPNetForSequenceClassification, MPNetConfig(**SHAPE, max_position_embeddings=34, num_labels=1), "roberta", dict(cross=True)),
}
# At least four times what float32 differs from float64 here.
TOLERANCE = dict(vectors=dict(atol=2e-5, rtol=1e-5), scores=dict(atol=2e-5, rtol=1e-5), bfloat16_cosine=0.998)
PROMPTS = {"query": "what is ", "document": ""}


def randomise(model, generator):
    """Values large enough that attention is not uniform and every bias shows."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name.lower():
                parameter.copy_((1.0 if name.endswith("weight") else 0.0) + 0.2 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.1 * noise)
            elif "embeddings" in name:
                parameter.copy_(0.5 * noise)
            else:
                parameter.copy_(0.25 * noise)


def write_tokenizer(folder, kind):
    tokenizer = json.loads((HERE / "tokenizers/bert/tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    if kind == "roberta":
        tokenizer["post_processor"] = dict(type="RobertaProcessing", sep=["[SEP]", vocabulary["[SEP]"]], cls=["[CLS]", vocabulary["[CLS]"]],
                                           trim_offsets=True, add_prefix_space=False)
    # Truncation and padding as a training left them: they are not the model's.
    tokenizer["truncation"] = dict(direction="Right", max_length=8, strategy="LongestFirst", stride=0)
    tokenizer["padding"] = dict(strategy=dict(Fixed=8), direction="Right", pad_to_multiple_of=None, pad_id=0, pad_type_id=0, pad_token="[PAD]")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))
    config = dict(tokenizer_class="PreTrainedTokenizerFast", model_max_length=30, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
                  unk_token="[UNK]", mask_token="[MASK]", model_input_names=["input_ids", "token_type_ids", "attention_mask"])
    if kind == "roberta":
        config["model_input_names"] = ["input_ids", "attention_mask"]
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1))


def write_weights(folder, model, dtype):
    model.save_pretrained(folder)
    if dtype is not None:
        state = {name: value.to(dtype) for name, value in load_file(folder / "model.safetensors").items()}
        save_file(state, folder / "model.safetensors")


def write_sentence_files(folder, config, extras, generator):
    width = (config.dim if hasattr(config, "dim") else config.hidden_size) * len(extras["pooling"])
    modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
    (folder / "1_Pooling").mkdir()
    pooling = dict(word_embedding_dimension=config.hidden_size if not hasattr(config, "dim") else config.dim)
    for mode, key in (("cls", "cls_token"), ("mean", "mean_tokens"), ("max", "max_tokens")):
        pooling["pooling_mode_" + key] = mode in extras["pooling"]
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling, indent=1))
    if "dense" in extras:
        (folder / "2_Dense").mkdir()
        dense = dict(in_features=width, out_features=extras["dense"], bias=True, activation_function="torch.nn.modules.activation.Tanh")
        (folder / "2_Dense/config.json").write_text(json.dumps(dense, indent=1))
        save_file({"linear.weight": 0.3 * torch.randn(extras["dense"], width, generator=generator),
                   "linear.bias": 0.1 * torch.randn(extras["dense"], generator=generator)}, folder / "2_Dense/model.safetensors")
        modules.append(("2_Dense", "Dense"))
    if extras["normalize"]:
        modules.append((f"{len(modules)}_Normalize", "Normalize"))
    (folder / "modules.json").write_text(json.dumps(
        [dict(idx=i, name=str(i), path=path, type="sentence_transformers.models." + kind) for i, (path, kind) in enumerate(modules)], indent=1))
    if extras["limits"]:
        (folder / "sentence_bert_config.json").write_text(json.dumps(extras["limits"], indent=1))
    (folder / "config_sentence_transformers.json").write_text(json.dumps(dict(prompts=PROMPTS, default_prompt_name=None), indent=1))


def listed(tensor):
    return [[float(f"{value:.9g}") for value in row] for row in tensor.float().tolist()]


def sentence_golden(folder, texts):
    model = SentenceTransformer(str(folder), device="cpu", model_kwargs=dict(dtype=torch.float32))
    encoded = [model.tokenizer(text, truncation=True, max_length=model.max_seq_length)["input_ids"] for text in texts]
    encode = lambda **options: listed(torch.tensor(model.encode(texts, batch_size=3, **options)))
    golden = dict(texts=texts, limit=model.max_seq_length, ids=encoded, vectors=encode(), prompt_vectors=encode(prompt_name="query"),
                  short_vectors=encode(truncate_dim=7), short_normalized_vectors=encode(truncate_dim=7, normalize_embeddings=True), poolings={})
    pooling = next(module for module in model if type(module).__name__ == "Pooling")
    own = pooling.pooling_mode
    for mode in POOLINGS:
        pooling.pooling_mode = mode
        with torch.no_grad():
            features = model[1](model[0](model.preprocess(texts)))
        golden["poolings"][mode] = listed(features["sentence_embedding"])
    pooling.pooling_mode = own
    return golden


def pair_golden(folder):
    model = CrossEncoder(str(folder), device="cpu", model_kwargs=dict(dtype=torch.float32))
    # Lists of one: an empty second text alone would count as none.
    encoded = [model.tokenizer([first], [second], truncation="longest_first", max_length=model.max_seq_length) for first, second in PAIRS]
    scores = torch.tensor(model.predict(PAIRS, batch_size=2)).reshape(len(PAIRS), -1)
    return dict(pairs=PAIRS, limit=model.max_seq_length, ids=[one["input_ids"][0] for one in encoded],
                types=[one.get("token_type_ids", [[0] * len(one["input_ids"][0])])[0] for one in encoded], scores=listed(scores))


def main():
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "encoders"
    torch.set_num_threads(1)
    for seed, (name, (kind, config, post_processor, extras)) in enumerate(MODELS.items()):
        if len(sys.argv) > 2 and name not in sys.argv[2:]:
            continue
        folder = output / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        generator = torch.Generator().manual_seed(1000 + seed)
        model = kind(config).eval()
        randomise(model, generator)
        write_weights(folder, model, extras.get("dtype"))
        write_tokenizer(folder, post_processor)
        cross = extras.get("cross", False)
        if not cross:
            write_sentence_files(folder, config, extras, generator)
        golden = dict(versions=dict(torch=torch.__version__, transformers=transformers.__version__,
                                    sentence_transformers=sentence_transformers.__version__), tol=TOLERANCE)
        golden.update(pair_golden(folder) if cross else sentence_golden(folder, extras.get("texts", TEXTS)))
        if name == "mpnet":
            distances = torch.arange(-200, 201)
            golden["relative_buckets"] = dict(first=-200, of=MPNetEncoder.relative_position_bucket(distances).tolist())
        (folder / "golden.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
        print(name, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()), "bytes")


main()
