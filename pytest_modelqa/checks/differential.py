"""The block `differential_tests`: one model in several files, by format, tensors and statistics.

Each part claims several things, each under a gate of its own (the reference's ids). A playbook
that names gates gets these alone; an id that is not known here decides all that its part claims.
Logits are compared by the part `inference_compare`, elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, ClassVar

from pytest_modelqa.checks.parity import tensors as parity
from pytest_modelqa.checks.statistics import FINGERPRINTS, STATISTICS
from pytest_modelqa.core.answer import Inspection
from pytest_modelqa.core.check import Category, Check
from pytest_modelqa.core.comparison.tensors import (
    CompareStatistics,
    CompareTensors,
    StatisticsCompared,
    TensorCompared,
    TensorsCompared,
)
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Inspect, Request
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive

DTYPE, ALIGNMENT, HEADER = "dtype_mapping", "tensor_alignment", "header_integrity"
_CODES = {
    DTYPE: {"GGUF-TENSOR-TYPE", "GGUF-BLOCKS", "ST-DTYPE", "ST-SIZE", "APR-DTYPE", "APR-SIZE",
            "MIX-DECLARED"},
    ALIGNMENT: {"GGUF-ALIGNMENT", "GGUF-OFFSET", "GGUF-OVERLAP", "GGUF-GAP", "ST-OFFSET",
                "APR-OFFSET", "APR-OVERLAP", "APR-LAYOUT"},
}  # fmt: skip
"""Findings of the inspection, by what they are about; other ones of a reader are the header's."""
_READERS = ("GGUF-", "ST-", "APR-", "IO", "FORMAT", "PICKLE", "CONFIG")

FORMATS = {"F-APR-FORMAT-001": DTYPE, "F-APR-FORMAT-002": ALIGNMENT, "F-APR-FORMAT-003": HEADER}
"""Which part of the format validation each gate decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatValidation:
    """Types, places and header of the file are what its format allows."""

    category: ClassVar[Category] = Category.COMP

    gate: str = "F-FORMAT-VALIDATION"
    checks: tuple[str, ...] = (DTYPE, ALIGNMENT, HEADER)

    @property
    def name(self) -> str:
        """With the gate: each part may be there once a gate."""
        return f"format-validation[{self.gate}]"

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """The static inspection, without any engine."""
        return {"inspection": Inspect()}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by any error that the inspection found about these subjects."""
        seen: Inspection = answers["inspection"]
        wanted = (FORMATS[self.gate],) if self.gate in FORMATS else self.checks
        errors = [f for f in seen.findings if f.severity == "error" and _subject(f.code) in wanted]
        if errors:
            first = errors[0]
            return falsified(
                f"{first.code} {first.where}: {first.message}",
                tested=seen.checked,
                detail="\n".join(f"{f.code} {f.where}: {f.message}" for f in errors[:50]),
                remedy="write the file again with a converter that follows the format",
            )
        if not seen.checked:
            return inconclusive("nothing in the file could be checked")
        return corroborated(
            f"{', '.join(wanted)}: {seen.checked} facts about {seen.tensors} tensors of this "
            f"{seen.format} file agree",
            tested=seen.checked,
        )


def _subject(code: str) -> str:
    found = next((subject for subject, codes in _CODES.items() if code in codes), "")
    return found or (HEADER if code.startswith(_READERS) else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorDiff:
    """Tensors against the reference's: layout, shapes, values.

    `filter` has parts of canonical names, separated by commas. `tolerance` is the largest relative
    error; without it what each type explains is allowed.
    """

    category: ClassVar[Category] = Category.COMP

    gate: str = "F-TENSOR-DIFF"
    filter: str | None = None
    tolerance: float | None = None

    @property
    def name(self) -> str:
        """With the gate: each part may be there once a gate."""
        return f"tensor-diff[{self.gate}]"

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """One comparison, the same for each gate."""
        return {"tensors": CompareTensors(filter=listed(self.filter))}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by a relation that the gate is about, or by an error beyond the tolerance."""
        compared: TensorsCompared = answers["tensors"]
        if self.gate in LAYOUTS:
            return _without(compared, *LAYOUTS[self.gate])
        if self.tolerance is not None:
            return _within(compared, self.tolerance)
        return parity.judged(compared)


LAYOUTS = {
    "F-ROSETTA-DIFF-001": ("no tensor is transposed", frozenset({"transposed"})),
    "F-ROSETTA-DIFF-002": ("shapes and names match", frozenset({"shape", "missing", "extra"})),
}
"""Gates of the layout: what they claim, and the relations that refute it."""


def _without(compared: TensorsCompared, claim: str, relations: frozenset[str]) -> Verdict:
    bad = [t for t in parity.unsound(compared) if t.relation in relations]
    tested = len(compared.tensors)
    if bad and compared.verified:
        more = f" (of {len(bad)} tensors)" if len(bad) > 1 else ""
        reason = f"{parity.worded(bad[0])}{more}"
        return falsified(reason, tested=tested, detail=parity.detail(bad))
    if bad:
        reason = f"{parity.worded(bad[0])}; how this architecture is stored is not known here"
        return inconclusive(reason, tested=tested)
    return _mapped(compared, tested) or corroborated(f"{claim}: {tested} compared", tested=tested)


def _mapped(compared: TensorsCompared, tested: int) -> Verdict | None:
    lost = (*compared.unmapped_candidate, *compared.unmapped_reference)
    if lost:
        return inconclusive(f"{len(lost)} tensors could not be mapped, e.g. {lost[0]}",
                            tested=tested)  # fmt: skip
    return None if tested else inconclusive("no tensor was compared")


def _within(compared: TensorsCompared, tolerance: float) -> Verdict:
    """Each relative error against one limit; what has none cannot pass."""
    tested = len(compared.tensors)
    bad = [t for t in compared.tensors if not t.error <= tolerance]
    if bad:
        first = max(bad, key=_badness)
        return falsified(
            f"{first.name} ({first.relation}): relative error {first.error:.3g} exceeds the "
            f"tolerance {tolerance:g} (of {len(bad)} tensors)",
            tested=tested,
            detail="\n".join(f"{t.name}: {t.error:.3g} ({t.relation})" for t in bad[:50]),
        )
    return _mapped(compared, tested) or corroborated(
        f"{tested} tensors within a relative error of {tolerance:g}", tested=tested
    )


def _badness(tensor: TensorCompared) -> float:
    return float("inf") if isnan(tensor.error) else tensor.error


def listed(parts: str | None) -> tuple[str, ...]:
    """What stands between commas; `all` and nothing are no filter."""
    found = tuple(p.strip() for p in (parts or "").split(",") if p.strip())
    return () if found == ("all",) else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Statistics and digests of the values identify the reference's tensors."""

    category: ClassVar[Category] = Category.COMP

    gate: str = "F-FINGERPRINT"
    tensors: str = "all"
    stats: tuple[str, ...] = ("mean", "std", "min", "max", "checksum")

    @property
    def name(self) -> str:
        """With the gate: each part may be there once a gate."""
        return f"fingerprint[{self.gate}]"

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """One comparison, the same for each gate."""
        return {"statistics": CompareStatistics(filter=listed(self.tensors))}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """What the gate claims; all claims of the part under an id that is not known."""
        compared: StatisticsCompared = answers["statistics"]
        claims = [FINGERPRINTS[self.gate]] if self.gate in FINGERPRINTS else FINGERPRINTS.values()
        return together([claim(compared, self.stats) for claim in claims])


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidateStats:
    """Means of tensors against the reference's, by kind of tensor.

    The tolerances are the largest difference of a mean: of norms, of the embedding, and of
    attention and feed-forward matrices.
    """

    category: ClassVar[Category] = Category.COMP

    gate: str = "F-VALIDATE-STATS"
    layernorm: float = 0.001
    embedding: float = 0.1
    attention: float = 0.01

    @property
    def name(self) -> str:
        """With the gate: each part may be there once a gate."""
        return f"validate-stats[{self.gate}]"

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """All tensors."""
        return {"statistics": CompareStatistics()}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """What the gate claims; all claims of the part under an id that is not known."""
        compared: StatisticsCompared = answers["statistics"]
        limits = {"norm": self.layernorm, "embedding": self.embedding, "matrix": self.attention}
        claims = [STATISTICS[self.gate]] if self.gate in STATISTICS else STATISTICS.values()
        return together([claim(compared, limits) for claim in claims])


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """The first that is no pass, the falsified before the undecided; else all of them."""
    for failed in (True, False):
        for verdict in verdicts:
            if verdict.outcome.failed is failed and verdict.outcome.value != "corroborated":
                return verdict
    reason = "; ".join(v.reason for v in verdicts)
    return corroborated(reason, tested=sum(v.tested for v in verdicts))


Parameters = Mapping[str, Any]


def _format_validation(gate: str, parameters: Parameters) -> Check:
    return FormatValidation(gate=gate, checks=tuple(parameters["checks"]))


def _tensor_diff(gate: str, parameters: Parameters) -> Check:
    return TensorDiff(
        gate=gate, filter=parameters.get("filter"), tolerance=parameters.get("tolerance")
    )


def _fingerprint(gate: str, parameters: Parameters) -> Check:
    return Fingerprint(gate=gate, tensors=parameters["tensors"], stats=tuple(parameters["stats"]))


def _validate_stats(gate: str, parameters: Parameters) -> Check:
    return ValidateStats(gate=gate, **parameters["tolerance"])


PARTS: dict[str, tuple[Callable[[str, Parameters], Check], tuple[str, ...]]] = {
    "format_validation": (_format_validation, tuple(FORMATS)),
    "tensor_diff": (_tensor_diff, (*LAYOUTS, "F-TENSOR-DIFF")),
    "fingerprint": (_fingerprint, tuple(FINGERPRINTS)),
    "validate_stats": (_validate_stats, tuple(STATISTICS)),
}
"""How a check of each part is made, and the gates that it decides by default."""


def differential(part: str, gates: Sequence[str], parameters: Parameters) -> Iterator[Check]:
    """The checks of one part of the block; `gates` and `parameters` are the playbook's."""
    make, usual = PARTS[part]
    chosen = gates or usual
    if part == "format_validation" and not gates:
        chosen = [g for g in usual if FORMATS[g] in parameters["checks"]]
    for gate in chosen:
        yield make(gate, parameters)
