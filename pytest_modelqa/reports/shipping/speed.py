"""How fast a run generated, and how much of its time the engine had."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pytest_modelqa.core.result import RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineUse:
    """Of a run: tokens and the seconds of their decoding, seconds of the engine and in all.

    `engine_s` is when at least one worker answered what this run asked itself, not what it took
    from earlier evidence; `wall_s` is from the first process's start to the last's end, in whole
    seconds. `share` is None where it says nothing: a run without fresh answers, or shorter than a
    second.
    """

    tokens: int
    decode_s: float
    engine_s: float
    wall_s: float
    resumed: int

    @property
    def tokens_per_s(self) -> float | None:
        """Generated tokens by seconds of decoding: the speed of one sequence."""
        return self.tokens / self.decode_s if self.decode_s > 0 else None

    @property
    def tokens_per_s_in_all(self) -> float | None:
        """Of all sequences at a time, prompts included; None where some answers are not fresh."""
        return self.tokens / self.engine_s if self.engine_s > 0 and not self.resumed else None

    @property
    def share(self) -> float | None:
        """Of the wall time, in the engine."""
        if not 0 < self.engine_s <= self.wall_s:
            return None
        return self.engine_s / self.wall_s

    @property
    def sentence(self) -> str:
        """For a person."""
        rate = self.tokens_per_s
        speed = f"{rate:.1f} tokens/s a sequence" if rate is not None else "no tokens"
        together = self.tokens_per_s_in_all
        if rate is not None and together is not None:
            speed += f", {together:.1f} in all"
        share = f"{self.share * 100:.0f} % of {self.wall_s:.0f} s" if self.share else "-"
        return f"Generated {self.tokens} tokens, {speed}; wall time in the engine: {share}."


def engine_use(record: RunRecord) -> EngineUse:
    """From the record alone."""
    return EngineUse(
        tokens=sum(r.generated_tokens for r in record.results),
        decode_s=sum(r.decode_s for r in record.results),
        engine_s=record.engine_s,
        wall_s=_seconds(record.run.started, record.run.ended),
        resumed=record.resumed,
    )


def _seconds(started: str, ended: str) -> float:
    """0 where the run has no end."""
    if not ended:
        return 0.0
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
