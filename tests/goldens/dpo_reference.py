"""Ten steps of TRL's preference trainers (DPO, KTO, CPO, ORPO) on a tiny model: float32, CPU, a global batch in one TRL batch, rows in order.

A pair is {"prompt_ids", "chosen_ids", "rejected_ids"}, a labelled row {"prompt_ids", "completion_ids", "label"}; completions end with the
EOS token. DPOTrainer and KTOTrainer get the rows as text of a tokenizer that takes a word for a token, so that their own preparation runs;
CPOTrainer and ORPOTrainer get the ids, as they would add BOS tokens.
"""

import contextlib
import tempfile

import torch
from peft import PeftModel
from tokenizers import Tokenizer, models as tokenizer_models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

VOCABULARY, EOS = 320, 2


def word_tokenizer():
    tokenizer = Tokenizer(tokenizer_models.WordLevel({f"<{i}>": i for i in range(VOCABULARY)}, unk_token="<3>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<0>", eos_token="<2>", unk_token="<3>")


def words(ids):
    return "".join(f" <{i}>" for i in ids)


def load_base(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


def load(folder):
    return PeftModel.from_pretrained(load_base(folder), folder / "adapter", is_trainable=True)


def trainer_arguments(settings, out, steps):
    train = settings["train"]
    return dict(
        output_dir=out, max_steps=steps, per_device_train_batch_size=train["global_batch_size"], learning_rate=train["learning_rate"],
        lr_scheduler_type=train["lr_scheduler_type"], warmup_steps=train["warmup_steps"], weight_decay=train["weight_decay"],
        max_grad_norm=train["max_grad_norm"], adam_beta1=train["adam_beta1"], adam_beta2=train["adam_beta2"],
        adam_epsilon=train["adam_epsilon"], bf16=False, gradient_checkpointing=False, train_sampling_strategy="sequential", max_length=512,
        logging_steps=1, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True, seed=0)


def text_rows(rows):
    return [{key.removesuffix("_ids"): words(value) if key.endswith("_ids") else value for key, value in row.items()} for row in rows]


def ids_only(trainer_class):
    """A CPO or ORPO trainer that takes the ids of the rows in place of the text."""
    class IdsTrainer(trainer_class):
        def tokenize_row(self, feature, model=None):
            row = {"prompt_input_ids": feature["prompt_ids"], "prompt_attention_mask": [1] * len(feature["prompt_ids"])}
            for side in ("chosen", "rejected"):
                ids = feature["prompt_ids"] + feature[side + "_ids"]
                row |= {side + "_input_ids": ids, side + "_attention_mask": [1] * len(ids),
                        side + "_labels": [-100] * len(feature["prompt_ids"]) + feature[side + "_ids"]}
            return row
    return IdsTrainer


def make_trainer(kind, folder, rows, settings, arguments):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer
    from trl.experimental.cpo import CPOConfig, CPOTrainer
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer
    dpo = {key: value for key, value in settings["dpo"].items() if key != "reference"}
    model, tokenizer = load(folder), word_tokenizer()
    if kind in ("cpo", "orpo"):
        loss = dpo.pop("loss_type")
        if kind == "cpo":
            dpo |= {"loss_type": "simpo" if loss == ["simpo"] else "sigmoid"}
            dpo.setdefault("cpo_alpha", 0.0 if loss == ["simpo"] else 1.0)
        config, trainer = (CPOConfig, CPOTrainer) if kind == "cpo" else (ORPOConfig, ORPOTrainer)
        data = Dataset.from_list([row | text for row, text in zip(rows, text_rows(rows))])
        return ids_only(trainer)(model=model, args=config(**dpo, **arguments), train_dataset=data, processing_class=tokenizer)
    reference = load_base(folder) if settings["dpo"]["reference"] == "base" else None  # else a frozen copy of the adapter, by TRL
    config, trainer = (DPOConfig, DPOTrainer) if kind == "dpo" else (KTOConfig, KTOTrainer)
    if kind == "kto":
        dpo["loss_type"] = dpo["loss_type"][0]
    return trainer(model=model, ref_model=reference, args=config(**dpo, **arguments), train_dataset=Dataset.from_list(text_rows(rows)),
                   processing_class=tokenizer)


def check_rows(kind, trainer, rows):
    """TRL's own preparation found the ids that the row file says."""
    for row, theirs in zip(rows, trainer.train_dataset):
        for key in row:
            assert kind in ("cpo", "orpo") or theirs[key] == row[key], (key, row[key], theirs[key])


def adapter_tensors(model, values):
    return {name.replace(".default.", "."): values(p).detach().clone().contiguous() for name, p in model.named_parameters()
            if "lora_" in name and ".ref." not in name}


def summed(outputs):
    return outputs.log_probs.sum(dim=1).tolist()


def first_logps(kind, trainer, batch):
    """Sums of log-probabilities of the first batch's completions, by the policy and the reference, in the order of its rows."""
    with torch.no_grad():
        if kind == "kto":
            keys = {"": ("input_ids", "attention_mask", "completion_mask"), "kl_": ("KL_input_ids", "KL_attention_mask", "KL_completion_mask")}
            result = {}
            for prefix, (ids, attention, mask) in keys.items():
                if ids not in batch:  # apo_zero_unpaired
                    continue
                run = lambda model: summed(model(input_ids=batch[ids], attention_mask=batch[attention], fused_lm_head=True,
                                                 labels=batch[ids].masked_fill(batch[mask] == 0, -100)))
                result |= {prefix + "policy": run(trainer.model), prefix + "reference": run(trainer.ref_model)}
            return result
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
        policy = summed(trainer.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=labels, fused_lm_head=True))
        reference = trainer.compute_ref_log_probs(trainer.ref_model or trainer.model, batch)
    half = len(policy) // 2
    return {"policy_chosen": policy[:half], "policy_rejected": policy[half:], "reference_chosen": reference[0].tolist(),
            "reference_rejected": reference[1].tolist()}


def keep_gradients(trainer, kept):
    """From now on `kept` gets the adapter's gradients of every step, before clipping."""
    step = trainer.training_step

    def training_step(*args, **kwargs):
        loss = step(*args, **kwargs)
        kept.append(adapter_tensors(trainer.model, lambda p: p.grad))
        return loss
    trainer.training_step = training_step


def run_trl(kind, folder, rows, settings, steps, wanted):
    """-> logged figures a step, log-probabilities of step 0 (DPO, KTO), gradients of the first and of the last step, trained adapter."""
    with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(None):
        trainer = make_trainer(kind, folder, rows, settings, trainer_arguments(settings, out, steps))
        check_rows(kind, trainer, rows)
        trainer.model.train()
        batch = next(iter(trainer.get_train_dataloader()))
        logps = first_logps(kind, trainer, batch) if kind in ("dpo", "kto") else None
        trainer.compute_loss(trainer.model, batch).backward()
        gradients = adapter_tensors(trainer.model, lambda p: p.grad)
        trainer.model.zero_grad()
        for name in ("_metrics", "_stored_metrics"):  # of the pass above
            if hasattr(trainer, name):
                getattr(trainer, name)["train"].clear()
        of_steps = []
        keep_gradients(trainer, of_steps)
        trainer.train()
        assert len(of_steps) == steps and all(torch.equal(of_steps[0][name], gradients[name]) for name in gradients)
        logged = [entry for entry in trainer.state.log_history if "grad_norm" in entry]
        figures = [{key: float(entry[key]) for key in wanted if key in entry} for entry in logged]
        return figures, logps, (gradients, of_steps[-1]), adapter_tensors(trainer.model, lambda p: p)
