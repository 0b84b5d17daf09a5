"""The steps of a run: the library's loop with our trainer and callbacks, then what it leaves.

Loaded only by a run: it imports torch, transformers and peft.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments, set_seed
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from pytest_modelqa.artifacts.adapter import SETTINGS
from training.data import Collator
from training.loop import output
from training.loop.adapter import attach
from training.loop.allocator import keepable_bytes
from training.loop.callbacks import Board, Publish, Tidy, Watch
from training.loop.history import steps_of
from training.loop.job import Job
from training.loop.judge import hash_of
from training.loop.progress import Shown
from training.loop.stopping import Stopped
from training.loop.trainer import AdapterTrainer
from training.loop.watchers import Sign, Step
from training.written import RUN, write_json

Say = Callable[[str], None]


def run_steps(job: Job, say: Say, callbacks: Sequence[Any]) -> tuple[list[Step], Mapping[str, Any]]:
    """Train, and write adapter and tokenizer into the run's folder; give its steps and more facts.

    Raises Stopped where a watcher ended the run, OSError where something cannot be written.
    """
    config = job.config
    set_seed(config.training.seed)
    model = attach(
        job.base, config.lora, job.device, checkpointing=config.training.gradient_checkpointing
    )
    _note_start(job, model)
    watch = Watch(config.watch, say)
    trainer = _trainer(job, model, [watch, Publish(job.part, config.training.save_total_limit)])
    if job.device.kind == "cpu":
        trainer.add_callback(Tidy(keepable_bytes(config.watch.memory_gb)))
    if config.training.report_to == "tensorboard":
        trainer.add_callback(Board(job.part / output.LOGS, config.training.logging_steps))
    for callback in callbacks:
        trainer.add_callback(callback)
    shown = Shown(say, config.training.logging_steps)
    trainer.add_callback(shown)
    try:
        trainer.train(resume_from_checkpoint=str(job.checkpoint) if job.checkpoint else None)
    finally:
        shown.close()
    if watch.stopped is not None:
        raise _stopped(job, watch.stopped)
    _save_adapter(model, job.part)
    job.tokenizer.save_pretrained(job.part)
    steps = list(steps_of(trainer.state.log_history))
    return steps, {
        "held_out_loss": _held_out(trainer, job),
        "signs": [sign.message for sign in watch.told.values()],
        "parameters": sum(p.numel() for p in model.parameters()),
        "trainable_parameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }


def _save_adapter(model: Any, folder: Path) -> None:
    """As peft does; its settings list modules in the order of a set, which differs by process."""
    model.save_pretrained(folder, safe_serialization=True)
    path = folder / SETTINGS
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["target_modules"] = sorted(settings["target_modules"])
    path.write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def hashes_of(model: Any) -> dict[str, str]:
    """The SHA-256 of every adapter tensor, as float32, by the name that its file will have."""
    from peft import get_peft_model_state_dict  # noqa: PLC0415

    state = get_peft_model_state_dict(model)
    return {
        name: hash_of(tensor.detach().float().cpu().numpy())
        for name, tensor in sorted(state.items())
    }


def _note_start(job: Job, model: Any) -> None:
    """Before the first step: what the adapter was, so that it can be told later that it moved."""
    if not (job.part / RUN).exists():
        write_json(job.part / RUN, {**job.facts, "initial": hashes_of(model)})


def _trainer(job: Job, model: Any, callbacks: list[Any]) -> AdapterTrainer:
    earlier = _last_step(job.checkpoint)
    trainer = AdapterTrainer(
        earlier_s=earlier.elapsed_s if earlier else 0.0,
        earlier_tokens=earlier.tokens if earlier else 0,
        model=model,
        args=_arguments(job),
        train_dataset=job.prepared.train,
        eval_dataset=job.prepared.eval,
        data_collator=_counting(job.prepared.collator),
        callbacks=callbacks,
    )
    for ours_instead in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(ours_instead)
    return trainer


def _arguments(job: Job) -> TrainingArguments:
    t, evaluates = job.config.training, job.prepared.eval is not None
    return TrainingArguments(
        output_dir=str(job.part / output.SAVING),
        num_train_epochs=t.epochs,
        max_steps=t.max_steps or -1,
        per_device_train_batch_size=t.batch_size,
        per_device_eval_batch_size=t.batch_size,
        gradient_accumulation_steps=t.gradient_accumulation_steps,
        learning_rate=t.learning_rate,
        lr_scheduler_type=t.lr_scheduler,
        warmup_steps=t.warmup_steps,
        weight_decay=t.weight_decay,
        max_grad_norm=t.max_grad_norm,
        optim=t.optimizer,
        logging_steps=1,  # every step is measured; what is shown and plotted follows the setting
        logging_nan_inf_filter=False,  # would hide a NaN behind the mean of earlier losses
        save_strategy="steps",
        save_steps=t.save_steps,
        eval_strategy="steps" if evaluates and t.eval_steps else "no",
        eval_steps=t.eval_steps or None,
        prediction_loss_only=True,
        gradient_checkpointing=t.gradient_checkpointing,
        seed=t.seed,
        data_seed=t.seed,
        use_cpu=job.device.kind == "cpu",
        remove_unused_columns=False,
        dataloader_pin_memory=job.device.kind == "cuda",
        label_names=["labels"],
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )


def _held_out(trainer: AdapterTrainer, job: Job) -> float | None:
    """The loss on the hold-out, nats a target token, after the last step."""
    if job.prepared.eval is None:
        return None
    return float(trainer.evaluate()["eval_loss"])


def _counting(collate: Collator) -> Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]]:
    """Batches that know how many of their tokens are no padding."""

    def batch(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        count = sum(len(row["input_ids"]) for row in rows)
        return {**collate(rows), "tokens": torch.tensor(count)}

    return batch


def _last_step(checkpoint: Path | None) -> Step | None:
    if checkpoint is None:
        return None
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    steps = list(steps_of(state["log_history"]))
    return steps[-1] if steps else None


def _stopped(job: Job, sign: Sign) -> Stopped:
    saved = output.checkpoints(job.part)
    where = saved[-1] if saved else job.part
    return Stopped(
        f"stopped: {sign.message}; the checkpoint of step {sign.step} is kept",
        where=str(where),
        remedy=f"change {job.config.path}, then modelqa train run {job.config.path}",
    )
