"""What a case may ask of an engine: frozen values, answered in batches, hashed for evidence.

Token ids are 0-based vocabulary indices. Nothing here says how an engine answers.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_modelqa.core.measuring import Measure
from pytest_modelqa.core.stages import Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspect:
    """Read the file with our own bounded readers; no engine is opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe:
    """Open the model and tell its sizes, special ids, template and engine build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenize:
    """Text to ids, without BOS; with `special`, texts such as `<|im_start|>` become one id."""

    text: str
    special: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderChat:
    """Render a conversation with the model's own template."""

    messages: tuple[Message, ...]
    add_generation_prompt: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """Continue a raw `prompt`, or answer `messages` through the template: exactly one of the two.

    Temperature 0 is greedy. `seed` matters only above it. Generation also ends where the text holds
    one of `stop`, which is part of what comes back.
    """

    prompt: str | None = None
    messages: tuple[Message, ...] = ()
    max_tokens: int = 32
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.prompt is None) == (not self.messages):
            raise ValueError("Generate takes either a prompt or messages")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLogits:
    """Logits of every position: float32, shape (positions, n_vocab).

    Of `ids` as they are, or of a `text` that the engine tokenizes as it would a raw prompt.
    """

    ids: tuple[int, ...] = ()
    text: str = ""

    def __post_init__(self) -> None:
        if bool(self.ids) == bool(self.text):
            raise ValueError("ScoreLogits takes either ids or a text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrace:
    """Repeat a greedy generation one id at a time, keep the `top` logits of each step, and compute
    them again in one pass over the finished text: what differs is the engine's own noise.
    """

    generation: Generate
    top: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Base of what is asked of two models together, the cell's and its reference's."""


Request = (
    Inspect
    | Describe
    | Tokenize
    | RenderChat
    | Generate
    | ScoreLogits
    | Retrace
    | Trace
    | Measure
    | Comparison
)
REQUESTS: tuple[type[Request], ...] = (
    Inspect,
    Describe,
    Tokenize,
    RenderChat,
    Generate,
    ScoreLogits,
    Retrace,
    Trace,
    Measure,
)
