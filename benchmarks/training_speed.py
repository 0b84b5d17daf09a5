"""Our training loop against a plain peft loop on the same batches: CPU seconds and tokens/s.

`python -m benchmarks.training_speed CONFIG [--steps N]`. Both train the same adapter on the same
samples in the same order, on one thread of one process; what is compared is everything between
the first and the last optimizer step. CPU seconds are told beside wall seconds, because a busy
machine shortens nobody's work.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import torch
from transformers import TrainerCallback, get_scheduler, set_seed

from training.bases import find
from training.config import TrainingConfig, load
from training.config.values import DatasetSection, OutputSection, SetName, SetSize, Synthetic
from training.data import examples
from training.loop.adapter import attach, tokenizer_of
from training.loop.device import available, choose
from training.loop.run import train
from training.records import HOLD_OUT
from training.synth import sizes


class Clock(TrainerCallback):
    """Wall and CPU seconds from the end of the first step to the end of the last."""

    def __init__(self) -> None:
        self.marks: list[tuple[float, float]] = []

    def on_step_end(self, *_given: Any, **_more: Any) -> None:
        """After the optimizer's step."""
        self.mark()

    def mark(self) -> None:
        """Remember now."""
        self.marks.append((time.perf_counter(), time.process_time()))

    @property
    def seconds(self) -> tuple[float, float]:
        """Wall and CPU."""
        (wall, cpu), (end, spent) = self.marks[0], self.marks[-1]
        return end - wall, spent - cpu


Measured = tuple[float, float, int]
"""Wall seconds, CPU seconds, and the tokens that all steps saw."""


def ours(config: TrainingConfig, folder: Path) -> Measured:
    """As `modelqa train run` trains."""
    clock = Clock()
    output = OutputSection(directory=str(folder / "run"), timestamped=False)
    made = train(dataclasses.replace(config, output=output), lambda _: None, callbacks=[clock])
    return (*clock.seconds, made.statistics["tokens"])


def plain(config: TrainingConfig) -> Measured:
    """Model, loss of the library, AdamW, and nothing else; batches in accelerate's order."""
    t = config.training
    base = find(config.model, print)
    data = examples(config, tokenizer_of(base.folder, print))
    device = choose(config.hardware, available())
    set_seed(t.seed)
    model = attach(base, config.lora, device, checkpointing=False).train()
    weights = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=t.learning_rate, weight_decay=t.weight_decay)
    schedule = get_scheduler(
        t.lr_scheduler, optimizer, num_warmup_steps=t.warmup_steps, num_training_steps=t.max_steps
    )
    order = iter(torch.randperm(len(data.train), generator=torch.Generator().manual_seed(t.seed)))
    clock, tokens = Clock(), 0
    for _ in range(t.max_steps):
        for _ in range(t.gradient_accumulation_steps):
            rows = [data.train[int(next(order))] for _ in range(t.batch_size)]
            batch = {k: v.to(device.kind) for k, v in data.collator(rows).items()}
            tokens += sum(len(row["input_ids"]) for row in rows)
            (model(**batch).loss / t.gradient_accumulation_steps).backward()
        torch.nn.utils.clip_grad_norm_(weights, t.max_grad_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        clock.mark()
    return (*clock.seconds, tokens)


def main(argv: list[str]) -> None:
    """Measure both, alternately, and print the better run of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2, help="of which the better one counts")
    given = parser.parse_args(argv)
    config = load(given.config)
    training = dataclasses.replace(
        config.training, max_steps=given.steps, warmup_steps=1, eval_steps=0, save_steps=10**6
    )
    config = dataclasses.replace(config, training=training, dataset=_short_of_hold_out(config))
    best: dict[str, Measured] = {}
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory() as folder:
            measured = {"ours": ours(config, Path(folder)), "plain": plain(config)}
        if measured["ours"][2] != measured["plain"][2]:
            sys.exit(f"not the same batches: {measured}")
        for name, found in measured.items():
            best[name] = min(best.get(name, found), found, key=lambda seen: seen[1])
    for name, (wall, cpu, tokens) in best.items():
        steps = f"{given.steps - 1} of {given.steps} steps"
        speed = tokens * (given.steps - 1) / given.steps / wall
        print(f"{name}: {cpu:.2f} CPU s, {wall:.2f} s for {steps}, about {speed:.0f} tokens/s")
    print(f"ours over plain: {best['plain'][0] / best['ours'][0]:.2f} by CPU, ", end="")
    print(f"{best['plain'][1] / best['ours'][1]:.2f} by the clock")


def _short_of_hold_out(config: TrainingConfig) -> DatasetSection:
    """The same training sets; of the hold-out, whose loss ends a run, one record."""
    made = config.dataset.synthetic
    if made is None:
        return dataclasses.replace(config.dataset, eval=None)
    counts = {str(s.set): s.records for s in made.sets} or dict(sizes(made.size))
    sets = tuple(
        SetSize(set=cast("SetName", name), records=1 if name == HOLD_OUT else count)
        for name, count in counts.items()
    )
    return dataclasses.replace(config.dataset, synthetic=Synthetic(sets=sets, seed=made.seed))


if __name__ == "__main__":
    main(sys.argv[1:])
