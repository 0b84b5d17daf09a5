"""What comes back for a request: plain frozen values that survive JSON unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_modelqa.core.measuring import Measurement
from pytest_modelqa.core.stages import Traced

Cause = Literal["crashed", "timeout", "refused", "error", "unavailable"]
Finish = Literal["stop", "length", "context"]
Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One violation in a file: a stable code, the tensor or key, the byte offset (-1: none).

    A warning says what a person should know; it fails no gate.
    """

    code: str
    where: str
    message: str
    offset: int = -1
    severity: Severity = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What the bounded readers saw. `checked` counts the facts that were compared: 0 is no pass.

    `unsafe` marks findings that forbid handing the file to a native loader.
    """

    format: str
    architecture: str
    tensors: int
    parameters: int
    checked: int
    findings: tuple[Finding, ...]
    unsafe: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """An opened model. Ids are -1 where the model has none; `build` names the library versions.

    `n_ctx` is the context that was opened, `n_ctx_train` the one the model was trained for.
    """

    engine: str
    build: str
    architecture: str
    backend: str
    dtype: str
    threads: int
    n_vocab: int
    n_ctx: int
    n_ctx_train: int
    n_params: int
    bos_id: int
    eos_id: int
    pad_id: int
    stop_ids: tuple[int, ...]
    template_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIds:
    """Ids of a text, and the text that they decode to."""

    ids: tuple[int, ...]
    decoded: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A conversation as text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A completion. `ids` excludes the stop token; `text` decodes `ids` without special tokens.

    `finish`: ended by a stop token, by `max_tokens`, or by the end of the context.
    `nonfinite_steps` counts the steps whose logits held NaN or Inf; generation ends at the first.
    `special_ids` counts control tokens among `ids` (a PAD flood decodes to nothing).
    `text_sha256` is set in evidence alone, where it cut a long text: the hash of the whole.
    `peaks` are the logits of `ids`, in float32, before any temperature.
    `prompt_tokens` with `prefill_s` and `len(ids)` with `decode_s` give rates in tokens/s; in a
    batch these are the sequence's share of each step's seconds.
    """

    prompt_tokens: int
    ids: tuple[int, ...]
    text: str
    finish: Finish
    nonfinite_steps: int
    special_ids: int
    prefill_s: float
    decode_s: float
    peaks: tuple[float, ...] = ()
    text_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logits:
    """Logits of `positions` x `vocabulary` float32, kept in `file` (safetensors, tensor `logits`).

    `file` is relative to the evidence folder. `spread` is the smallest over positions of the
    standard deviation of the finite logits: 0 says that the model prefers nothing.
    `top1` is the argmax of each position (-1 where NaN leaves none).
    """

    file: str
    sha256: str
    positions: int
    vocabulary: int
    nonfinite: int
    spread: float
    top1: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedStep:
    """The likeliest ids of one step, best first, with their logits as decoded and as rescored."""

    ids: tuple[int, ...]
    logits: tuple[float, ...]
    rescored: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraced:
    """A generation of one sequence, step by step.

    `steps` has one entry more than `ids` where the model stopped: the step that chose a stop id.
    """

    ids: tuple[int, ...]
    finish: Finish
    stop_ids: tuple[int, ...]
    steps: tuple[TracedStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Base of what two models, side by side, were found to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """No answer, and why. `detail` carries the traceback or the last native log lines.

    crashed: the worker died; timeout: killed at its deadline; refused: the file or the engine
    said no; error: the engine raised on this request; unavailable: an extra or device is missing.
    """

    cause: Cause
    reason: str
    detail: str = ""
    remedy: str = ""


Answer = (
    Inspection
    | Description
    | TokenIds
    | Rendered
    | Generation
    | Logits
    | Retraced
    | Traced
    | Measurement
    | Compared
    | Failure
)
ANSWERS: tuple[type[Answer], ...] = (
    Inspection,
    Description,
    TokenIds,
    Rendered,
    Generation,
    Logits,
    Retraced,
    Traced,
    Measurement,
    Failure,
)
