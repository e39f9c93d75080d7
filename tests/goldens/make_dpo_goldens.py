"""Writes tests/goldens/dpo/: preference losses, and ten steps of TRL's preference trainers on the tiny models of tests/goldens/models.

    python3 tests/goldens/make_dpo_goldens.py [OUTPUT_DIR [NAME ...]]

NAME is formulas, models/<model> or losses/<case>. Needs torch, transformers, peft, trl (versions are stored in every file).

formulas.json   losses of log-probabilities alone: the code of TRL's trainers run on a model that returns given numbers, in float64. batches:
                {name: what PreferenceBatch or UnpairedBatch holds}; cases: [{"name", "dpo" (settings), "batch", "loss", "d_chosen", "d_rejected"
                (autograd), "metrics", "rtol"}]; unpaired: the same with "d_policy" and "kl".
models/<model>.json, .safetensors     loss sigmoid on every model
losses/<case>.json, .safetensors      every loss, and further settings, on one model
  json          {"trainer", "model", "adapter": folder of the initial adapter in the model's, "settings": {"dpo", "train"} in the names of our
                configuration, "rows": [{"prompt_ids", "chosen_ids", "rejected_ids"}] or, for kto, [{"prompt_ids", "completion_ids", "label"}],
                "order": rows of each step, "logps": of step 0 by policy and reference, in the order of its rows (not of CPO and ORPO), "steps":
                what TRL logged a step (loss, grad_norm, learning_rate, rewards/..., logps/..., kl, nll_loss ...), "tol", "versions"}
  safetensors   grad.<PEFT name> of step 0 before clipping, of models/ and of one loss of every trainer of losses/ all of them, else one module's;
                trained.<PEFT name> after the steps, of losses/ one module's;
                sampled.first, sampled.last: a row for every adapter tensor, by PEFT name ascending, of its gradient at step 0 and at the last
                step, before clipping: SAMPLES entries, entry k at place PRIME (k + 1) mod its elements, then norm and sum of all (in float64)
"""

import itertools
import json
import sys
from pathlib import Path

import datasets
import torch
from safetensors.torch import save_file

from dpo_formulas import formulas
from dpo_reference import EOS, VOCABULARY, run_trl
from sft_reference import versions

STEPS, PAIRS_A_STEP, PAIRS = 10, 4, 13
TRAIN = dict(global_batch_size=PAIRS_A_STEP, learning_rate=2e-3, lr_scheduler_type="cosine", warmup_steps=0, weight_decay=0.1, max_grad_norm=1.0,
             adam_beta1=0.9, adam_beta2=0.999, adam_epsilon=1e-8)
TOLERANCE = dict(logps=dict(atol=1e-4, rtol=0.0), grad=dict(atol=1e-5, rtol=5e-4), loss=dict(atol=1e-5, rtol=2e-4), grad_norm=dict(rtol=1e-3),
                 metrics=dict(atol=1e-3, rtol=1e-3), adapter=dict(atol=2e-4),
                 sampled=dict(rms=1e-3))  # an entry by the root mean square of its tensor, norm and sum by its norm
METRICS = ("loss", "grad_norm", "learning_rate", "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen",
           "logps/rejected", "kl", "nll_loss", "log_odds_chosen", "log_odds_ratio")
KEPT = "layers.0.self_attn.q_proj."  # below everything else that is differentiated
ONE_MODEL = "qwen2_bias"
WHOLE = ("kto", "orpo", "cpo")  # of losses/; of TRL's DPO trainer models/ has them
SAMPLES, PRIME = 16, 7919


def settings(reference="base", **dpo):
    return {"dpo": {"beta": 0.1, **({"reference": reference} if reference else {}), **dpo}, "train": TRAIN}


LOSSES = {name: ("dpo", settings(loss_type=[name])) for name in (
    "sigmoid", "hinge", "ipo", "nca_pair", "bco_pair", "sppo_hard", "aot", "aot_unpaired", "apo_zero", "apo_down", "discopop", "sigmoid_norm")}
LOSSES |= {
    "sft": ("dpo", settings(loss_type=["sft"])),
    "exo_pair": ("dpo", settings(loss_type=["exo_pair"], label_smoothing=1e-3)),
    "robust": ("dpo", settings(loss_type=["robust"], label_smoothing=0.1)),
    "aot_smoothed": ("dpo", settings(loss_type=["aot"], label_smoothing=0.2)),
    "forward_kl": ("dpo", settings(loss_type=["sigmoid"], f_divergence_type="forward_kl")),
    "js_divergence": ("dpo", settings(loss_type=["ipo"], f_divergence_type="js_divergence")),
    "alpha_divergence": ("dpo", settings(loss_type=["hinge"], f_divergence_type="alpha_divergence", f_alpha_divergence_coef=0.7)),
    "reference_adapter": ("dpo", settings(loss_type=["sigmoid"], reference="init_adapter")),
    "several": ("dpo", settings(loss_type=["sigmoid", "bco_pair", "sft"], loss_weights=[0.8, 0.2, 1.0])),
    "several_coupled": ("dpo", settings(loss_type=["aot_unpaired", "sigmoid"], loss_weights=[0.5, 2.0])),
    "kto": ("kto", settings(loss_type=["kto"], desirable_weight=1.5, undesirable_weight=0.75)),
    "apo_zero_unpaired": ("kto", settings(loss_type=["apo_zero_unpaired"])),
    "orpo": ("orpo", settings(None, loss_type=["orpo"])),
    "cpo": ("cpo", settings(None, loss_type=["cpo"], label_smoothing=0.1)),
    "simpo": ("cpo", settings(None, loss_type=["simpo"], beta=2.0, simpo_gamma=1.0)),
    "cpo_simpo": ("cpo", settings(None, loss_type=["simpo"], beta=2.0, simpo_gamma=1.0, cpo_alpha=0.5)),
}
for _, chosen in LOSSES.values():
    if set(chosen["dpo"]["loss_type"]) == {"sft"}:
        chosen["trl_reference"] = chosen["dpo"].pop("reference")  # TRL scores it for rewards that the loss does not read; ours has none


def make_rows(kind, generator):
    draw = lambda n: torch.randint(3, VOCABULARY, (n,), generator=generator).tolist()
    number = lambda low, high: int(torch.randint(low, high, (), generator=generator))
    rows = []
    for i in range(PAIRS):
        # TRL's ORPO takes the likelihood over the prompt's tokens too, which a prompt of one token does not have.
        prompt, shared = draw(1 if kind == "orpo" else number(3, 12)), draw(2 if i % 3 == 0 else 0)
        completion = lambda: shared + draw(number(1, 11)) + [EOS]
        if kind == "kto":
            rows.append({"prompt_ids": prompt, "completion_ids": completion(), "label": i % 3 != 1})
        else:
            rows.append({"prompt_ids": prompt, "chosen_ids": completion(), "rejected_ids": completion()})
    return rows


def make_order(generator):
    epochs = (torch.randperm(PAIRS, generator=generator).tolist() for _ in itertools.count())
    stream = itertools.chain.from_iterable(epochs)
    return [list(itertools.islice(stream, PAIRS_A_STEP)) for _ in range(STEPS)]


def difference(a, b, floor):
    return max(abs(p[key] - q[key]) / max(abs(q[key]), floor) for p, q in zip(a, b, strict=True) for key in q)


def sample(gradients):
    rows = []
    for name in sorted(gradients):
        flat = gradients[name].double().flatten()
        places = [PRIME * (k + 1) % flat.numel() for k in range(SAMPLES)]
        assert len(set(places)) == SAMPLES and flat.abs().max() > 0, name
        rows.append(torch.cat([flat[places], flat.norm()[None], flat.sum()[None]]))
    return torch.stack(rows).float()


def apart_by_rms(a, b):
    return max(((a[name] - b[name]).abs().max() / a[name].pow(2).mean().sqrt()).item() for name in a)


def check_noise(name, kind, folder, rows, order, chosen, figures, gradients, trained):
    """The same steps with the pairs of each in another order differ by rounding alone, which must stay far inside the tolerance."""
    if kind == "kto":
        return  # the order decides which completions are mismatched
    turned = [rows[i] for indices in order for i in reversed(indices)]
    theirs, _, turned_gradients, other = run_trl(kind, folder, turned, chosen, STEPS, METRICS)
    loss = difference([{"loss": s["loss"]} for s in theirs], [{"loss": s["loss"]} for s in figures], 1.0)
    norm = difference([{"n": s["grad_norm"]} for s in theirs], [{"n": s["grad_norm"]} for s in figures], 1e-12)
    apart = max((trained[key] - other[key]).abs().max().item() for key in trained)
    entry = max(apart_by_rms(a, b) for a, b in zip(gradients, turned_gradients))
    print(f"{name}: loss {figures[0]['loss']:.6f} -> {figures[-1]['loss']:.6f}, grad_norm {figures[0]['grad_norm']:.4f} -> "
          f"{figures[-1]['grad_norm']:.4f}; in another order loss {loss:.1e}, norm {norm:.1e}, adapter {apart:.1e}, gradients {entry:.1e}")
    assert loss < TOLERANCE["loss"]["rtol"] / 4 and norm < TOLERANCE["grad_norm"]["rtol"] / 4, (name, loss, norm)
    assert apart < TOLERANCE["adapter"]["atol"] / 2 and entry < TOLERANCE["sampled"]["rms"] / 4, (name, apart, entry)


def make_case(output, group, case, kind, model, chosen, seed):
    generator = torch.Generator().manual_seed(seed)
    rows, order = make_rows(kind, generator), make_order(generator)
    folder = Path(__file__).parent / "models" / model
    ours = {"dpo": chosen["dpo"], "train": chosen["train"]}
    theirs = {"dpo": {**chosen["dpo"], "reference": chosen.get("trl_reference", chosen["dpo"].get("reference"))}, "train": chosen["train"]}
    laid_out = [rows[i] for indices in order for i in indices]
    figures, logps, gradients, trained = run_trl(kind, folder, laid_out, theirs, STEPS, METRICS)
    check_noise(f"{group}/{case}", kind, folder, rows, order, theirs, figures, gradients, trained)
    assert all(step["grad_norm"] == step["grad_norm"] for step in figures)
    assert case != "kto" or len({step["kl"] > 0 for step in figures}) == 2, "the KL estimate is clamped always, or never"
    if "trl_reference" in chosen:
        figures = [{key: value for key, value in step.items() if not key.startswith("rewards/")} for step in figures]
    tensors = {"grad." + name: value for name, value in gradients[0].items() if group == "models" or case in WHOLE or KEPT in name}
    if group == "losses":
        tensors |= {"trained." + name: value for name, value in trained.items() if KEPT in name}
    assert all(value.abs().max() > 0 for value in tensors.values())
    tensors |= {"sampled.first": sample(gradients[0]), "sampled.last": sample(gradients[1])}
    golden = dict(trainer=kind, model=model, adapter="adapter", settings=ours, rows=rows, order=order, logps=logps, steps=figures, tol=TOLERANCE,
                  versions=versions())
    path = output / group / case
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(golden, sort_keys=True, separators=(",", ":")) + "\n")
    save_file(tensors, path.with_suffix(".safetensors"))


def main():
    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "dpo"
    wanted = lambda name: not sys.argv[2:] or name in sys.argv[2:]
    output.mkdir(parents=True, exist_ok=True)
    if wanted("formulas"):
        (output / "formulas.json").write_text(json.dumps(formulas(), sort_keys=True, separators=(",", ":")) + "\n")
    for index, (case, (kind, chosen)) in enumerate(LOSSES.items()):
        if wanted("losses/" + case):
            make_case(output, "losses", case, kind, ONE_MODEL, chosen, seed=3000 + index)
    models = sorted(path.parent.name for path in (Path(__file__).parent / "models").glob("*/golden.json"))
    for index, model in enumerate(models):
        if wanted("models/" + model):
            make_case(output, "models", model, "dpo", model, settings(loss_type=["sigmoid"]), seed=4000 + index)


if __name__ == "__main__":
    main()
