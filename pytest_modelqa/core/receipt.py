"""A receipt: what two artifacts were compared by, and what came out, bound to their bytes.

It holds every request and answer of the parity checks as they were given, so that whoever has it
can judge them again, and whoever has the artifacts can measure them again. Nobody signs it: its own
hash finds an edit, its arithmetic finds an edit that made the hash anew, and a new measurement
finds numbers that were never measured.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Literal

from pytest_modelqa.core.ids import canonical, digest
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.verdict import Verdict
from pytest_modelqa.core.wire import decode, encode

FORMAT = "modelqa-receipt"
VERSION = 1
"""Raised when a reader of the last version would misread a receipt."""

Sameness = Literal["same", "differs", "broken", "undecided"]
"""All corroborated; one falsified; none, but one crashed or ran out of time; the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedFile:
    """A file of an artifact; `name` is relative to the artifact's folder."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedArtifact:
    """One side of a comparison.

    `quantization` is what the file's own header says. `tokenizer_sha256` and `template_sha256` hash
    what tokenizes and what renders conversations, and are empty where the artifact has none.
    `source` is where it came from; `parent_sha256` is set where it was derived from another one.
    """

    key: str
    format: str
    quantization: str
    source: str
    sha256: str
    bytes: int
    pinned: bool
    files: tuple[HashedFile, ...]
    tokenizer_sha256: str
    template_sha256: str
    parent_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedEngine:
    """What answered for one side: versions and native libraries, and the settings that decide."""

    name: str
    build: str
    backend: str
    dtype: str
    n_ctx: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request and its answer, as `core.wire` writes them.

    `key` is that of the evidence: the hash of the request, both artifacts' hashes and `engine`.
    """

    key: str
    engine: dict[str, Any]
    request: dict[str, Any]
    answer: dict[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReceipt:
    """One check: `parameters` are its fields, its thresholds among them, as `core.wire` writes.

    `evidence` holds the keys of the exchanges that were judged.
    """

    case: str
    name: str
    gate: str
    parameters: dict[str, Any]
    verdict: Verdict
    seconds: float
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMetrics:
    """Logits on one text: what its positions come to. `prompt` is empty where ids were given.

    KL divergences are in nats, of the candidate from the reference, `kl_p99` the least value that
    99 % of positions do not exceed. `top1` is the share of positions with an equal argmax,
    `cosine_min` of centred logits. All are NaN where a position holds NaN, or there is none.
    """

    prompt: str
    chat: bool
    ids: tuple[int, ...]
    positions: int
    kl_mean: float
    kl_p99: float
    kl_max: float
    top1: float
    cosine_min: float
    nonfinite: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GreedyMetrics:
    """Both continuations of one text; `parted_at` is the step of the first other id, else -1."""

    prompt: str
    chat: bool
    equal_steps: int
    parted_at: int
    candidate_ids: tuple[int, ...]
    reference_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationCount:
    """How many tensors stand in one relation to the reference's; the largest error among them.

    `worst` names that tensor; the error is NaN where none could be computed.
    """

    relation: str
    tensors: int
    error_max: float
    worst: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerError:
    """The relative error of one stage of the hidden states, and the reference's own noise."""

    block: str
    layer: int
    error: float
    noise: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the exchanges come to. Means over positions are NaN where no logits were compared."""

    positions: int
    kl_mean: float
    kl_max: float
    top1: float
    prompts: tuple[PromptMetrics, ...]
    greedy: tuple[GreedyMetrics, ...]
    tensors: tuple[RelationCount, ...]
    layers: tuple[LayerError, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """What all checks come to; `failed` counts those that crashed or ran out of time, too.

    `diagnosis` is the cause that was named, or empty.
    """

    sameness: Sameness
    corroborated: int
    failed: int
    undecided: int
    diagnosis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Everything that a parity verdict rests on. `created` is ISO 8601 in UTC.

    `commit` names the state of the tool's own source tree, where it runs from one.
    """

    created: str
    model: str
    cell: Cell
    candidate: ReceivedArtifact
    reference: ReceivedArtifact
    engine: ReceivedEngine
    reference_engine: ReceivedEngine
    versions: dict[str, str]
    machine: dict[str, str]
    commit: str
    playbook: str
    playbook_sha256: str
    exchanges: tuple[Exchange, ...]
    checks: tuple[CheckReceipt, ...]
    summary: Summary
    overall: Overall
    sha256: str = ""


def sealed(receipt: Receipt) -> Receipt:
    """The receipt with the hash of everything else in it."""
    return replace(receipt, sha256=own_hash(encode(receipt)))


def own_hash(body: dict[str, Any]) -> str:
    """SHA-256 of a receipt's canonical JSON without its own hash. Raises ValueError on NaN."""
    return digest(canonical({k: v for k, v in body.items() if k != "sha256"}))


def to_json(receipt: Receipt) -> str:
    """The document in ASCII: a field a line, and in the lists of it a member a line."""
    body = encode(receipt)
    lines = (f"{json.dumps(name)}: {_member(value)}" for name, value in body.items())
    head = f'{{\n"format": "{FORMAT}",\n"version": {VERSION},\n"receipt": {{\n'
    return head + ",\n".join(lines) + "\n}\n}\n"


def _member(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return json.dumps(value, allow_nan=False)
    return "[\n" + ",\n".join(json.dumps(v, allow_nan=False) for v in value) + "\n]"


def of_json(document: dict[str, Any]) -> Receipt:
    """The inverse, of a document that its schema admits. Raises ValueError."""
    return decode(Receipt, document["receipt"])
