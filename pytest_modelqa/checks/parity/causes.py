"""What can be wrong with a model that was converted, merged or quantised, by its usual name.

The signatures are those of threads in which such models were repaired (llama.cpp, transformers,
peft, unsloth). A sign points to a cause with a weight: the share of certainty that it gives alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

Kind = Literal[
    "integrity",
    "tokenizer",
    "template",
    "layout",
    "values",
    "hyper-parameters",
    "quantisation",
    "fine-tuning",
    "engine",
]

UNKNOWN = "unknown"
CERTAIN = 0.9
LIKELY = 0.6
"""A cause below it is not named: unknown is allowed, a guess is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What is wrong, and what to do. `known_as` are the same in older catalogues of gates."""

    name: str
    kind: Kind
    advice: str
    known_as: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Something seen that points to a cause. `place` is a tensor, a layer, a key, or empty."""

    cause: str
    place: str
    evidence: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A cause with everything that points to it."""

    cause: Cause
    confidence: float
    places: tuple[str, ...]
    evidence: tuple[str, ...]

    @property
    def how_sure(self) -> str:
        """In words."""
        if self.confidence >= CERTAIN:
            return "certain"
        return "likely" if self.confidence >= LIKELY else "possible"

    @property
    def where(self) -> str:
        """The places, or how many of them there are."""
        if len(self.places) > _SHOWN:
            return f"{', '.join(self.places[:_SHOWN])} and {len(self.places) - _SHOWN} more"
        return ", ".join(self.places)


_SHOWN = 4

_CONVERT = "convert again from the source, with a converter that knows this architecture"
_FILE = "take the file from its source again, and compare hashes"
_TOKENIZER = "convert again together with the tokenizer of the same model"
_REQUANTISE = "quantise again, from the unquantised file"
_MERGE = (
    "merge once more: the right adapter, once, with its own alpha and rank, into the right base"
)
_KEY = "correct the key in the file's metadata, or convert again with the right configuration"

_KNOWN: tuple[tuple[Kind, str, str, str], ...] = (
    ("integrity", "non-finite weights", _FILE, "F-CONV-WEIGHT-001 F-ROSETTA-FP-001"),
    ("integrity", "missing tensor", _FILE, "F-CONV-CARD-001 MissingCompanionData"),
    ("integrity", "shape", _CONVERT, "F-CONV-SHAPE-001 F-ROSETTA-DIFF-002"),
    ("integrity", "type label", _CONVERT, "MissingTypeDetection F-VALID-TYPE-001 GH-186"),
    ("tokenizer", "pre-tokenizer", _TOKENIZER, "AlgorithmMismatch"),
    ("tokenizer", "merges", _TOKENIZER, ""),
    ("tokenizer", "vocabulary", _TOKENIZER, "SilentFallbackWrongResource"),
    ("tokenizer", "missing tokenizer", _TOKENIZER, "F-CONV-TOK-001"),
    ("tokenizer", "special tokens", _TOKENIZER, ""),
    ("tokenizer", "end of text", _KEY, ""),
    ("tokenizer", "double BOS", _KEY, ""),
    ("tokenizer", "missing BOS", _KEY, ""),
    ("tokenizer", "added EOS", _KEY, ""),
    ("tokenizer", "prefix space", _KEY, ""),
    ("tokenizer", "normalisation", _TOKENIZER, ""),
    ("tokenizer", "byte fallback", _TOKENIZER, ""),
    ("template", "missing template", _KEY, "MissingCompanionData F-VALID-COMPANION-001"),
    ("template", "generation prompt", _KEY, ""),
    ("template", "template text", _KEY, "SilentFallbackWrongResource"),
    ("layout", "transposed", _CONVERT, "F-CONV-EMBED-001 AlgorithmMismatch GH-177 GH-190"),
    ("layout", "Q/K permutation", _CONVERT, "AlgorithmMismatch F-PATH-ALGO-001"),
    ("layout", "rows permuted", _CONVERT, "AlgorithmMismatch"),
    ("layout", "columns permuted", _CONVERT, "AlgorithmMismatch"),
    ("layout", "swapped tensors", _CONVERT, "SharedStateCorruption"),
    ("layout", "layers swapped", _CONVERT, "SharedStateCorruption"),
    ("values", "scale", _CONVERT, "MissingPostTransformValidation"),
    ("values", "sign", _CONVERT, "MissingPostTransformValidation"),
    ("values", "(1+w) norms", _CONVERT, "MissingPostTransformValidation"),
    ("values", "offset", _CONVERT, "MissingPostTransformValidation"),
    ("values", "zeroed rows", _CONVERT, "F-CONV-WEIGHT-001"),
    ("values", "zeroed tensor", _CONVERT, "F-CONV-WEIGHT-001 GH-189 F-ROSETTA-STATS-005"),
    ("values", "duplicated rows", _CONVERT, ""),
    ("values", "corrupted block", _FILE, "F-CONV-WEIGHT-001"),
    ("values", "corrupted tensor", _FILE, "F-CONV-WEIGHT-001"),
    ("values", "unrelated values", _FILE, "SilentFallbackWrongResource"),
    ("hyper-parameters", "RoPE base", _KEY, ""),
    ("hyper-parameters", "RoPE scaling", _KEY, ""),
    ("hyper-parameters", "RoPE dimensions", _KEY, ""),
    ("hyper-parameters", "norm epsilon", _KEY, ""),
    ("hyper-parameters", "head count", _KEY, ""),
    ("hyper-parameters", "context length", _KEY, ""),
    ("hyper-parameters", "layer count", _CONVERT, ""),
    ("hyper-parameters", "tied head", _CONVERT, ""),
    ("hyper-parameters", "softcap", _KEY, ""),
    ("hyper-parameters", "sliding window", _KEY, ""),
    ("hyper-parameters", "configuration", _KEY, ""),
    ("quantisation", "quantisation noise", "choose a type with more bits", ""),
    ("quantisation", "mislabelled quantisation", _REQUANTISE, "GH-191 F-CONTRACT-I3-001"),
    ("quantisation", "over-quantised tensor", _REQUANTISE, ""),
    ("fine-tuning", "wrong merge", _MERGE, ""),
    ("engine", "engine", "run the same file in another build of the engine", "AlgorithmMismatch"),
)  # fmt: skip
CAUSES = tuple(
    Cause(name=name, kind=kind, advice=advice, known_as=tuple(known.split()))
    for kind, name, advice, known in _KNOWN
)
BY_NAME = {cause.name: cause for cause in CAUSES}


def suspects(signs: Iterable[Sign]) -> list[Suspect]:
    """Causes by confidence: 1 minus the chance that none of their signs is right.

    Signs of one cause at the same place are one: only the heaviest counts. Of equal confidence, the
    cause that comes first in the house of a model (bytes, tokenizer, template, tensors) leads.
    """
    by_cause: dict[str, list[Sign]] = {}
    for sign in signs:
        by_cause.setdefault(sign.cause, []).append(sign)
    found = [_suspect(BY_NAME[name], of_it) for name, of_it in by_cause.items()]
    order = {cause.name: i for i, cause in enumerate(CAUSES)}
    return sorted(found, key=lambda s: (-round(s.confidence, 2), order[s.cause.name]))


def _suspect(cause: Cause, signs: Sequence[Sign]) -> Suspect:
    heaviest: dict[str, float] = {}
    for sign in signs:
        heaviest[sign.place] = max(heaviest.get(sign.place, 0.0), sign.weight)
    return Suspect(
        cause=cause,
        confidence=1 - prod(1 - weight for weight in heaviest.values()),
        places=tuple(place for place in heaviest if place),
        evidence=tuple(dict.fromkeys(sign.evidence for sign in signs)),
    )
