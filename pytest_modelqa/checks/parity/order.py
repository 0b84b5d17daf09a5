"""More bits are not worse: quantisations of one model, put in order by what they lose.

No limit is needed to find a file that its own smaller neighbour beats: both are compared with one
reference on the same prompts, and the difference of their divergences is judged with its error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, ClassVar

from pytest_modelqa.artifacts.derivation import nominal_bits
from pytest_modelqa.checks.parity.logits import LogitsParity
from pytest_modelqa.checks.parity.storage import storage_told
from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.comparison.logits import CompareLogits, LogitsCompared
from pytest_modelqa.core.comparison.tensors import CompareTensors, TensorsCompared
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive
from pytest_modelqa.stats.clustered import mean_of

GATE = "F-PARITY-ORDER"

_BETWEEN = "|"
_WORTH_A_WORD = 1.1
"""A neighbour that is better by less than a tenth is as good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantisationOrder:
    """Of two files, that with more bits a weight is not further from the reference.

    Files that hold the reference's own values are left out: they lose nothing by being small.
    """

    gate: ClassVar[str] = GATE
    category: ClassVar[Category] = Category.COMP

    cells: tuple[Cell, ...]
    logits: LogitsParity

    @property
    def name(self) -> str:
        """One for each backend."""
        backend = self.cells[0].backend
        return "parity-order" if backend == "cpu" else f"parity-order-{backend}"

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """Nothing of a cell of its own."""
        return {}

    def questions(self) -> Mapping[str, tuple[Cell, Request]]:
        """What the cells' own parity asks already: logits of the prompts, and the tensors."""
        asked: dict[str, tuple[Cell, Request]] = {}
        for cell in self.cells:
            asked[f"{cell.artifact.key}{_BETWEEN}tensors"] = cell, CompareTensors()
            for name, request in self.logits.requests(cell).items():
                if isinstance(request, CompareLogits) and not request.length:
                    asked[f"{cell.artifact.key}{_BETWEEN}{name}"] = cell, request
        return asked

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by a pair in the wrong order, beyond the error of the difference."""
        files = {c.artifact.key: _File.of(c, answers) for c in self.cells}
        if lost := [key for key, file in files.items() if file is None]:
            return inconclusive(
                f"{', '.join(lost)}: logits or tensors are missing or no numbers",
                remedy="see the verdicts of logits-parity and tensor-parity of these files",
            )
        lossy = [file for file in files.values() if file is not None and file.lossy]
        pairs = [(a, b) for a, b in permutations(lossy, 2) if a.bits > b.bits]
        if not pairs:
            return inconclusive(
                "there are no two files of different bits a weight that lose anything",
                remedy="add one to test_matrix.quantizations",
            )
        wrong = [told for a, b in pairs if (told := _worse(a, b))]
        if wrong:
            return falsified(wrong[0], tested=len(pairs), detail="\n".join(wrong))
        told = ", ".join(f"{f.key} {f.mean:.2g}" for f in sorted(lossy, key=lambda f: f.mean))
        return corroborated(
            f"of {len(pairs)} pairs of files none with more bits is worse: {told} nats",
            tested=len(pairs),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """What a file loses: mean KL in nats of each prompt, and how it is stored."""

    key: str
    bits: int
    kl: tuple[float, ...]
    lossy: bool
    stored: str

    @property
    def mean(self) -> float:
        return sum(self.kl) / len(self.kl)

    @classmethod
    def of(cls, cell: Cell, answers: Mapping[str, Any]) -> _File | None:
        """None where an answer is missing, or is no number."""
        start = f"{cell.artifact.key}{_BETWEEN}"
        own = {n.removeprefix(start): a for n, a in answers.items() if n.startswith(start)}
        stored, kl = own.pop("tensors", None), tuple(_means(own.values()))
        bits = nominal_bits(cell.artifact.quantization)
        if not isinstance(stored, TensorsCompared) or len(kl) < len(own) or not kl or not bits:
            return None
        return cls(
            key=cell.artifact.key,
            bits=bits,
            kl=kl,
            lossy=any(t.relation != "same" for t in stored.tensors),
            stored=storage_told(stored),
        )


def _means(answers: Sequence[Any] | Any) -> Iterator[float]:
    for answer in answers:
        if isinstance(answer, Failure) or not isinstance(answer, LogitsCompared) or not answer.kl:
            continue
        mean = sum(answer.kl) / len(answer.kl)
        if math.isfinite(mean):
            yield mean


def _worse(more: _File, fewer: _File) -> str:
    """In words where the file with more bits is the worse one, else nothing."""
    if more.mean < _WORTH_A_WORD * fewer.mean:
        return ""
    difference = mean_of([[a - b] for a, b in zip(more.kl, fewer.kl, strict=True)])
    margin = difference.margin()
    if margin is None or difference.mean <= margin:
        return ""
    return (
        f"{more.key} is worse than {fewer.key}: mean KL {more.mean:.3g} against {fewer.mean:.3g} "
        f"nats on {len(more.kl)} prompts (difference {difference.mean:.2g} +- {margin:.1g}); "
        f"{more.key} is stored as {more.stored}"
    )
