"""What happens between the steps of a run: watching, publishing checkpoints, telling.

Loaded only by a run: it imports torch and transformers.
"""

# ruff: noqa: ARG002 - the signatures are the library's

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import TrainerControl, TrainerState

from training.config.values import WatchSection
from training.loop import output
from training.loop.allocator import give_back
from training.loop.history import step_of_record, steps_of
from training.loop.memory_use import held_bytes
from training.loop.watchers import Sign, Step, signs


class Watch(TrainerCallback):
    """Looks at every step; a sign whose action is to stop saves a checkpoint first.

    Gradients that are not finite never reach the weights: the step is made without them.
    """

    def __init__(self, watch: WatchSection, say: Callable[[str], None]) -> None:
        self._watch = watch
        self._say = say
        self._history: list[Step] = []
        self.told: dict[str, Sign] = {}
        self.stopped: Sign | None = None

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Take up what was measured before a resume."""
        self._history = list(steps_of(state.log_history))

    def on_pre_optimizer_step(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Drop gradients that would ruin the weights; the step's record still shows them."""
        parameters = [p for p in given["model"].parameters() if p.grad is not None]
        total = sum(p.grad.sum().double() for p in parameters)
        if not math.isfinite(float(total)):
            for parameter in parameters:
                parameter.grad = None

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Judge the step that was just recorded."""
        step = step_of_record(state.log_history[-1])
        if step is None:
            return
        self._history.append(step)
        for sign in signs(self._history, self._watch):
            if sign.name not in self.told:
                self.told[sign.name] = sign
                self._say(f"warning: {sign.message}")
            if sign.action == "stop" and self.stopped is None:
                self.stopped = sign
                control.should_save = True
                control.should_training_stop = True


class Publish(TrainerCallback):
    """Gives a checkpoint its name once all of it is written."""

    def __init__(self, part: Path, keep: int) -> None:
        self._part = part
        self._keep = keep

    def on_save(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """The library has written every file of it."""
        output.publish_checkpoint(self._part, state.global_step, self._keep)


class Tidy(TrainerCallback):
    """Gives freed memory back once a CPU process holds more than `limit` bytes.

    Below the watch's bound: what the watch sees beyond that is in use, not kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def on_step_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Gradients are still held; the graph of the step is gone."""
        if held_bytes("cpu") > self._limit:
            give_back()


class Board(TrainerCallback):
    """TensorBoard: means over `every` steps; what a resumed run repeats is purged."""

    def __init__(self, folder: Path, every: int) -> None:
        self._folder = folder
        self._every = every
        self._writer: Any = None

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Open the log."""
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - only where wanted

        self._writer = SummaryWriter(str(self._folder), purge_step=state.global_step + 1)

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Write the scalars of a window of steps, or of an evaluation."""
        record = state.log_history[-1]
        if "eval_loss" in record:
            self._writer.add_scalar("loss/eval", record["eval_loss"], state.global_step)
        if step_of_record(record) is None or state.global_step % self._every:
            return
        last = list(steps_of(state.log_history[-2 * self._every :]))[-self._every :]
        for name, values in (
            ("loss/train", [s.loss for s in last]),
            ("learning_rate", [last[-1].learning_rate]),
            ("gradient_norm", [s.gradient_norm for s in last]),
            ("memory_gb", [s.memory_bytes / 1e9 for s in last]),
        ):
            self._writer.add_scalar(name, math.fsum(values) / len(values), state.global_step)

    def on_train_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Close the log."""
        self._writer.close()
