"""Texts on which models are compared, and how far their distributions lie apart.

Loaded only where models are: it imports torch inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

TEXTS = (
    "The capital of France is Paris, and the capital of Italy is",
    "Plan the next step, do it, check the result, and act on what was learnt.",
    "def area(width, height):\n    return width *",
    "1, 2, 3, 4, 5, 6, 7, 8, 9,",
    "Repeat the words lamp and river. The words are",
    "A decision names its trigger, the response, the outcome and what comes next.",
)


def token_ids(tokenizer: Any, texts: Sequence[str] = TEXTS) -> list[list[int]]:
    """The ids of every text, without special tokens; those of a single token are left out."""
    found = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    return [ids for ids in found if len(ids) > 1]


def log_probabilities(model: Any, rows: Sequence[Sequence[int]]) -> list[Any]:
    """Of the next token at every position, in float64 on the CPU: (T, vocabulary) a text.

    In float32, rounding the logarithms alone gives divergences of some 1e-6.
    """
    import torch  # noqa: PLC0415 - only where models are

    made = []
    with torch.inference_mode():
        for row in rows:
            ids = torch.tensor([list(row)], device=model.device)
            logits = model(input_ids=ids, use_cache=False).logits[0].double()
            made.append(torch.log_softmax(logits, -1).cpu())
    return made


def divergences(reference: Sequence[Any], other: Sequence[Any]) -> list[float]:
    """KL(reference, other) of every position, nats; NaN where either is not finite."""
    import torch  # noqa: PLC0415

    found: list[float] = []
    for p, q in zip(reference, other, strict=True):
        found += torch.sum(p.exp() * (p - q), -1).tolist()
    return found
