"""How a run shows itself: a bar on a terminal, a line now and then anywhere else.

Loaded only by a run: it imports transformers.
"""

# ruff: noqa: ARG002 - the signatures are the library's

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from transformers import TrainerCallback
from transformers.trainer_callback import TrainerControl, TrainerState

from training.loop.history import step_of_record
from training.loop.watchers import Step

_MEASURES = "loss {loss:.4f}  rate {rate:.2e}  gradient norm {norm:.3f}  {memory:.2f} GB"


class Shown(TrainerCallback):
    """Loss, learning rate, gradient norm, memory and the time that is left."""

    def __init__(self, say: Callable[[str], None], every: int) -> None:
        self._say = say
        self._every = every
        self._bar: Progress | None = None
        self._task: Any = None
        self._began: Step | None = None

    def on_train_begin(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Open the bar where there is a terminal."""
        console = Console(stderr=True)
        if console.is_terminal:
            self._bar = Progress(
                MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}"),
                TimeRemainingColumn(), console=console,
            )  # fmt: skip
            self._task = self._bar.add_task("", total=state.max_steps, completed=state.global_step)
            self._bar.start()

    def on_log(self, args: Any, state: TrainerState, control: TrainerControl, **given: Any) -> None:
        """Tell the step that was just recorded."""
        record = state.log_history[-1]
        if "eval_loss" in record:
            self._say(f"step {state.global_step}: loss on the hold-out {record['eval_loss']:.4f}")
        step = step_of_record(record)
        if step is None:
            return
        self._began = self._began or step
        text = _MEASURES.format(
            loss=step.loss,
            rate=step.learning_rate,
            norm=step.gradient_norm,
            memory=step.memory_bytes / 1e9,
        )
        if self._bar is not None:
            self._bar.update(self._task, completed=step.step, description=text)
        elif not step.step % self._every:
            left = _left(self._began, step, state.max_steps)
            self._say(f"step {step.step}/{state.max_steps}: {text}{left}")

    def on_train_end(
        self, args: Any, state: TrainerState, control: TrainerControl, **given: Any
    ) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Give the terminal back; also where the run ended with an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _left(began: Step, now: Step, total: int) -> str:
    """The time that is left, from the pace since the process took up the run."""
    done = now.step - began.step
    if not done:
        return ""
    seconds = round((now.elapsed_s - began.elapsed_s) / done * (total - now.step))
    return f"  {seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left"
