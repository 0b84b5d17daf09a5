"""What every engine is: opened in a worker, answers requests, knows no check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

from pytest_modelqa.core.answer import Answer, Description
from pytest_modelqa.core.model import Backend
from pytest_modelqa.core.request import Generate, Request
from pytest_modelqa.engines.generation import Begin


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a model is opened.

    `n_ctx` in tokens, capped by what the model was trained for; `arrays` is where logits go;
    `memory_bytes` is what the caches of a batch may take.
    """

    backend: Backend
    threads: int
    n_ctx: int
    arrays: Path
    memory_bytes: int
    dtype: str = "float32"


class Engine(Protocol):
    """An opened model. Raises from `open`: Unavailable (extra, device), Refused (the model)."""

    @classmethod
    def open(cls, artifact: Path, settings: Settings) -> Self:
        """Load the model; may take seconds, may abort the process."""

    def describe(self) -> Description:
        """Tell what was opened."""

    def use_threads(self, threads: int) -> None:
        """Compute with this many threads from now on."""

    def answer(self, request: Request) -> Answer:
        """Answer one request; deterministic for the same request, artifact and settings."""

    def answer_batch(
        self, requests: Sequence[Generate], begin: Begin
    ) -> Iterator[tuple[int, Answer]]:
        """Answer generations together, each once, as they end; `begin` hears of each beginning."""

    def close(self) -> None:
        """Free the model."""
