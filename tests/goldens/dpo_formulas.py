"""Preference losses of given log-probabilities: the loss code of TRL's trainers, in float64, with a model that returns those numbers.

TRL has no function from log-probabilities to losses: DPOTrainer and KTOTrainer compute both in one method. So that method runs on a trainer
without its constructor, whose model returns the log-probability of a completion in equal parts at its tokens.
"""

from collections import defaultdict
from types import SimpleNamespace

import torch

from sft_reference import versions

DTYPE = torch.float64
PAIRS = [(name, {"loss_type": [name]}) for name in (
    "sigmoid", "hinge", "ipo", "nca_pair", "bco_pair", "sppo_hard", "aot", "aot_unpaired", "apo_zero", "apo_down", "discopop", "sigmoid_norm",
    "sft")] + [
    ("exo_pair", {"loss_type": ["exo_pair"], "label_smoothing": 1e-3}),
    ("robust", {"loss_type": ["robust"], "label_smoothing": 0.1}),
    ("aot_smoothed", {"loss_type": ["aot"], "label_smoothing": 0.2}),
    ("aot_unpaired_smoothed", {"loss_type": ["aot_unpaired"], "label_smoothing": 0.2}),
    ("sigmoid_beta", {"loss_type": ["sigmoid"], "beta": 0.7}),
    ("discopop_tau", {"loss_type": ["discopop"], "discopop_tau": 0.3, "beta": 0.05}),
    ("several", {"loss_type": ["sigmoid", "bco_pair", "sft"], "loss_weights": [0.8, 0.2, 1.0]}),
    ("several_coupled", {"loss_type": ["aot", "sigmoid", "aot_unpaired"], "loss_weights": [0.5, 2.0, 0.25]}),
] + [(f"{name}_{divergence}", {"loss_type": [name], "f_divergence_type": divergence} | more)
     for name, more in (("sigmoid", {}), ("ipo", {}), ("hinge", {}), ("sigmoid_norm", {}), ("discopop", {}),
                        ("exo_pair", {"label_smoothing": 0.01}), ("robust", {"label_smoothing": 0.2}))
     for divergence in ("forward_kl", "js_divergence", "alpha_divergence")] + [
    ("alpha_divergence_limit", {"loss_type": ["sigmoid"], "f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 1.0}),
    ("alpha_divergence_above_1", {"loss_type": ["sigmoid"], "f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 1.5}),
]
POLICY_ALONE = [
    ("orpo", {"loss_type": ["orpo"]}), ("orpo_beta", {"loss_type": ["orpo"], "beta": 0.5}),
    ("cpo", {"loss_type": ["cpo"]}), ("cpo_smoothed", {"loss_type": ["cpo"], "label_smoothing": 0.2, "cpo_alpha": 0.25}),
    ("simpo", {"loss_type": ["simpo"], "beta": 2.0}), ("simpo_gamma", {"loss_type": ["simpo"], "beta": 2.5, "simpo_gamma": 1.4}),
    ("cpo_simpo", {"loss_type": ["simpo"], "beta": 2.0, "cpo_alpha": 1.0, "label_smoothing": 0.1}),
]
UNPAIRED = [
    ("kto", {"loss_type": ["kto"]}), ("kto_weights", {"loss_type": ["kto"], "beta": 0.3, "desirable_weight": 1.5, "undesirable_weight": 0.6}),
    ("apo_zero_unpaired", {"loss_type": ["apo_zero_unpaired"], "undesirable_weight": 2.0}),
]


class OneProcess:
    device = torch.device("cpu")

    def gather(self, value):
        return value

    gather_for_metrics = gather


def completions(lengths):
    """Masks of sequences of a prompt of two tokens and completions of `lengths`: (rows, 2 + longest)."""
    width = 2 + max(lengths)
    return torch.tensor([[int(2 <= i < 2 + n) for i in range(width)] for n in lengths])


class GivenModel:
    """Returns the log-probabilities it was made with; one entry of `logps` and `lengths` for each width of input."""
    training = True

    def __init__(self, *batches):
        self.batches = list(batches)

    def __call__(self, input_ids, **_):
        logps, lengths = self.batches.pop(0)
        mask = completions(lengths)[:, 1:]
        assert input_ids.shape[1] == mask.shape[1] + 1
        tokens = torch.zeros(mask.shape)
        return SimpleNamespace(log_probs=mask * (logps / torch.tensor(lengths))[:, None], entropy=tokens, mean_logits=tokens, is_top1=tokens.bool())


def bare(trainer_class, model, dpo):
    trainer = trainer_class.__new__(trainer_class)
    trainer.__dict__.update(
        model=model, ref_model=None, accelerator=OneProcess(), args=SimpleNamespace(discopop_tau=dpo.get("discopop_tau", 0.05)),
        _metrics={"train": defaultdict(list)}, _total_train_tokens=0, _tp_size=1, beta=dpo.get("beta", 0.1), precompute_ref_logps=True,
        loss_types=dpo["loss_type"], loss_type=dpo["loss_type"][0], loss_weights=dpo.get("loss_weights") or [1.0] * len(dpo["loss_type"]),
        ld_alpha=None, f_divergence_type=dpo.get("f_divergence_type", "reverse_kl"),
        f_alpha_divergence_coef=dpo.get("f_alpha_divergence_coef", 0.5), label_smoothing=dpo.get("label_smoothing", 0.0), use_weighting=False,
        aux_loss_enabled=False, calculate_KL=dpo["loss_type"] == ["kto"], desirable_weight=dpo.get("desirable_weight", 1.0),
        undesirable_weight=dpo.get("undesirable_weight", 1.0), simpo_gamma=dpo.get("simpo_gamma", 0.5), alpha=0.0)
    return trainer


def last(metrics):
    return {key: values[-1] for key, values in metrics.items() if key.startswith(("rewards/", "logps/")) or key == "kl"}


def dpo_case(name, dpo, batch):
    from trl import DPOTrainer
    # alpha_divergence knows float32 and less alone
    dtype, rtol = (torch.float32, 2e-5) if dpo.get("f_divergence_type") == "alpha_divergence" else (DTYPE, 1e-12)
    tensor = lambda key: torch.tensor(batch[key], dtype=dtype)
    policy = torch.cat([tensor("policy_chosen"), tensor("policy_rejected")]).requires_grad_()
    lengths = batch["chosen_tokens"] + batch["rejected_tokens"]
    mask = completions(lengths)
    trainer = bare(DPOTrainer, GivenModel((policy, lengths)), dpo)
    loss = trainer._compute_loss(trainer.model, {
        "input_ids": torch.zeros_like(mask), "attention_mask": torch.ones_like(mask), "completion_mask": mask,
        "ref_chosen_logps": tensor("reference_chosen"), "ref_rejected_logps": tensor("reference_rejected")}, False)
    loss.backward()
    chosen, rejected = policy.grad.chunk(2)
    return dict(name=name, dpo=dpo, batch=batch, loss=loss.item(), d_chosen=chosen.tolist(), d_rejected=rejected.tolist(), rtol=rtol,
                metrics=last(trainer._metrics["train"]))


def policy_alone_case(name, dpo, batch):
    """CPO and ORPO: their losses are methods of log-probabilities; the likelihood of the chosen completions, over their tokens, is ours."""
    from trl.experimental.cpo import CPOTrainer
    from trl.experimental.orpo import ORPOTrainer
    kind, orpo = dpo["loss_type"][0], dpo["loss_type"] == ["orpo"]
    chosen = torch.tensor(batch["policy_chosen"], dtype=DTYPE).requires_grad_()
    rejected = torch.tensor(batch["policy_rejected"], dtype=DTYPE).requires_grad_()
    means = kind in ("orpo", "simpo")  # get_batch_logps(average_log_prob=...)
    per = lambda logps, tokens: logps / torch.tensor(tokens) if means else logps
    nll = -chosen.sum() / sum(batch["chosen_tokens"])
    trainer = bare(ORPOTrainer if orpo else CPOTrainer, GivenModel(), dpo)
    trainer.__dict__.update(loss_type="simpo" if kind == "simpo" else "sigmoid",
                            cpo_alpha=dpo.get("cpo_alpha", 0.0 if kind == "simpo" else 1.0))
    logits = torch.zeros(1)
    forward = per(chosen, batch["chosen_tokens"]), per(rejected, batch["rejected_tokens"]), logits, logits, nll
    trainer.concatenated_forward = lambda model, inputs: forward
    loss, metrics = trainer.get_batch_loss_metrics(None, {})
    loss.backward()
    metrics = {key: float(value) for key, value in metrics.items() if not key.startswith("logits/")}
    return dict(name=name, dpo=dpo, batch=batch, loss=loss.item(), d_chosen=chosen.grad.tolist(), d_rejected=rejected.grad.tolist(),
                rtol=5e-6 if orpo else 1e-12, metrics=metrics)  # ORPOTrainer casts to float32


def paper_case(name, dpo, batch):
    """The formulas as the papers write them, from probabilities, without TRL's identities."""
    chosen = torch.tensor(batch["policy_chosen"], dtype=DTYPE).requires_grad_()
    rejected = torch.tensor(batch["policy_rejected"], dtype=DTYPE).requires_grad_()
    mean_w, mean_l = chosen / torch.tensor(batch["chosen_tokens"]), rejected / torch.tensor(batch["rejected_tokens"])
    beta, kind = dpo.get("beta", 0.1), dpo["loss_type"][0]
    nll = -chosen.sum() / sum(batch["chosen_tokens"])
    if kind == "orpo":
        odds = lambda mean: torch.exp(mean) / (1 - torch.exp(mean))
        loss = nll - beta * torch.log(torch.sigmoid(torch.log(odds(mean_w) / odds(mean_l)))).mean()
    elif kind == "simpo":
        loss = -torch.log(torch.sigmoid(beta * mean_w - beta * mean_l - dpo.get("simpo_gamma", 0.5))).mean()
    else:
        loss = -torch.log(torch.sigmoid(beta * chosen - beta * rejected)).mean() + nll
    loss.backward()
    return dict(name="paper_" + name, dpo=dpo, batch=batch, loss=loss.item(), d_chosen=chosen.grad.tolist(), d_rejected=rejected.grad.tolist(),
                rtol=1e-11, metrics={})


def unpaired_case(name, dpo, batch):
    from trl import KTOTrainer
    policy = torch.tensor(batch["policy"], dtype=DTYPE).requires_grad_()
    kl_policy = torch.tensor(batch["kl_policy"], dtype=DTYPE)
    lengths, kl_lengths = batch["tokens"], batch["tokens"][-1:] + batch["tokens"][:-1]
    mask, kl_mask = completions(lengths), completions(kl_lengths)
    batches = [(kl_policy, kl_lengths)] if dpo["loss_type"] == ["kto"] else []
    trainer = bare(KTOTrainer, GivenModel(*batches, (policy, lengths)), dpo)
    loss = trainer._compute_loss(trainer.model, {
        "input_ids": torch.zeros_like(mask), "attention_mask": torch.ones_like(mask), "completion_mask": mask,
        "KL_input_ids": torch.zeros_like(kl_mask), "KL_attention_mask": torch.ones_like(kl_mask), "KL_completion_mask": kl_mask,
        "label": torch.tensor(batch["desirable"]).bool(), "ref_logps": torch.tensor(batch["reference"], dtype=DTYPE),
        "ref_KL_logps": torch.tensor(batch["kl_reference"], dtype=DTYPE)}, False)
    loss.backward()
    metrics = last(trainer._metrics["train"])
    return dict(name=name, dpo=dpo, batch=batch, loss=loss.item(), d_policy=policy.grad.tolist(), kl=metrics["kl"], rtol=1e-12, metrics=metrics)


def draw_pairs(generator, pairs, spread):
    normal = lambda: torch.randn(pairs, generator=generator, dtype=DTYPE)
    tokens = lambda: torch.randint(1, 15, (pairs,), generator=generator)
    batch = {}
    for side in ("chosen", "rejected"):
        count = tokens()
        reference = -count * (1.5 + 0.5 * normal().abs())
        policy = torch.minimum(reference + spread * normal(), -0.05 * count)
        batch |= {f"{side}_tokens": count.tolist(), f"reference_{side}": reference.tolist(), f"policy_{side}": policy.tolist()}
    return batch


def draw_rows(generator, rows, shift):
    normal = lambda: torch.randn(rows, generator=generator, dtype=DTYPE)
    reference, kl_reference = -20 - 5 * normal().abs(), -40 - 5 * normal().abs()
    return {"policy": (reference + 2 * normal()).tolist(), "reference": reference.tolist(), "kl_policy": (kl_reference + normal() + shift).tolist(),
            "kl_reference": kl_reference.tolist(), "desirable": [int(i % 3 != 1) for i in range(rows)],
            "tokens": torch.randint(1, 9, (rows,), generator=generator).tolist()}


def formulas():
    torch.set_default_dtype(DTYPE)  # TRL makes a tensor of label_smoothing
    generator = torch.Generator().manual_seed(2000)
    # Small and wide margins, other numbers of pairs.
    batches = {"near": draw_pairs(generator, 5, 1.0), "far": draw_pairs(generator, 4, 12.0), "single": draw_pairs(generator, 1, 3.0),
               "rows": draw_rows(generator, 6, 2.0), "negative_kl": draw_rows(generator, 5, -3.0)}
    on = lambda make, name, dpo, batch: make(name, dpo, batches[batch]) | {"batch": batch}
    cases = [on(make, name, dpo, batch) for make, table in ((dpo_case, PAIRS), (policy_alone_case, POLICY_ALONE)) for name, dpo in table
             for batch in ("near", "far")]
    cases += [on(dpo_case, name, {"loss_type": [name]}, "single") for name in ("sigmoid", "aot", "aot_unpaired", "sft")]
    cases += [on(paper_case, name, dpo, "near") for name, dpo in
              (("orpo", {"loss_type": ["orpo"], "beta": 0.2}), ("simpo", {"loss_type": ["simpo"], "beta": 2.0, "simpo_gamma": 1.0}),
               ("cpo", {"loss_type": ["cpo"], "beta": 0.1}))]
    unpaired = [on(unpaired_case, name, dpo, batch) for name, dpo in UNPAIRED for batch in ("rows", "negative_kl")]
    torch.set_default_dtype(torch.float32)
    return {"batches": batches, "cases": cases, "unpaired": unpaired, "versions": versions()}
