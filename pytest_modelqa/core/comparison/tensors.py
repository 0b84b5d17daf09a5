"""Stored tensors and hyper-parameters of two artifacts, compared without any engine.

Shapes are in torch order (outermost first), rows counted in the order of the transformers model:
the interleaving of Q and K heads in GGUF files of llama's family is undone first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_modelqa.core.answer import Compared
from pytest_modelqa.core.request import Comparison

Relation = Literal[
    "same",
    "quantised",
    "tied",
    "transposed",
    "qk_interleave",
    "rows_permuted",
    "columns_permuted",
    "rows_swapped",
    "columns_swapped",
    "duplicated_rows",
    "zeroed_rows",
    "scaled",
    "negated",
    "shifted",
    "swapped_with",
    "mislabelled",
    "low_rank",
    "corrupted_blocks",
    "coarse",
    "overquantised",
    "noise",
    "zero",
    "non_finite",
    "shape",
    "undecoded",
    "missing",
    "extra",
]
"""How a candidate's tensor relates to the reference's.

same: equal up to 1e-6; quantised: within the bound of the types; tied: a head that is stored and
equals the embedding, or is left out where both are one. `qk_interleave` is the order of rows that
rotary embeddings of GGUF's llama family have, where it is missing or done twice. `mislabelled`:
the bytes are right, the type that is written is not. `low_rank`: the difference is of low rank,
as a merged adapter's is. coarse: the values were
rounded before to fewer bits than their type has. overquantised: sound for its type, which has
fewer bits than the one that the file declares. noise: beyond the bound, and no structure was found.
"""

Side = Literal["candidate", "reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareTensors(Comparison):
    """Every tensor, or those whose canonical name contains one of `filter`."""

    filter: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareConfiguration(Comparison):
    """Hyper-parameters and special tokens that both sides state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareStatistics(Comparison):
    """Statistics of the tensors' values on both sides, and whether the values are equal."""

    filter: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorCompared:
    """One tensor on both sides. `name` is canonical: GGUF's where the architecture is known.

    `error` is ||c - r|| / ||r||, `bound` the largest that the two types explain; `correlation`
    is the cosine of c and r, `slope` the least-squares factor c.r / r.r; NaN where undefined.
    `factor` is what a scaled tensor was multiplied with, or what a shifted one had added; `other`
    the tensor whose content was found, `missing` or `doubled` for an interleave, or the type
    whose bytes these are. `rows`, `columns` and `blocks` (of weights, in storage order) list the
    first that are concerned, of `affected`; `note` says in words what numbers do not.
    """

    name: str
    candidate_name: str = ""
    reference_name: str = ""
    candidate_shape: tuple[int, ...] = ()
    reference_shape: tuple[int, ...] = ()
    candidate_type: str = ""
    reference_type: str = ""
    weights: int = 0
    error: float = float("nan")
    bound: float = float("nan")
    correlation: float = float("nan")
    norm_ratio: float = float("nan")
    slope: float = float("nan")
    relation: Relation
    factor: float = float("nan")
    other: str = ""
    rows: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    blocks: tuple[int, ...] = ()
    affected: int = 0
    note: str = ""

    @property
    def sound(self) -> bool:
        """Whether nothing but the type of the stored values is different."""
        return self.relation in {"same", "quantised", "tied"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorsCompared(Compared):
    """All tensors that were compared, in the order of their layers.

    `unmapped_*` are tensors whose place in the architecture is not known: never compared, never a
    pass. `generated` are tensors that a converter makes (rotary factors) and the other side
    computes. `verified` is false for an architecture whose storage conventions are not known
    here: then a difference may be one of them.
    """

    candidate_architecture: str
    reference_architecture: str
    verified: bool
    tensors: tuple[TensorCompared, ...]
    unmapped_candidate: tuple[str, ...] = ()
    unmapped_reference: tuple[str, ...] = ()
    generated: tuple[str, ...] = ()
    weights: int = 0
    filtered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCompared:
    """One hyper-parameter. Values are as text, `""` where a side does not state it.

    `tolerance` is relative, 0 for what is exact. `where` names both sides' keys.
    """

    name: str
    candidate: str
    reference: str
    equal: bool
    tolerance: float = 0.0
    where: str = ""

    @property
    def stated(self) -> bool:
        """Whether both sides say something."""
        return bool(self.candidate and self.reference)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationCompared(Compared):
    """All hyper-parameters that at least one side states."""

    candidate_architecture: str
    reference_architecture: str
    parameters: tuple[ParameterCompared, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorStatistics:
    """Of one tensor on one side; `weights` is 0 where it is not there.

    `zero` is the share of exact zeros. `values` is the SHA-256 of the values
    as float32 in canonical order; empty where one is NaN or Inf.
    """

    weights: int
    type: str = ""
    mean: float = float("nan")
    std: float = float("nan")
    min: float = float("nan")
    max: float = float("nan")
    zero: float = float("nan")
    nonfinite: int = 0
    values: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsPair:
    """One tensor's statistics on both sides."""

    name: str
    candidate: TensorStatistics
    reference: TensorStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsCompared(Compared):
    """Statistics of all tensors that were asked for."""

    tensors: tuple[StatisticsPair, ...]
    unmapped: tuple[str, ...] = ()
    filtered: int = 0


REQUESTS: tuple[type[Comparison], ...] = (
    CompareTensors,
    CompareConfiguration,
    CompareStatistics,
)
ANSWERS: tuple[type[Compared], ...] = (
    TensorsCompared,
    ConfigurationCompared,
    StatisticsCompared,
)
