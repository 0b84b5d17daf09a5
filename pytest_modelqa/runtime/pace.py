"""How long a request may take: from its tokens and the speed measured so far."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.measuring import Measure
from pytest_modelqa.core.request import Generate, Request, Retrace

_PATIENCE = 10.0
"""A request may be this many times slower than the slowest so far: other programs take cores."""

_CHARACTERS_PER_TOKEN = 2
"""On the safe side: English has four, code and other scripts fewer."""


@dataclass(slots=True)
class Pace:
    """The slowest seconds per token of this model in this mode, and the bounds in seconds."""

    floor_s: float
    ceiling_s: float
    slowest: float = 0.0

    def allowance(self, request: Request) -> float:
        """Seconds until a request counts as hanging; the ceiling while nothing was measured.

        A measurement has its own budget on top of that.
        """
        if isinstance(request, Measure):
            return self.ceiling_s + request.budget_s
        generation = request.generation if isinstance(request, Retrace) else request
        if not isinstance(generation, Generate) or not self.slowest:
            return self.ceiling_s
        expected = self.slowest * _tokens(generation)
        return min(self.ceiling_s, max(self.floor_s, _PATIENCE * expected))

    def measure(self, answer: object, seconds: float) -> None:
        """Note what an answer took from its beginning to its end, in wall-clock seconds."""
        if isinstance(answer, Generation):
            tokens = answer.prompt_tokens + len(answer.ids)
            self.slowest = max(self.slowest, seconds / max(1, tokens))


def _tokens(request: Generate) -> int:
    texts = [request.prompt or "", *(m.content for m in request.messages)]
    return sum(map(len, texts)) // _CHARACTERS_PER_TOKEN + request.max_tokens
