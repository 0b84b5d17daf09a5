"""All defects, by class; `modelqa mutate --defects` selects from them."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from pytest_modelqa.artifacts.defects import (
    fine_tuning,
    hyper,
    integrity,
    layout,
    quantisation,
    templates,
    tokenizers,
    values,
)
from pytest_modelqa.artifacts.defects.defect import Defect, DefectClass
from pytest_modelqa.core.errors import UsageError

_MODULES = (integrity, tokenizers, templates, layout, values, hyper, quantisation, fine_tuning)
_CLASS = "class:"

DEFECTS: tuple[Defect, ...] = tuple(d for module in _MODULES for d in module.DEFECTS)


def selected(words: Sequence[str], defects: Sequence[Defect] = DEFECTS) -> tuple[Defect, ...]:
    """Defects by name and by `class:NAME`, in the catalogue's order; all where none is asked for.

    Raises UsageError with the nearest name.
    """
    wanted = {name for word in words for name in _meant(word.strip(), defects)}
    return tuple(d for d in defects if d.name in wanted or not words)


def _meant(word: str, defects: Sequence[Defect]) -> set[str]:
    if word.startswith(_CLASS):
        known = [f"{_CLASS}{c}" for c in DefectClass]
        found = {d.name for d in defects if d.category == word.removeprefix(_CLASS)}
    else:
        known = [d.name for d in defects]
        found = {word} & set(known)
    if not found:
        near = get_close_matches(word, known, 1, 0)
        raise UsageError(
            f"there is no defect {word!r}",
            remedy=f"did you mean {near[0]}? one of: {', '.join(known)}",
        )
    return found
