"""Tensor parity: what an artifact stores is what its reference stores, but for rounding.

Every tensor is compared with the reference's by its canonical name. How far rounding may move it
follows from its type and from the reference's own values (`artifacts.differential.bounds`), so
there is no limit to set here. What cannot be compared is never a pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, ClassVar

from pytest_modelqa.core.check import Category
from pytest_modelqa.core.comparison.tensors import (
    CompareTensors,
    TensorCompared,
    TensorsCompared,
)
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive

LISTED = 50
"""Tensors in a verdict's detail."""

SAYINGS = {
    "transposed": "is transposed",
    "qk_interleave": "rows are permuted as the Q/K head interleave does ({other})",
    "rows_permuted": "{affected} rows are permuted",
    "columns_permuted": "{affected} columns are permuted",
    "rows_swapped": "two rows are swapped",
    "columns_swapped": "two columns are swapped",
    "duplicated_rows": "{affected} rows are copies of other rows",
    "zeroed_rows": "{affected} rows are zero",
    "scaled": "is scaled by {factor:.5g}",
    "negated": "has the opposite sign",
    "shifted": "has {factor:.5g} added to each value",
    "swapped_with": "holds what {other} should",
    "mislabelled": "is labelled with a wrong type, its bytes are {other}",
    "low_rank": "differs by a matrix of low rank (about {affected}), as after merging an adapter",
    "corrupted_blocks": "{affected} blocks are corrupted",
    "coarse": "takes {affected} values a block, as after rounding to fewer bits than its type has",
    "overquantised": "is {candidate_type}, which has fewer bits than {other}, the declared type",
    "noise": "differs without any structure, by more than its type explains",
    "zero": "is all zero",
    "non_finite": "holds {affected} values that are NaN or Inf",
    "shape": "has another shape",
    "undecoded": "cannot be decoded",
    "missing": "is missing",
    "extra": "is not in the reference",
}
"""A relation in words; `{}` are fields of `TensorCompared`."""

_CONVENTIONS = frozenset({
    "transposed", "qk_interleave", "rows_permuted", "columns_permuted", "shifted", "scaled",
    "shape", "missing", "extra",
})  # fmt: skip
"""What a converter may do on purpose: decides nothing where conventions are not known."""

_WORST_FIRST = (
    "non_finite", "zero", "missing", "shape", "qk_interleave", "transposed", "swapped_with",
    "mislabelled", "negated", "shifted", "scaled", "rows_swapped", "columns_swapped",
    "rows_permuted", "columns_permuted", "zeroed_rows", "duplicated_rows", "corrupted_blocks",
    "coarse", "overquantised", "low_rank", "extra", "noise", "undecoded",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorParity:
    """Every stored tensor agrees with the reference's within the rounding of its type."""

    name: ClassVar[str] = "tensor-parity"
    gate: ClassVar[str] = "F-PARITY-TENSORS"
    category: ClassVar[Category] = Category.COMP

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """All tensors, in one comparison."""
        return {"tensors": CompareTensors()}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by any tensor that rounding does not explain."""
        return judged(answers["tensors"])


def judged(compared: TensorsCompared) -> Verdict:
    """The verdict on a comparison of tensors."""
    bad = unsound(compared)
    tested = len(compared.tensors)
    if conclusive := [t for t in bad if _decides(t, compared)]:
        return falsified(
            _reason(conclusive), tested=tested, detail=detail(bad), remedy=_remedy(conclusive)
        )
    if bad:
        what = compared.candidate_architecture or "this architecture"
        return inconclusive(
            f"{_reason(bad)}; how {what} is stored is not known here, so that this may be right",
            tested=tested,
        )
    if lost := (*compared.unmapped_candidate, *compared.unmapped_reference):
        return inconclusive(
            f"{len(lost)} tensors have no known place in the architecture "
            f"{compared.reference_architecture!r}, e.g. {lost[0]}; {tested} others agree",
            tested=tested,
        )
    if not tested:
        return inconclusive("no tensor was compared: the filter leaves none, or there is none")
    return corroborated(_summary(compared), tested=tested)


def unsound(compared: TensorsCompared) -> list[TensorCompared]:
    """The tensors that rounding does not explain, the plainest defect first."""
    return sorted(
        (t for t in compared.tensors if not t.sound),
        key=lambda t: _WORST_FIRST.index(t.relation),
    )


def worded(tensor: TensorCompared) -> str:
    """One tensor's defect: its name, the relation, where, and how far it is off."""
    values = {n: getattr(tensor, n) for n in ("factor", "other", "affected", "candidate_type")}
    text = f"{tensor.name}: {SAYINGS[tensor.relation].format(**values)}"
    for what, at in (("rows", tensor.rows), ("columns", tensor.columns)):
        if at:
            more = " ..." if len(at) > _SHOWN else ""
            text += f" ({what} {', '.join(map(str, at[:_SHOWN]))}{more})"
    if not isnan(tensor.error):
        text += f"; relative error {tensor.error:.3g}, bound {tensor.bound:.3g}"
    return f"{text}; {tensor.note}" if tensor.note else text


_SHOWN = 6


def detail(bad: Sequence[TensorCompared]) -> str:
    """A line a tensor, at most `LISTED`."""
    lines = [worded(t) for t in bad[:LISTED]]
    if len(bad) > LISTED:
        lines.append(f"... and {len(bad) - LISTED} more")
    return "\n".join(lines)


def _decides(tensor: TensorCompared, compared: TensorsCompared) -> bool:
    if tensor.relation == "undecoded":
        return False
    return compared.verified or tensor.relation not in _CONVENTIONS


def _reason(bad: Sequence[TensorCompared]) -> str:
    if len(bad) == 1:
        return worded(bad[0])
    counts = Counter(t.relation for t in bad)
    listed = ", ".join(f"{n} {relation}" for relation, n in counts.most_common())
    return f"{worded(bad[0])} (of {len(bad)} tensors: {listed})"


def _remedy(bad: Sequence[TensorCompared]) -> str:
    """What to do about the plainest defect."""
    if bad[0].relation in {"qk_interleave", "transposed", "shifted", "missing"}:
        return "convert again with the converter's current version, from the reference"
    if bad[0].relation in {"corrupted_blocks", "non_finite", "zeroed_rows"}:
        return "fetch or write the file again, and compare its SHA-256 with its source's"
    return "look at the step that wrote this file: merge, conversion or quantisation"


def _summary(compared: TensorsCompared) -> str:
    counts = Counter(t.relation for t in compared.tensors)
    kinds = Counter(t.candidate_type for t in compared.tensors if t.relation == "quantised")
    text = f"{len(compared.tensors)} tensors with {compared.weights:,} values agree: "
    text += ", ".join(f"{n} {relation}" for relation, n in counts.most_common())
    if kinds:
        text += f" ({', '.join(f'{n} {kind}' for kind, n in kinds.most_common())})"
        closest = max(compared.tensors, key=lambda t: t.error / t.bound if t.bound > 0 else 0.0)
        share = closest.error / closest.bound
        text += f"; nearest to its bound is {closest.name} at {share:.0%} of {closest.bound:.2g}"
    left = f"; {compared.filtered} left out by the filter" if compared.filtered else ""
    return text + left
