"""Answers as engines give them, with chosen numbers: what a judge must tell apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_modelqa.core.comparison.greedy import Continued, GreedyCompared, Parting
from pytest_modelqa.core.comparison.logits import LogitsCompared, NoiseMeasured, Variant

QUIET = Variant(way="one id at a time", kl_mean=1e-12, kl_max=1e-11, max_abs=1e-4, gap_shift=1e-4)
NOISE = NoiseMeasured(positions=8, reference=(QUIET,), candidate=(QUIET,))


def compared(first: int, kl: float | tuple[float, ...] = 1e-5, **more: Any) -> LogitsCompared:
    """Forty positions of a text that begins with `first`, alike in everything but `kl`."""
    each = kl if isinstance(kl, tuple) else (kl,) * 40
    count = len(each)
    answer = LogitsCompared(
        ids=(first, *range(1, count)),
        reference_vocabulary=1000,
        candidate_vocabulary=1000,
        compared=1000,
        top_k=10,
        kl=each,
        js=(0.0,) * count,
        cosine=(0.9999,) * count,
        plain_cosine=(0.9999,) * count,
        scale=(1.0,) * count,
        nmse=(1e-5,) * count,
        max_abs=(0.01,) * count,
        topk=(1.0,) * count,
        gap=(1.0,) * count,
        gap_shift=(0.001,) * count,
        reference_top1=(5,) * count,
        candidate_top1=(5,) * count,
    )
    return replace(answer, **more)


def texts(*answers: LogitsCompared, quantization: str = "f16") -> dict[str, Any]:
    """What the check is given: the noise, and every prompt."""
    named = {f"prompt {n}@{quantization}": a for n, a in enumerate(answers)}
    return {f"noise@{quantization}": NOISE, **named}


def spread(*means: float) -> dict[str, Any]:
    """Prompts whose mean KL is given."""
    return texts(*(compared(1000 + n, kl) for n, kl in enumerate(means)))


def continued(text: str = "Paris.", **more: Any) -> Continued:
    """One side's text."""
    side = Continued(ids=(1, 2, 3), text=text, finish="length", stopped_by=-1, nonfinite_step=-1)
    return replace(side, **more)


def parting(*, margin: float, moved: float, step: int = 3) -> Parting:
    """Both part at `step`: the reference's margin, and how far the gap moved, in logits."""
    return Parting(
        step=step,
        reference_choice=7,
        candidate_choice=9,
        reference_piece=" Paris",
        candidate_piece=" Lyon",
        reference_margin=margin,
        candidate_margin=moved - margin,
        delta_u=0.0,
        delta_v=moved,
    )


def greedy(at: Parting | None = None, equal: int = 24, **more: Any) -> GreedyCompared:
    """A continuation that parts, or does not."""
    answer = GreedyCompared(
        prompt_tokens=10,
        equal_steps=at.step if at else equal,
        reference=continued(),
        candidate=continued("Lyon, which is" if at else "Paris."),
        parting=at,
    )
    return replace(answer, **more)
