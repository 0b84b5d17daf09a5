"""What a maker of records gives back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from training.synth.draw import Draw


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A record's texts, and the id of the template that its instruction comes from."""

    template: str
    instruction: str
    output: str
    input: str = ""


def asked(draw: Draw, kind: str, pool: Sequence[str], more: Sequence[str] = ()) -> tuple[str, str]:
    """An instruction of this side, and its template's id: the kind and a hash of its text.

    Training draws from `more` too.
    """
    template = draw.pick(pool, more)
    digest = hashlib.sha256(template.encode()).hexdigest()[:8]
    return f"{kind}-{digest}", draw.fill(template)


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else list(parts))


def fenced(code: str, language: str = "typescript") -> str:
    """A block of code in Markdown."""
    return f"```{language}\n{code.rstrip()}\n```"
