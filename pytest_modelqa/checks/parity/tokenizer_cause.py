"""Why two tokenizers differ: a class, decided from what differs and what does not."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pytest_modelqa.core.comparison.tokens import (
    DecodedDiffers,
    Encoded,
    Kind,
    PieceDiffers,
    TextDiffers,
    VocabulariesCompared,
)

TokenizerClass = Literal[
    "pre-tokenizer",
    "merges",
    "missing BOS",
    "double BOS",
    "prefix space",
    "special handling",
    "normalisation",
    "vocabulary",
    "byte fallback",
]
"""`double BOS` is any BOS more than the reference puts."""

_WIDE = 0.5
"""Share of the numbers that differ from which on the rule of cutting is another: a merge concerns
the few numbers that hold its piece."""
_MANY = 0.05
"""Share of pieces that differ from which on merges are wrong, whatever becomes of numbers: a rule
of cutting that also says whether whole pieces are looked up first concerns about one in a hundred.
"""
_LEAST = 4
"""Fewer texts of a group that differ are no share to speak of."""
_ALIKE: Mapping[Kind, str] = {
    "normal": "text",
    "byte": "text",
    "user": "added",
    "control": "control",
    "unknown": "control",
    "unused": "unused",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerEvidence:
    """What was found to differ. `plain` without, `special` with control texts parsed.

    `groups` gives, by group of probes and for `pieces`, how many were asked and how many differ,
    without special parsing. `smallest` is the smallest text that differs, where one was found.
    """

    vocabulary: VocabulariesCompared
    groups: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    plain: Sequence[TextDiffers] = ()
    special: Sequence[TextDiffers] = ()
    begun: Sequence[TextDiffers] = ()
    decoded: Sequence[DecodedDiffers] = ()
    smallest: TextDiffers | None = None


def classify(evidence: TokenizerEvidence) -> TokenizerClass | None:
    """The likely class, or None where nothing differs. What explains most is asked first."""
    seen = evidence.vocabulary
    if (stored := _of_vocabulary(seen)) is not None:
        return stored
    if evidence.plain:
        shown = evidence.smallest or min(evidence.plain, key=lambda d: len(d.text))
        return _of_ids(shown) or _of_cuts(shown, seen, evidence.groups)
    if evidence.special or evidence.begun or seen.candidate.plain_eos != seen.reference.plain_eos:
        return "special handling"
    return _of_decoding(evidence.decoded[0]) if evidence.decoded else None


def _of_vocabulary(seen: VocabulariesCompared) -> TokenizerClass | None:
    """What differs before any text is looked at."""
    difference = bos_difference(seen)
    found: tuple[tuple[object, TokenizerClass], ...] = (
        (seen.pieces_differing or seen.lacking or seen.surplus, "vocabulary"),
        (special_ids(seen) or special_kinds(seen), "special handling"),
        (difference > 0, "double BOS"),
        (difference < 0, "missing BOS"),
        (stop_ids(seen), "special handling"),
        (seen.merges_differing, "merges"),
    )
    return next((name for differs, name in found if differs), None)


def bos_difference(seen: VocabulariesCompared) -> int:
    """BOS that the candidate puts more than the reference before a text; else, where its template
    and its tokenizer both put one before a chat and the reference's do not, that one.
    """
    ours, theirs = seen.candidate, seen.reference
    if ours.plain_bos != theirs.plain_bos:
        return ours.plain_bos - theirs.plain_bos
    return max(0, ours.chat_begun - max(1, theirs.chat_begun))


def special_ids(seen: VocabulariesCompared) -> tuple[str, ...]:
    """BOS and EOS that are not the reference's, in words.

    A BOS that the reference does not name matters only where it is put, which is counted apart;
    llama.cpp gives every vocabulary one. An EOS that the reference does not name ends nothing.
    """
    ours, theirs = seen.candidate, seen.reference
    pairs = (("BOS", ours.bos_id, theirs.bos_id), ("EOS", ours.eos_id, theirs.eos_id))
    return tuple(f"{name} is id {a}, not {b}" for name, a, b in pairs if b >= 0 and a != b)


def special_kinds(seen: VocabulariesCompared) -> tuple[PieceDiffers, ...]:
    """Ids that are text on one side and a special token on the other.

    That a word which was added is a control token is no difference: converters decide that by how
    it looks, and it is parsed by both.
    """
    return tuple(
        k
        for k in seen.kinds_shown
        if _ALIKE[k.candidate_kind] != _ALIKE[k.reference_kind]
        and "text" in (_ALIKE[k.candidate_kind], _ALIKE[k.reference_kind])
    )


def stop_ids(seen: VocabulariesCompared) -> tuple[PieceDiffers, ...]:
    """Ids that end a text on one side, where that changes texts.

    What the reference is meant to end at must end the candidate. llama.cpp also ends at every
    control token that looks like an end to it (of SmolLM2 at 0 and 4), on whichever side it is:
    that ends only what the model means to end.
    """
    return tuple(s for s in seen.stops if s.id in _meant(seen) or _is_text(seen, s))


def extra_stops(seen: VocabulariesCompared) -> tuple[PieceDiffers, ...]:
    """Control tokens at which one side ends and the other goes on: no defect, told."""
    wrong = stop_ids(seen)
    return tuple(s for s in seen.stops if s not in wrong)


def _meant(seen: VocabulariesCompared) -> set[int]:
    """The reference's own ends: of llama.cpp the EOS alone, the rest being its guess."""
    theirs = seen.reference
    return {theirs.eos_id} if theirs.engine == "llamacpp" else set(theirs.stop_ids)


def _is_text(seen: VocabulariesCompared, stop: PieceDiffers) -> bool:
    """Whether what ends one side is a word on the other, which it would cut off."""
    kind = stop.reference_kind if stop.id in seen.candidate.stop_ids else stop.candidate_kind
    return _ALIKE[kind] in ("text", "added")


def _of_ids(shown: TextDiffers) -> TokenizerClass | None:
    """What the ids of one text say, other than that it is cut elsewhere."""
    ours, theirs = shown.candidate, shown.reference
    longer = _length(ours) - _length(theirs)
    if ours.pieces == theirs.pieces:
        return "vocabulary"
    if _falls_back(ours.kinds) != _falls_back(theirs.kinds):
        return "byte fallback"
    if abs(longer) == 1 and _spaced(ours) - _spaced(theirs) == longer:
        return "prefix space"
    return "normalisation" if longer or ours.decoded != theirs.decoded else None


def _of_cuts(
    shown: TextDiffers, seen: VocabulariesCompared, groups: Mapping[str, tuple[int, int]]
) -> TokenizerClass:
    """A text is cut elsewhere. With equal merges it is the rule that cuts before merging."""
    if seen.merges:
        return "pre-tokenizer"
    if _share(groups, "numbers") >= _WIDE and _share(groups, "pieces") < _MANY:
        return "pre-tokenizer"
    return "merges" if _one_word(shown.text) else "pre-tokenizer"


def _length(side: Encoded) -> int:
    """Bytes of all pieces, where all are shown; else 0, so that nothing is said of it."""
    whole = not side.start and len(side.ids) == side.count
    return side.ends[-1] if whole and side.ends else 0


def _spaced(side: Encoded) -> int:
    return int(bool(side.pieces) and side.pieces[0].startswith(" "))


def _falls_back(kinds: Sequence[Kind]) -> bool:
    return "byte" in kinds or "unknown" in kinds


def _share(groups: Mapping[str, tuple[int, int]], name: str) -> float:
    asked, differing = groups.get(name, (0, 0))
    return differing / asked if differing >= _LEAST else 0.0


def _one_word(text: str) -> bool:
    """Whether no known pre-tokenizer cuts the text: letters behind up to one space, or a run.

    Digits are what they differ in most, so a text with two of them is none.
    """
    bare = text[1:] if text.startswith(" ") else text
    if bare and all(_sort(c) == "letter" for c in bare):
        return True
    sorts = {_sort(c) for c in text}
    return len(sorts) == 1 and sorts <= {"space", "newline", "sign"}


def _sort(character: str) -> str:
    """The classes that the regular expressions of pre-tokenizers know."""
    if character in "\r\n":
        return "newline"
    if character.isspace():
        return "space"
    if character in "'\u2019":
        return "apostrophe"
    first = unicodedata.category(character)[0]
    return {"L": "letter", "N": "digit", "M": "mark"}.get(first, "sign")


def _of_decoding(shown: DecodedDiffers) -> TokenizerClass:
    """The same ids become another text."""
    if shown.candidate.lstrip(" ") == shown.reference.lstrip(" "):
        return "prefix space"
    if "\ufffd" in shown.candidate or "\ufffd" in shown.reference:
        return "byte fallback"
    special = "<" in shown.reference and len(shown.candidate) < len(shown.reference)
    return "special handling" if special else "normalisation"
