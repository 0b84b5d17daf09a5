"""The sizes of a decoder, named as in its config.json, and what they say about its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_modelqa.core.errors import UsageError
from training.memory.sizes import at_least_one, shown

FAMILIES = ("llama", "mistral", "qwen2", "qwen3", "gemma")
"""`model_type` of the decoders that are planned: RMSNorm, rotary positions, gated MLP."""

_REMEDY = "modelqa memory --list"
_SIZES = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
)  # fmt: skip
_SWITCHES = ("attention_bias", "mlp_bias", "tie_word_embeddings")
_ABSENT: dict[str, dict[str, Any]] = {
    "mistral": {"num_key_value_heads": 8},
    "qwen2": {"num_key_value_heads": 32},
    "qwen3": {"num_key_value_heads": 32, "head_dim": 128},
    "gemma": {"num_key_value_heads": 16, "head_dim": 256, "tie_word_embeddings": True},
}
"""What transformers 5 takes where config.json lacks a key; a key of null stays null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A linear projection of a layer: the weight has the shape (outputs, inputs)."""

    name: str
    inputs: int
    outputs: int
    bias: bool = False

    @property
    def weights(self) -> int:
        """The numbers in the weight, without the bias."""
        return self.inputs * self.outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The sizes of a decoder, named as in config.json.

    `num_key_value_heads` and `head_dim` of None mean what they mean there: as many as query heads,
    and `hidden_size` divided by the heads. `attention_bias` is that of the output projection too,
    but for qwen2, where query, key and value always have a bias and the output never has.

    Raises:
        UsageError: a size is not a whole number of at least 1 and at most 2**63 - 1; key heads do
            not divide the heads; heads do not divide the hidden size where no width is given; the
            width is odd (rotary positions turn pairs); the family is not one that is planned.
    """

    family: str = "llama"
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    tie_word_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise UsageError(
                f"model_type {shown(self.family)} is not planned; known: {', '.join(FAMILIES)}",
                remedy=_REMEDY,
            )
        for name in _SIZES:
            at_least_one(name, getattr(self, name))
        for name in ("num_key_value_heads", "head_dim"):
            if getattr(self, name) is not None:
                at_least_one(name, getattr(self, name))
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                said = f"{name} is {shown(getattr(self, name))}, not true or false"
                raise UsageError(said, remedy=_REMEDY)
        self._check_heads()

    def _check_heads(self) -> None:
        heads, key_heads = self.num_attention_heads, self.key_heads
        if self.head_dim is None and self.hidden_size % heads:
            raise UsageError(
                f"hidden_size {self.hidden_size} is no multiple of num_attention_heads {heads}",
                remedy="choose heads that divide the hidden size, or give head_dim",
            )
        if heads % key_heads:
            raise UsageError(
                f"num_attention_heads {heads} is no multiple of num_key_value_heads {key_heads}",
                remedy="choose key heads that divide the heads",
            )
        if self.width % 2:
            raise UsageError(
                f"a head has {self.width} dimensions: rotary positions need an even number",
                remedy="choose an even head_dim",
            )

    @property
    def key_heads(self) -> int:
        """The heads of keys and of values."""
        return self.num_key_value_heads or self.num_attention_heads

    @property
    def width(self) -> int:
        """The dimensions of a head."""
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def query_size(self) -> int:
        """The width of all query heads together."""
        return self.num_attention_heads * self.width

    @property
    def key_size(self) -> int:
        """The width of all key heads together."""
        return self.key_heads * self.width

    @property
    def matrices(self) -> tuple[Matrix, ...]:
        """The seven projections of one layer, in the order in which they run."""
        hidden, inner, query, key = (
            self.hidden_size, self.intermediate_size, self.query_size, self.key_size,
        )  # fmt: skip
        biased = self.attention_bias or self.family == "qwen2"
        after = self.attention_bias and self.family != "qwen2"
        return (
            Matrix(name="q_proj", inputs=hidden, outputs=query, bias=biased),
            Matrix(name="k_proj", inputs=hidden, outputs=key, bias=biased),
            Matrix(name="v_proj", inputs=hidden, outputs=key, bias=biased),
            Matrix(name="o_proj", inputs=query, outputs=hidden, bias=after),
            Matrix(name="gate_proj", inputs=hidden, outputs=inner, bias=self.mlp_bias),
            Matrix(name="up_proj", inputs=hidden, outputs=inner, bias=self.mlp_bias),
            Matrix(name="down_proj", inputs=inner, outputs=hidden, bias=self.mlp_bias),
        )

    @property
    def norms(self) -> tuple[int, ...]:
        """The sizes of the norms of one layer; qwen3 also normalises each query and key head."""
        heads = (self.width, self.width) if self.family == "qwen3" else ()
        return (self.hidden_size, self.hidden_size, *heads)

    @property
    def tables(self) -> int:
        """Tables of the vocabulary: the embedding and the head, one where they are tied."""
        return 1 if self.tie_word_embeddings else 2

    @property
    def matrix_weights(self) -> int:
        """The weights of all projections of all layers, without biases: what QLoRA quantises."""
        return self.num_hidden_layers * sum(m.weights for m in self.matrices)

    @property
    def other_weights(self) -> int:
        """Tables, norms and biases: what stays unquantised."""
        layer = sum(self.norms) + sum(m.outputs for m in self.matrices if m.bias)
        return (
            self.tables * self.vocab_size * self.hidden_size
            + self.num_hidden_layers * layer
            + self.hidden_size
        )

    @property
    def parameters(self) -> int:
        """All parameters; tied tables count once."""
        return self.matrix_weights + self.other_weights

    @property
    def tensors(self) -> int:
        """How many parameters there are, counting each tensor as one."""
        layer = len(self.matrices) + sum(m.bias for m in self.matrices) + len(self.norms)
        return self.tables + self.num_hidden_layers * layer + 1


def from_mapping(config: Mapping[str, Any], *, where: str = "") -> Architecture:
    """The architecture that a config.json describes; keys that say nothing of sizes are ignored.

    Raises:
        UsageError: a size is missing or wrong, with the key's name, or the family is not planned.
    """
    missing = [name for name in ("model_type", *_SIZES) if config.get(name) is None]
    if missing:
        raise UsageError(f"no {missing[0]}", where=where, remedy=_REMEDY)
    family = config["model_type"]
    absent = _ABSENT.get(family, {}) if isinstance(family, str) else {}
    given = {name: config[name] for name in (*_SIZES, *_SWITCHES) if config.get(name) is not None}
    given |= {k: config.get(k, absent.get(k)) for k in ("num_key_value_heads", "head_dim")}
    given.setdefault("tie_word_embeddings", absent.get("tie_word_embeddings", False))
    try:
        return Architecture(family=family, **given)
    except UsageError as error:
        raise UsageError(error.what, where=where, remedy=error.remedy) from error
