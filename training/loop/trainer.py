"""transformers' Trainer for a watched run: every step is measured, logits made where they count.

Loaded only by a run: it imports torch and transformers.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from typing import Any

import torch
from transformers import Trainer

from training.loop.memory_use import held_bytes

IGNORED = -100
"""The label of a token that is no target: prompt, padding."""


class AdapterTrainer(Trainer):
    """Logs every optimizer step, with seconds, tokens and memory since the run's first start."""

    def __init__(self, *, earlier_s: float, earlier_tokens: int, **given: Any) -> None:
        super().__init__(**given)
        self.model_accepts_loss_kwargs = True
        self._began = time.monotonic() - earlier_s
        self._tokens = earlier_tokens
        adapted: Any = self.model
        signature = inspect.signature(adapted.get_base_model().forward)
        self._chooses = "logits_to_keep" in signature.parameters

    def compute_loss(
        self,
        model: Any,
        inputs: Mapping[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The loss of `target_loss`; what was seen in training is counted."""
        given = dict(inputs)
        count = int(given.pop("tokens"))
        if model.training:
            self._tokens += count
        loss, outputs = target_loss(model, given, chooses=self._chooses, count=num_items_in_batch)
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add what the library does not measure to each step's record."""
        if "grad_norm" in logs:
            logs["elapsed_s"] = time.monotonic() - self._began
            logs["tokens"] = self._tokens
            logs["memory_bytes"] = held_bytes(self.args.device.type)
        super().log(logs, start_time)


def target_loss(
    model: Any, batch: Mapping[str, Any], *, chooses: bool, count: Any
) -> tuple[torch.Tensor, Any]:
    """Cross-entropy of the targets in nats, their sum over `count` or else their mean; the outputs.

    Where the model `chooses` (its `logits_to_keep`), only columns that hold a target of some row go
    through the vocabulary's matrix: prompts and padding are most of a batch, and that matrix is
    much of a small model.
    """
    given = dict(batch)
    following = given.pop("labels")[:, 1:]  # (B, T - 1)
    columns = (following != IGNORED).any(0).nonzero().flatten()  # those that predict a target
    if chooses:
        outputs = model(**given, logits_to_keep=columns)
        logits = outputs.logits
    else:
        outputs = model(**given)
        logits = outputs.logits[:, columns]
    targets = following[:, columns]
    total = torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / ((targets != IGNORED).sum() if count is None else count), outputs
