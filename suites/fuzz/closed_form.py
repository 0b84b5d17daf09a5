"""What a decoder's numbers must be, written down independently of the planner.

Every formula takes whole numbers or arrays of them. Sources: `suites.reference`, and for NF4 the
QLoRA paper (Dettmers et al. 2023, sections 3 and 4).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from suites import reference

INPUTS = {
    "q_proj": "hidden", "k_proj": "hidden", "v_proj": "hidden", "o_proj": "query",
    "gate_proj": "hidden", "up_proj": "hidden", "down_proj": "inner",
}  # fmt: skip
OUTPUTS = {
    "q_proj": "query", "k_proj": "key", "v_proj": "key", "o_proj": "hidden",
    "gate_proj": "inner", "up_proj": "inner", "down_proj": "hidden",
}  # fmt: skip


class Decoder(NamedTuple):
    """Sizes, each a number or an array, and what is the same for all of them."""

    vocabulary: Any
    layers: Any
    hidden: Any
    inner: Any
    heads: Any
    key_heads: Any
    width: Any
    family: str
    tied: bool
    attention_bias: bool
    mlp_bias: bool

    @property
    def query(self) -> Any:
        """All query heads together."""
        return self.heads * self.width

    @property
    def key(self) -> Any:
        """All key heads together."""
        return self.key_heads * self.width

    def ends(self, projection: str) -> tuple[Any, Any]:
        """Inputs and outputs of a projection."""
        return getattr(self, INPUTS[projection]), getattr(self, OUTPUTS[projection])


def matrices(d: Decoder) -> Any:
    """The weights of all projections."""
    attention = reference.attention_parameters(
        hidden=d.hidden, heads=d.heads, key_heads=d.key_heads, width=d.width
    )
    return d.layers * (attention + reference.mlp_parameters(hidden=d.hidden, inner=d.inner))


def parameters(d: Decoder) -> Any:
    """All parameters: tables, projections with their biases, norms."""
    tables = (1 if d.tied else 2) * d.vocabulary * d.hidden
    biases: Any = 0
    if d.attention_bias or d.family == "qwen2":
        biases = biases + d.query + 2 * d.key
    if d.attention_bias and d.family != "qwen2":
        biases = biases + d.hidden
    if d.mlp_bias:
        biases = biases + 2 * d.inner + d.hidden
    norms = 2 * d.hidden + (2 * d.width if d.family == "qwen3" else 0)
    return tables + matrices(d) + d.layers * (biases + norms) + d.hidden


def adapters(d: Decoder, rank: Any, targets: tuple[str, ...]) -> Any:
    """LoRA: A has rank times inputs, B outputs times rank (Hu et al. 2021, section 4.1)."""
    total: Any = 0
    for target in targets:
        inputs, outputs = d.ends(target)
        total = total + rank * inputs + outputs * rank
    return d.layers * total


def nf4_codes(d: Decoder) -> Any:
    """Half a byte a weight, each matrix rounded up to whole bytes."""
    total: Any = 0
    for projection in INPUTS:
        inputs, outputs = d.ends(projection)
        total = total + (inputs * outputs + 1) // 2
    return d.layers * total


def nf4_scales(d: Decoder, *, double: bool) -> Any:
    """A scale for 64 weights: 4 bytes, or 1 and 4 for 256 of them and 4 for their mean."""
    total: Any = 0
    for projection in INPUTS:
        inputs, outputs = d.ends(projection)
        blocks = (inputs * outputs + 63) // 64
        total = total + (blocks + (blocks + 255) // 256 * 4 + 4 if double else 4 * blocks)
    return d.layers * total
