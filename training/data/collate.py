"""Rows to a batch of tensors: padded to its longest row, or always to the maximum, or packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

from pytest_modelqa.core.errors import UsageError
from training.config.values import DataSection, Padding
from training.data.encode import IGNORED


@dataclass(frozen=True, slots=True, kw_only=True)
class Collator:
    """Makes a batch: `input_ids`, `labels` (B, T, int64) and `attention_mask`.

    Padding stands right, masked and without labels. The mask is (B, T, int64); when packing, it is
    (B, 1, T, T, bool), true where a token sees an earlier one of its own sample, and
    `position_ids` begin at 0 with each sample.
    """

    pad_id: int
    padding: Padding
    max_length: int
    multiple: int = 1

    def __call__(self, features: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Rows of `Examples` to one batch."""
        import torch  # noqa: PLC0415 - never at start-up

        arrays = self.arrays([f["input_ids"] for f in features], features)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def arrays(
        self, ids: Sequence[Sequence[int]], features: Sequence[Mapping[str, Any]]
    ) -> dict[str, NDArray[Any]]:
        """The batch as numpy arrays."""
        width = self.width([len(row) for row in ids])
        segments = _filled([f["attention_mask"] for f in features], width, 0)
        batch: dict[str, NDArray[Any]] = {
            "input_ids": _filled(ids, width, self.pad_id),
            "labels": _filled([f["labels"] for f in features], width, IGNORED),
        }
        if self.padding == "packing":
            batch["attention_mask"] = _own_and_earlier(segments)
            batch["position_ids"] = _positions(segments)
        else:
            batch["attention_mask"] = (segments > 0).astype(np.int64)
        return batch

    def width(self, lengths: Sequence[int]) -> int:
        """Tokens of a row of the batch, padding included."""
        if self.padding == "max_length":
            return self.max_length
        return -(-max(lengths) // self.multiple) * self.multiple


def collator(tokenizer: Any, section: DataSection) -> Collator:
    """The collator that a configuration asks for. Raises UsageError where nothing can pad."""
    return Collator(
        pad_id=pad_id(tokenizer),
        padding=section.padding,
        max_length=section.max_length,
        multiple=section.pad_to_multiple_of,
    )


def pad_id(tokenizer: Any) -> int:
    """The id of the padding: the tokenizer's, else that of the end of text.

    Either will do: padding is known by its place, never by its id, so that a real end of text is
    still learned. Raises UsageError where the tokenizer has neither.
    """
    for found in (tokenizer.pad_token_id, tokenizer.eos_token_id):
        if found is not None:
            return int(found)
    raise UsageError(
        "the tokenizer has neither a padding token nor an end of text",
        where=str(getattr(tokenizer, "name_or_path", "")),
        remedy="name one as `pad_token` in tokenizer_config.json",
    )


def _filled(rows: Sequence[Sequence[int]], width: int, value: int) -> NDArray[np.int64]:
    made = np.full((len(rows), width), value, dtype=np.int64)
    for at, row in enumerate(rows):
        made[at, : len(row)] = row
    return made


def _own_and_earlier(segments: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(B, T) segment numbers to a (B, 1, T, T) mask; padding (0) sees padding alone, never NaN."""
    same = segments[:, :, None] == segments[:, None, :]
    mask: NDArray[np.bool_] = np.tril(same)[:, None]
    return mask


def _positions(segments: NDArray[np.int64]) -> NDArray[np.int64]:
    """How far each token is from the first of its segment."""
    place = np.arange(segments.shape[1], dtype=np.int64)[None, :]
    begins = np.ones_like(segments, dtype=bool)
    begins[:, 1:] = segments[:, 1:] != segments[:, :-1]
    first = np.maximum.accumulate(np.where(begins, place, 0), axis=1)
    return place - first
