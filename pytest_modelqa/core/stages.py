"""Hidden states of one model: the stages of a forward pass, and what is asked and told of them.

A stage is one value of the computation: a sub-block (`Block`) of a layer. Its values are float32,
(positions, width).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Block = Literal[
    "embedding",
    "attention_norm",
    "value",
    "heads",
    "attention",
    "attention_post_norm",
    "ffn_norm",
    "gate",
    "up",
    "inner",
    "ffn",
    "ffn_post_norm",
    "output",
    "final_norm",
    "logits",
]
"""In execution order within a layer. `embedding` is what the first layer reads.

`value`, `gate` and `up` are the outputs of those projections; `heads` is what attention's output
projection reads, all heads side by side, and `inner` what the feed-forward block's last projection
reads; `attention` and `ffn` are what they add to the residual stream, which is `output` after them.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Hidden states of one forward pass over a text, and the first greedy ids after it.

    With `chat` the text is a user's turn, put through the model's template. `steps` greedy ids
    are made.
    """

    text: str
    chat: bool = False
    steps: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStatistics:
    """One stage of one model, over all positions; NaN and Inf are counted and left out.

    `rms`, `mean` and `max_abs` are over all values; `typical` is the median over positions of the
    root mean square of one position, which a few huge activations do not move. `across` is the root
    mean square of what differs from the mean over positions, divided by `rms`: 0 says that every
    position has the same values. `within` is the least standard deviation over channels of one
    position, divided by `rms`: 0 says that one position is constant. Both are NaN where a value is
    not finite or all are 0.
    """

    block: Block
    layer: int
    positions: int
    width: int
    nonfinite: int
    rms: float
    typical: float
    mean: float
    max_abs: float
    across: float
    within: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """A model's stages in execution order, for `ids`.

    `top1` is the argmax of each position, -1 where NaN leaves none; `greedy` are the ids that
    follow, up to a stop id. `pad_id` is -1 where the model has none.
    """

    ids: tuple[int, ...]
    stages: tuple[StageStatistics, ...]
    top1: tuple[int, ...]
    greedy: tuple[int, ...]
    pad_id: int
