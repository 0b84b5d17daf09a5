"""Completions for the oracle tests."""

from __future__ import annotations

from pytest_modelqa.core.answer import Finish, Generation


def completion(
    text: str, *, finish: Finish = "stop", tokens: int = 8, special: int = 0, nonfinite: int = 0
) -> Generation:
    """A completion as an engine would return it."""
    return Generation(
        prompt_tokens=5,
        ids=tuple(range(tokens)),
        text=text,
        finish=finish,
        nonfinite_steps=nonfinite,
        special_ids=special,
        prefill_s=0.01,
        decode_s=0.1,
    )
