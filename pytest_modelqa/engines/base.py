"""What every engine is: opened in a worker, answers requests one by one, knows no check."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from pytest_modelqa.core.answer import Answer, Description
from pytest_modelqa.core.model import Backend
from pytest_modelqa.core.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a model is opened. Part of every evidence key, apart from `arrays`.

    `n_ctx` in tokens, capped by what the model was trained for; `arrays` is where logits go.
    """

    backend: Backend
    threads: int
    n_ctx: int
    arrays: Path
    dtype: str = "float32"
    mode: str = "exact"


class Engine(Protocol):
    """An opened model. Raises from `open`: Unavailable (extra, device), Refused (the model)."""

    @classmethod
    def open(cls, artifact: Path, settings: Settings) -> Self:
        """Load the model; may take seconds, may abort the process."""

    def describe(self) -> Description:
        """Tell what was opened."""

    def answer(self, request: Request) -> Answer:
        """Answer one request; deterministic for the same request, artifact and settings."""

    def close(self) -> None:
        """Free the model."""
