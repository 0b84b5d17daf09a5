"""Answers of comparisons, made by hand: what differs is given, the rest agrees."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import Any

from pytest_modelqa.checks.parity.tokenizer_cause import TokenizerEvidence
from pytest_modelqa.core.comparison.tokens import (
    Encoded,
    Kind,
    PieceDiffers,
    TextDiffers,
    TokensCompared,
    VocabulariesCompared,
    Vocabulary,
)

_NORMAL: Kind = "normal"

SIDE = Vocabulary(
    engine="transformers",
    rows=100,
    tokens=100,
    bos_id=1,
    eos_id=2,
    pad_id=2,
    unk_id=-1,
    stop_ids=(2,),
    control=3,
    user=0,
    plain_bos=0,
    plain_eos=0,
    chat_bos=1,
    chat_begun=1,
)


def vocabularies(
    ours: dict[str, Any] | None = None, theirs: dict[str, Any] | None = None, **more: Any
) -> VocabulariesCompared:
    """Equal vocabularies, but for the fields that are given."""
    same: dict[str, Any] = {
        "pieces": 100,
        "pieces_differing": 0,
        "pieces_shown": (),
        "kinds_differing": 0,
        "kinds_shown": (),
        "lacking": 0,
        "surplus": 0,
        "stops": (),
        "merges": 0,
        "merges_differing": 0,
        "merges_shown": (),
    }
    return VocabulariesCompared(
        candidate=replace(SIDE, engine="llamacpp", **(ours or {})),
        reference=replace(SIDE, **(theirs or {})),
        **same | more,
    )


def encoded(*pieces: str, kinds: tuple[Kind, ...] = (), decoded: str | None = None) -> Encoded:
    """A whole text; the id of a piece is its hash, so that equal pieces have equal ids."""
    return Encoded(
        count=len(pieces),
        start=0,
        ids=tuple(sum(p.encode()) for p in pieces),
        pieces=pieces,
        kinds=kinds or tuple(_NORMAL for _ in pieces),
        ends=tuple(accumulate(len(p.encode()) for p in pieces)),
        decoded="".join(pieces) if decoded is None else decoded,
    )


def text_differs(text: str, ours: Encoded, theirs: Encoded) -> TextDiffers:
    """A text with both sides' pieces."""
    same = zip(ours.ids, theirs.ids, strict=False)
    at = next((i for i, (a, b) in enumerate(same) if a != b), min(ours.count, theirs.count))
    return TextDiffers(index=0, text=text, at=at, candidate=ours, reference=theirs)


def of_text(
    text: str, ours: Encoded, theirs: Encoded, **groups: tuple[int, int]
) -> TokenizerEvidence:
    """Evidence of one text that differs without special parsing."""
    shown = text_differs(text, ours, theirs)
    return TokenizerEvidence(
        vocabulary=vocabularies(), groups=groups, plain=(shown,), smallest=shown
    )


def piece(number: int, text: str, ours: Kind, theirs: Kind) -> PieceDiffers:
    """An id with the same text and these kinds."""
    return PieceDiffers(
        id=number, candidate=text, reference=text, candidate_kind=ours, reference_kind=theirs
    )


def tokens(*shown: TextDiffers, texts: int = 10, ids: int = 100, **more: Any) -> TokensCompared:
    """An answer in which these texts differ."""
    same: dict[str, Any] = {
        "differing": tuple(s.index for s in shown),
        "decoded": texts,
        "undecoded": (),
        "lossy": 0,
    }
    return TokensCompared(texts=texts, ids=ids, shown=shown, **same | more)
