"""What statistics of two artifacts' tensors say, claim by claim.

Norm weights are compared with the reference's own, not with one: of 57 norms of a healthy model
that the reference's authors published, one alone has a mean within 0.1 of 1; they span 0.54-4.62.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from pytest_modelqa.core.comparison.tensors import (
    StatisticsCompared,
    StatisticsPair,
    TensorStatistics,
)
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive

SHIFTS = {
    "F32": 1e-5, "F64": 1e-5, "F16": 1e-3, "BF16": 5e-3, "Q8_0": 0.01, "Q6_K": 0.02, "Q5_K": 0.03,
    "Q5_0": 0.03, "Q5_1": 0.03, "Q4_K": 0.05, "Q4_0": 0.05, "Q4_1": 0.05, "IQ4_NL": 0.05,
    "IQ4_XS": 0.05, "Q3_K": 0.08, "Q2_K": 0.15,
}  # fmt: skip
"""How far a mean or standard deviation may move, in units of the reference's standard deviation:
the tolerances of the reference's contract by type, which it loads and never applies."""
_COARSEST = 0.2
_EXTREMES = 2.5
"""Extreme values are rounded by a whole step of their type: so much more may they move."""

_EXACT = {"F32": {"F32", "F16", "BF16"}, "F64": {"F64", "F32", "F16", "BF16"}}
"""Which types' values each type holds as they are, beside its own."""

Limits = Mapping[str, float]


def present(pair: StatisticsPair) -> bool:
    """Whether both sides have statistics."""
    return bool(pair.candidate.weights and pair.reference.weights)


def kind_of(name: str) -> str:
    """norm, bias, embedding, head or matrix, by canonical name."""
    if name.endswith("bias"):
        return "bias"
    if "norm" in name:
        return "norm"
    return {"token_embd.weight": "embedding", "output.weight": "head"}.get(name, "matrix")


def finite(compared: StatisticsCompared, stats: Sequence[str]) -> Verdict:  # noqa: ARG001
    """No tensor holds NaN or Inf on either side."""
    sides = [
        (p.name, side, s)
        for p in compared.tensors
        for side, s in (("candidate", p.candidate), ("reference", p.reference))
        if s.weights
    ]
    bad = [f"{name} of the {side}: {s.nonfinite:,} of {s.weights:,} values are NaN or Inf"
           for name, side, s in sides if s.nonfinite]  # fmt: skip
    return _concluded(bad, len(sides), f"{len(sides)} tensors hold numbers alone")


def equal_values(compared: StatisticsCompared, stats: Sequence[str]) -> Verdict:
    """Digests of values are equal wherever the candidate's type holds the reference's values.

    A rounded tensor has another digest, which says nothing.
    """
    pairs = [p for p in compared.tensors if present(p) and _holds(p.candidate, p.reference)]
    if not pairs or "checksum" not in stats:
        why = "every tensor is stored in a type that rounds" if not pairs else "not asked for"
        return inconclusive(f"no digest can be compared: {why}")
    bad = [
        f"{p.name}: its values have digest {p.candidate.values[:12] or 'none'}, the reference's "
        f"{p.reference.values[:12] or 'none'}"
        for p in pairs
        if not p.candidate.values or p.candidate.values != p.reference.values
    ]
    rounded = len(compared.tensors) - len(pairs)
    text = f"{len(pairs)} tensors have the reference's values; {rounded} are rounded"
    return _concluded(bad, len(pairs), text)


def _holds(candidate: TensorStatistics, reference: TensorStatistics) -> bool:
    own = candidate.type == reference.type
    return own or reference.type in _EXACT.get(candidate.type, ())


def steady(compared: StatisticsCompared, stats: Sequence[str]) -> Verdict:
    """Mean, deviation and extremes moved no further than rounding moves them."""
    pairs = [p for p in compared.tensors if present(p)]
    bad = [problem for p in pairs for problem in _moved(p, stats)]
    asked = ", ".join(s for s in stats if s != "checksum")
    if not asked:
        return inconclusive("no statistic is asked for but the checksum")
    return _concluded(bad, len(pairs), f"{asked} of {len(pairs)} tensors are the reference's")


def _moved(pair: StatisticsPair, stats: Sequence[str]) -> Iterable[str]:
    c, r = pair.candidate, pair.reference
    share = max(SHIFTS.get(c.type, _COARSEST), SHIFTS.get(r.type, _COARSEST))
    extreme = max(abs(r.min), abs(r.max))
    units = {"mean": r.std, "std": r.std, "min": _EXTREMES * extreme, "max": _EXTREMES * extreme}
    for stat in stats:
        if stat not in units:
            continue
        ours, theirs = getattr(c, stat), getattr(r, stat)
        allowed = share * units[stat] + 1e-7 * extreme
        if not abs(ours - theirs) <= allowed:
            yield (f"{pair.name}: {stat} is {ours:.6g}, the reference's {theirs:.6g}, "
                   f"at most {allowed:.2g} apart")  # fmt: skip


def _means(kinds: Mapping[str, str]) -> Callable[[StatisticsCompared, Limits], Verdict]:
    """A claim about means of some kinds of tensors, each with the limit that its kind names."""

    def claim(compared: StatisticsCompared, limits: Limits) -> Verdict:
        pairs = [p for p in compared.tensors if present(p) and kind_of(p.name) in kinds]
        bad = []
        for p in pairs:
            limit = limits[kinds[kind_of(p.name)]]
            if not abs(p.candidate.mean - p.reference.mean) <= limit:
                bad.append(
                    f"{p.name}: mean {p.candidate.mean:.6g}, the reference's "
                    f"{p.reference.mean:.6g}, at most {limit:g} apart"
                )
        what = " and ".join(kinds)
        return _concluded(bad, len(pairs), f"means of {len(pairs)} tensors ({what}) agree")

    return claim


def everything(compared: StatisticsCompared, limits: Limits) -> Verdict:  # noqa: ARG001
    """Every tensor has statistics on both sides."""
    bad = [
        f"{p.name}: {'not in the reference' if p.candidate.weights else 'not in the candidate'}"
        for p in compared.tensors
        if not present(p) and p.name != "output.weight"
    ]
    if compared.unmapped and not bad:
        first = compared.unmapped[0]
        return inconclusive(f"{len(compared.unmapped)} tensors could not be mapped, e.g. {first}")
    count = len(compared.tensors)
    return _concluded(bad, count, f"all {count} tensors were compared")


def living_norms(compared: StatisticsCompared, limits: Limits) -> Verdict:  # noqa: ARG001
    """No norm lost its weights: its mean is not zero where the reference's is not."""
    pairs = _norms(compared)
    bad = [
        f"{p.name}: mean {p.candidate.mean:.3g}, the reference's is {p.reference.mean:.6g}"
        for p in pairs
        if not abs(p.candidate.mean) > _VANISHED * abs(p.reference.mean)
    ]
    return _concluded(bad, len(pairs), f"{len(pairs)} norms have means like the reference's")


_VANISHED = 0.05
"""A mean that fell to a twentieth of the reference's is gone."""


def varied_norms(compared: StatisticsCompared, limits: Limits) -> Verdict:  # noqa: ARG001
    """No norm became constant: it has a deviation where the reference's has one."""
    pairs = _norms(compared)
    bad = [
        f"{p.name}: all its values are {p.candidate.mean:.6g}; the reference's standard deviation "
        f"is {p.reference.std:.3g}"
        for p in pairs
        if not p.candidate.std > 0 and p.reference.std > 0
    ]
    return _concluded(bad, len(pairs), f"{len(pairs)} norms vary as the reference's do")


def _norms(compared: StatisticsCompared) -> list[StatisticsPair]:
    return [p for p in compared.tensors if present(p) and kind_of(p.name) == "norm"]


def _concluded(bad: Sequence[str], tested: int, agreed: str) -> Verdict:
    if bad:
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        return falsified(f"{bad[0]}{more}", tested=tested, detail="\n".join(bad[:50]))
    if not tested:
        return inconclusive("no tensor of this kind is on both sides")
    return corroborated(agreed, tested=tested)


FINGERPRINTS = {
    "F-ROSETTA-FP-001": finite,
    "F-ROSETTA-FP-002": equal_values,
    "F-ROSETTA-FP-003": steady,
}
"""What the gates of a fingerprint claim."""

STATISTICS = {
    "F-ROSETTA-STATS-001": _means({"norm": "norm"}),
    "F-ROSETTA-STATS-002": _means({"embedding": "embedding"}),
    "F-ROSETTA-STATS-003": _means({"matrix": "matrix", "head": "embedding", "bias": "embedding"}),
    "F-ROSETTA-STATS-004": everything,
    "F-ROSETTA-STATS-005": living_norms,
    "F-ROSETTA-STATS-006": varied_norms,
}
"""What the gates of the statistics claim."""
