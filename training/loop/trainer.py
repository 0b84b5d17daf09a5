"""transformers' Trainer for a watched run: every step is measured, logits made where they count.

Loaded only by a run: it imports torch and transformers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
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
        self._plain = is_plain(self.model)
        parameters: Any = self.model.parameters()  # type: ignore[union-attr]  # given just above
        self._half = next(parameters).dtype == torch.bfloat16

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
        plain = self._plain and model is self.model  # else it is wrapped, and must be called
        with self._precision():
            loss = target_loss(model, given, plain=plain, count=num_items_in_batch)
        return (loss, {"loss": loss}) if return_outputs else loss

    def _precision(self) -> AbstractContextManager[Any]:
        """On a bfloat16 base the adapter's products are made in bfloat16 too, not in float32."""
        if not self._half:
            return nullcontext()
        return torch.autocast(self.args.device.type, dtype=torch.bfloat16)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add what the library does not measure to each step's record."""
        if "grad_norm" in logs:
            logs["elapsed_s"] = time.monotonic() - self._began
            logs["tokens"] = self._tokens
            logs["memory_bytes"] = held_bytes(self.args.device.type)
        super().log(logs, start_time)


def is_plain(adapted: Any) -> bool:
    """Whether logits are the last hidden states times the vocabulary's matrix, and nothing else.

    Some architectures scale or cap them: it is tried on three tokens. A cap may not be felt yet, so
    that one which the configuration names is believed.
    """
    model = adapted.get_base_model()
    head = model.get_output_embeddings()
    if head is None or getattr(model.config, "final_logit_softcapping", None):
        return False
    ids = torch.tensor([[1, 2, 3]], device=head.weight.device)
    was = model.training
    model.eval()
    try:
        with torch.no_grad():
            hidden = model.base_model(input_ids=ids).last_hidden_state
            logits: torch.Tensor = model(input_ids=ids).logits
            return torch.allclose(head(hidden), logits, rtol=1e-4, atol=1e-4)
    finally:
        model.train(was)


def target_loss(adapted: Any, batch: Mapping[str, Any], *, plain: bool, count: Any) -> torch.Tensor:
    """Cross-entropy of the targets in nats: their sum over `count`, or else their mean.

    Where the model is `plain`, only positions that predict a target go through the vocabulary's
    matrix: prompts and padding are most of a batch, and that matrix is much of a small model.
    """
    given = dict(batch)
    following = given.pop("labels")[:, 1:]  # (B, T - 1)
    wanted = following != IGNORED
    if plain:
        model = adapted.get_base_model()
        hidden = model.base_model(**given).last_hidden_state[:, :-1]  # (B, T - 1, width)
        logits = model.get_output_embeddings()(hidden[wanted])  # (targets, vocabulary)
    else:
        logits = adapted(**given).logits[:, :-1][wanted]
    total = torch.nn.functional.cross_entropy(logits.float(), following[wanted], reduction="sum")
    loss: torch.Tensor = total / (wanted.sum() if count is None else count)
    return loss
