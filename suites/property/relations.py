"""Relations between the answers of a real model to related inputs, as distances in float64."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from peft import LoraConfig
from torch import Tensor
from transformers import DynamicCache

from suites.gradients.exact import Exact
from suites.models import Family, tiny
from suites.property.adapters import adapted

Ids = Sequence[int]


@cache
def model(family: Family, implementation: str = "eager") -> Any:
    """One model for all examples; nothing below changes it."""
    return tiny(family, dtype=torch.float64, attn_implementation=implementation)


def logits(held: Any, ids: Sequence[Ids], **more: Any) -> Tensor:
    """Logits of rows of equal length, shape (rows, tokens, vocabulary)."""
    with Exact(), torch.no_grad():
        out = held(input_ids=torch.tensor([list(row) for row in ids]), use_cache=False, **more)
    return torch.as_tensor(out.logits)


def apart(a: Tensor, b: Tensor) -> float:
    """The largest difference, relative to the largest value; NaN where there is nothing."""
    if a.shape != b.shape or not a.numel():
        return float("nan")
    return float((a - b).abs().max() / a.abs().max())


def later_token(
    family: Family, ids: Ids, at: int, other: int, *, causal: bool = True
) -> tuple[float, float]:
    """What another token at a place changes: in the logits before it, and from it on."""
    changed = [*ids[:at], other, *ids[at + 1 :]]
    open_mask = torch.zeros(1, 1, len(ids), len(ids), dtype=torch.float64)
    more = {} if causal else {"attention_mask": open_mask}
    one, two = (logits(model(family), [row], **more)[0] for row in (ids, changed))
    before = float((one[:at] - two[:at]).abs().max()) if at else 0.0
    return before, float((one[at:] - two[at:]).abs().max())


def padded(family: Family, ids: Ids, pads: int, *, side: str, masked: bool = True) -> float:
    """The distance that padding makes in the logits of the real tokens."""
    left, right = (pads, 0) if side == "left" else (0, pads)
    row = [0] * left + list(ids) + [0] * right
    real = torch.tensor([[0] * left + [1] * len(ids) + [0] * right])
    places = (torch.arange(len(row)) - left).clamp(min=0)[None]
    more = {"attention_mask": real if masked else torch.ones_like(real), "position_ids": places}
    found = logits(model(family), [row], **more)[0, left : left + len(ids)]
    return apart(logits(model(family), [ids])[0], found)


WIDE: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 704,
    "head_dim": 64,
    "attn_implementation": "sdpa",
}
"""Wide enough that a product is cut into pieces, and by the batch's size into others."""


def alone_and_together(rows: Sequence[Ids], kind: str | None = None) -> float:
    """The distance between each row alone and the rows in one batch.

    A `kind` makes it a wide model of that type, casts and all; otherwise it is the tiny one.
    """
    dtype: torch.dtype = getattr(torch, kind or "float64")
    held = tiny("llama", dtype=dtype, **WIDE) if kind else model("llama", "sdpa")
    tensor = torch.tensor([list(row) for row in rows])
    with torch.no_grad():
        together = held(input_ids=tensor, use_cache=False).logits
        alone = torch.cat([held(input_ids=row[None], use_cache=False).logits for row in tensor])
    return apart(alone, together)


def shuffled_rows(
    rows: Sequence[Ids], order: Sequence[int], claimed: Sequence[int] | None = None
) -> float:
    """The distance between a shuffled batch's logits and the shuffled logits.

    Another `claimed` order plants answers that went to the wrong rows.
    """
    held = model("llama")
    whole = logits(held, rows)
    return apart(whole[list(claimed or order)], logits(held, [rows[i] for i in order]))


def shuffled_tokens(length: int, order: Sequence[int], *, places: bool = False) -> float:
    """The distance between attention over shuffled tokens and the shuffled attention.

    Without a mask and with every token at place 0 attention knows no order; with `places` it does.
    """
    attention = model("llama").model.layers[0].self_attn
    rotary = model("llama").model.rotary_emb
    source = torch.Generator().manual_seed(length)
    x = torch.randn(1, length, 16, generator=source, dtype=torch.float64)
    at = torch.arange(length)[None] * (1 if places else 0)
    with Exact(), torch.no_grad():
        rotation = rotary(x, at)
        whole = attention(x, rotation, None)[0]
        mixed = attention(x[:, list(order)], rotation, None)[0]
    return apart(whole[:, list(order)], mixed)


def renamed_tokens(ids: Ids, order: Sequence[int], *, head: bool = True) -> float:
    """The distance when embedding and head rows are permuted and the ids renamed with them.

    Without the head it is a conversion that forgot one of two tables.
    """
    plain, renamed = model("llama"), tiny("llama", dtype=torch.float64)
    new_row = torch.tensor(list(order))  # old id -> new id
    with torch.no_grad():
        tables = [renamed.model.embed_tokens.weight, renamed.lm_head.weight]
        for table in tables if head else tables[:1]:
            table[new_row] = table.clone()
    found = logits(renamed, [[order[i] for i in ids]])[0]
    return apart(logits(plain, [ids])[0], found[:, new_row])


def in_pieces(family: Family, ids: Ids, cuts: Sequence[int]) -> float:
    """The distance between one forward and the same tokens through a cache, cut anywhere."""
    held = model(family)
    bounds = [0, *sorted({c for c in cuts if 0 < c < len(ids)}), len(ids)]
    cache_ = DynamicCache(config=held.config)
    row = torch.tensor([list(ids)])
    with Exact(), torch.no_grad():
        pieces = [
            held(input_ids=row[:, a:b], past_key_values=cache_, use_cache=True).logits
            for a, b in pairwise(bounds)
        ]
    return apart(logits(held, [ids]), torch.cat(pieces, 1))


def merged(ids: Ids, rank: int, alpha: int, seed: int, *, merge_scale: float = 1.0) -> float:
    """The distance between a model with its adapter and the model with the adapter merged.

    A `merge_scale` other than one plants a wrong merge.
    """
    settings = LoraConfig(
        r=rank, lora_alpha=alpha, target_modules=["q_proj", "v_proj", "down_proj"]
    )
    made = adapted(tiny("llama", dtype=torch.float64), settings).eval()
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "lora_" in name:
                noise = torch.randn(weight.shape, generator=source, dtype=torch.float64)
                weight.copy_(0.3 * noise)
        made.to(torch.float64)
        one = logits(made, [ids])
        for name, weight in made.named_parameters():
            if "lora_B" in name:
                weight.mul_(merge_scale)
    return apart(one, logits(made.merge_and_unload(), [ids]))
