"""The planner of `training.memory` over arrays: its own code, many configurations at a time.

The planner is arithmetic on whole numbers. These subclasses put arrays where it expects numbers and
leave out the constructors' checks, which are tried one configuration at a time elsewhere.
"""

from __future__ import annotations

from typing import Any

from training.memory.approach import Approach
from training.memory.architecture import Architecture


class ManyArchitectures(Architecture):
    """Architectures of one family with sizes in arrays; widths and key heads are always given."""

    __slots__ = ()

    @property
    def key_heads(self) -> Any:
        """The heads of keys, one for each configuration."""
        return self.num_key_value_heads

    @property
    def width(self) -> Any:
        """The dimensions of a head, one for each configuration."""
        return self.head_dim


class ManyApproaches(Approach):
    """Approaches that differ in rank, batch and tokens alone."""

    __slots__ = ()


def architectures(**fields: Any) -> ManyArchitectures:
    """Architectures with these fields, each a number or an array."""
    made = object.__new__(ManyArchitectures)
    given = {"family": "llama", "tie_word_embeddings": False, "attention_bias": False,
             "mlp_bias": False, **fields}  # fmt: skip
    for name, value in given.items():
        object.__setattr__(made, name, value)
    return made


def approaches(approach: Approach, **arrays: Any) -> ManyApproaches:
    """The approach with arrays in the place of some of its numbers."""
    made = object.__new__(ManyApproaches)
    for name in Approach.__dataclass_fields__:
        object.__setattr__(made, name, arrays.get(name, getattr(approach, name)))
    return made
