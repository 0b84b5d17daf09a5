"""From data to the file that is served: every hand-over of a fine-tuned model, stage by stage."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from pytest_modelqa.checks.numeric.rows import (
    Row,
    judged,
    number,
    rows_of,
    sound,
    text,
    undecided,
    wrong,
)
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.measuring import Option, measure
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import Part, Verdict

ROWS: Mapping[str, tuple[str, ...]] = {
    "data": ("records", "leakage"),
    "run": (
        "base", "files", "manifest", "statistics", "loss-finite", "loss-smooth", "loss-falls",
        "learning-rate", "adapter-settings", "adapter-finite", "adapter-moved", "adapter-size",
        "adapter-effect",
    ),
    "merge": (
        "merge-applied", "merge-rank", "merge-norm", "merge-exact", "merge-precision",
        "untouched-tensors", "carried-over", "adapter-effect", "merged-logits",
    ),
    "gguf": ("template-kept", "vocabulary-kept", "file-type", "gguf-logits", "gguf-not-base"),
}  # fmt: skip
"""What has to be measured of each stage."""

_OWN = {
    "adapter-effect": ("min_effect", "least"),
    "merged-logits": ("max_merged_kl", "most"),
    "gguf-logits": ("max_kl", "most"),
}
"""Rows whose bound a playbook may set: its field, and which bound that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """F-TRAINING-...: a row has a `value` within `least` and `most`, and how much was `tested`.

    Bounds come with the row, since most follow from the run (the size of its adapter, its rank);
    those of `min_effect`, `max_merged_kl` and `max_kl` (nats) are the playbook's where it has them.
    `state` identifies the files that are named, so that a resumed run sees that one changed.
    """

    category: ClassVar[Category] = Category.STAB

    name: str = "training-run"
    gate: str = "F-TRAINING-RUN"
    stage: str = "run"
    quantization: str = "f16"
    config: str | None = None
    run: str | None = None
    merged: str | None = None
    gguf: str | None = None
    state: str = ""
    min_effect: float | None = None
    max_merged_kl: float | None = None
    max_kl: float | None = None
    max_seconds: float = 1800.0

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """One measurement of the stage; no engine opens the model for it."""
        options: dict[str, Option] = {"stage": self.stage}
        given = {name: getattr(self, name) for name in ("config", "run", "merged", "gguf", "state")}
        options |= {name: value for name, value in given.items() if value}
        if self.stage == "gguf":
            options["quantization"] = self.quantization
        return {"rows": measure("training", options, budget_s=self.max_seconds)}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by a value beyond its bounds, or that is no number; undecided by a lost row."""
        rows = rows_of(answers)
        told = {text(row, "name") for row in rows}
        what = f"the {self.stage}" if self.stage != "gguf" else f"the {self.quantization} GGUF"
        return judged(
            rows,
            self._judge_row,
            missing=[name for name in ROWS[self.stage] if name not in told],
            summary=f"{len(rows)} checks of {what} hold: {', '.join(sorted(told))}",
            remedy="modelqa train verify DIR and modelqa merge make the same checks; "
            "see docs/training_run.md",
        )

    def _judge_row(self, row: Row) -> Part:
        reason = text(row, "reason") or "no reason was given"
        if number(row, "tested") == 0:
            return undecided(row, reason)
        value, tested = number(row, "value"), number(row, "tested")
        bounds = self._bounds(row)
        if not bounds:
            return undecided(row, f"it has no bounds: {reason}")
        least, most = bounds.get("least", -math.inf), bounds.get("most", math.inf)
        if tested >= 1 and math.isfinite(value) and least <= value <= most:
            return sound(row, reason)
        own, _ = _OWN.get(text(row, "name"), ("", ""))
        asked = f"; the playbook's {own}: {getattr(self, own):g}" if own and self._sets(own) else ""
        return wrong(row, f"{reason}{asked}")

    def _bounds(self, row: Row) -> dict[str, float]:
        """Those that there are; a bound that is NaN, or no number although something stands there,
        stays NaN, so that nothing is within it.
        """
        found = {key: number(row, key) for key in ("least", "most") if row.get(key) is not None}
        own, side = _OWN.get(text(row, "name"), ("", ""))
        if own and self._sets(own):
            found[side] = getattr(self, own)
        return found

    def _sets(self, own: str) -> bool:
        return getattr(self, own) is not None


def training(gates: Sequence[str], parameters: Mapping[str, Any]) -> Iterator[Training]:
    """A check of each stage and quantisation that is asked for, once for each named gate."""
    own = {f.name for f in fields(Training)} - {"name", "gate", "stage", "quantization"}
    given = {key: value for key, value in parameters.items() if key in own and value is not None}
    for stage in parameters["stages"]:
        quantizations = parameters["quantizations"] if stage == "gguf" else ("",)
        for quantization in quantizations:
            name = f"training-{stage}" + (f"-{quantization}" if quantization else "")
            more = {"stage": stage, "quantization": quantization, **given}
            for gate in gates:
                yield Training(name=f"{name}[{gate}]", gate=gate, **more)
            if not gates:
                yield Training(name=name, gate=f"F-TRAINING-{stage.upper()}", **more)
