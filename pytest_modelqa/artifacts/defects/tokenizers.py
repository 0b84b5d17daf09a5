"""Text that becomes other ids than it was trained with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_modelqa.artifacts.defects.defect import Change, Defect, DefectClass, Inapplicable
from pytest_modelqa.artifacts.defects.subject import Subject

_TOKENS = "tokenizer.ggml.tokens"
_MERGES = "tokenizer.ggml.merges"
_TYPES = "tokenizer.ggml.token_type"
_NORMAL, _CONTROL = 1, 3
_LEADING_MERGES = 200


def _defect(
    name: str,
    what: str,
    change: Callable[[Subject], Change | Inapplicable],
    *causes: str,
) -> Defect:
    return Defect(
        name=name,
        category=DefectClass.TOKENIZER,
        what=what,
        causes=causes,
        caught_by="tokenizer parity",
        change=change,
    )


def _of(key: str, edit: Callable[[Subject, list[Any]], None]) -> Callable[[Subject], Any]:
    """A list in the metadata, changed in place."""

    def change(subject: Subject) -> Change | Inapplicable:
        if key not in subject.metadata:
            return Inapplicable(f"there is no {key}")
        values = list(subject.metadata[key])
        edit(subject, values)
        if values == list(subject.metadata[key]):
            return Inapplicable(f"{key} has nothing to change")
        return Change(place=key, metadata={key: values})

    return change


def _reverse_merges(_: Subject, merges: list[Any]) -> None:
    merges[:_LEADING_MERGES] = merges[:_LEADING_MERGES][::-1]


def _halve_merges(_: Subject, merges: list[Any]) -> None:
    del merges[len(merges) // 2 :]


def _swap_entries(_: Subject, tokens: list[Any]) -> None:
    """Two words that English text cannot do without: the first that are whole words here."""
    common = [i for w in ("Ġthe", "Ġis", "Ġof", "Ġto", "▁the", "▁is") for i in _where(tokens, w)]
    first, second = common[:2] if len(common) > 1 else (len(tokens) // 3, len(tokens) // 2)
    tokens[first], tokens[second] = tokens[second], tokens[first]


def _where(tokens: list[Any], text: str) -> list[int]:
    return [tokens.index(text)] if text in tokens else []


def _shift_entries(subject: Subject, tokens: list[Any]) -> None:
    """All ordinary tokens one id further, as when a special token was left out before them."""
    start = len(_controls(subject))
    tokens[start:] = tokens[-1:] + tokens[start:-1]


def _controls(subject: Subject) -> list[int]:
    kinds = subject.metadata.get(_TYPES, ())
    return [i for i, kind in enumerate(kinds) if kind == _CONTROL]


def _drop_control(subject: Subject, tokens: list[Any]) -> None:
    """The end of a turn is no longer in the vocabulary."""
    for i in _controls(subject)[-1:]:
        end = subject.metadata.get("tokenizer.ggml.eos_token_id", i)
        tokens[end] = f"[UNUSED{end}]"


def _controls_as_text(subject: Subject, kinds: list[Any]) -> None:
    for i in _controls(subject):
        kinds[i] = _NORMAL


def _pre(subject: Subject) -> Change | Inapplicable:
    key = "tokenizer.ggml.pre"
    before = subject.metadata.get(key)
    if not before:
        return Inapplicable(f"there is no {key}")
    return Change(place=key, metadata={key: "gpt-2" if before != "gpt-2" else "llama-bpe"})


def _added(mark: str) -> Callable[[Subject], Change | Inapplicable]:
    """BOS or EOS is put where it was not, or left out where it was."""
    key = f"tokenizer.ggml.add_{mark}_token"

    def change(subject: Subject) -> Change | Inapplicable:
        if f"tokenizer.ggml.{mark}_token_id" not in subject.metadata:
            return Inapplicable(f"there is no {mark} token")
        return Change(place=key, metadata={key: not subject.metadata.get(key, False)})

    return change


def _other_end(subject: Subject) -> Change | Inapplicable:
    key = "tokenizer.ggml.eos_token_id"
    if key not in subject.metadata:
        return Inapplicable(f"there is no {key}")
    others = [i for i in _controls(subject) if i != subject.metadata[key]]
    return Change(place=key, metadata={key: others[0] if others else 0})


DEFECTS = (
    _defect("reversed-merges", "The first 200 merges are in reverse order.",
            _of(_MERGES, _reverse_merges), "merges"),
    _defect("half-the-merges", "The second half of the merges is missing.",
            _of(_MERGES, _halve_merges), "merges"),
    _defect("swapped-entries", "Two common words have each other's ids.",
            _of(_TOKENS, _swap_entries), "vocabulary"),
    _defect("shifted-vocabulary", "Every ordinary token is one id further.",
            _of(_TOKENS, _shift_entries), "vocabulary"),
    _defect("dropped-added-token", "The token that ends a turn has another text.",
            _of(_TOKENS, _drop_control), "special tokens",
            "vocabulary"),
    _defect("special-as-text", "Control tokens are declared ordinary text.",
            _of(_TYPES, _controls_as_text), "special tokens"),
    _defect("other-pre-tokenizer", "Text is cut by another family's rule before merging.", _pre,
            "pre-tokenizer"),
    _defect("flipped-bos", "BOS is added where the model has none, or the reverse.",
            _added("bos"), "double BOS", "missing BOS"),
    _defect("flipped-eos", "EOS is put behind every prompt, or the reverse.", _added("eos"),
            "added EOS"),
    _defect("wrong-eos-id", "Another token is said to end a text.", _other_end,
            "end of text"),
)  # fmt: skip
