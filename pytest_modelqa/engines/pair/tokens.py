"""Tokenizers of two models: ids, pieces, special ids."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, zip_longest

from pytest_modelqa.core.comparison.tokens import (
    ComparePieces,
    CompareTokens,
    CompareVocabularies,
    DecodedDiffers,
    Encoded,
    Kind,
    MergeDiffers,
    PieceDiffers,
    TextDiffers,
    TokensCompared,
    VocabulariesCompared,
    Vocabulary,
)
from pytest_modelqa.core.errors import Refused
from pytest_modelqa.core.request import Message
from pytest_modelqa.engines.answering import Model
from pytest_modelqa.engines.pair.base import Comparers, Pair
from pytest_modelqa.engines.template import render
from pytest_modelqa.engines.vocabulary import Entries

SHOWN = 24
"""Of what differs, at most so many are told in full; all of it is counted."""
_BEFORE, _AFTER = 8, 16
"""Ids shown around the first that differs."""
_PLAIN = "The sea is blue"
_CHAT = (Message(role="user", content="hello"),)
_TEXTS: frozenset[Kind] = frozenset(("normal", "user"))


def compare_tokens(pair: Pair, request: CompareTokens) -> TokensCompared:
    """The ids of every text, and what both sides decode the reference's ids to."""
    how = {"begin": request.begin, "special": request.special}
    ours = pair.candidate.tokenize_all(request.texts, **how)
    theirs = pair.reference.tokenize_all(request.texts, **how)
    decoded = [
        DecodedDiffers(
            index=index,
            text=text,
            candidate=_decoded(pair.candidate, ids),
            reference=_decoded(pair.reference, ids),
        )
        for index, (text, ids) in enumerate(zip(request.texts, theirs, strict=True))
    ]
    differing = _differing(ours, theirs)
    return TokensCompared(
        texts=len(request.texts),
        ids=sum(map(len, theirs)),
        differing=tuple(differing),
        shown=_shown(pair, request.texts, differing, (ours, theirs)),
        decoded=len(decoded),
        undecoded=tuple(d for d in decoded if d.candidate != d.reference),
        lossy=sum(d.reference != d.text for d in decoded),
    )


def compare_pieces(pair: Pair, _request: ComparePieces) -> TokensCompared:
    """The reference's own pieces, each as a text; nothing is decoded: pieces are compared."""
    entries = pair.reference.entries
    texts = [_text(p, k) for p, k in zip(entries.pieces, entries.kinds, strict=True)]
    known = [i for i, text in enumerate(texts) if text]
    asked = [texts[i] for i in known]
    ours = pair.candidate.tokenize_all(asked, begin=False, special=False)
    theirs = pair.reference.tokenize_all(asked, begin=False, special=False)
    differing = _differing(ours, theirs)
    return TokensCompared(
        texts=len(asked),
        ids=sum(map(len, theirs)),
        differing=tuple(known[i] for i in differing),
        shown=_shown(pair, asked, differing, (ours, theirs)),
        decoded=0,
        undecoded=(),
        lossy=0,
    )


def compare_vocabularies(pair: Pair, _request: CompareVocabularies) -> VocabulariesCompared:
    """Every id, and how both begin and end texts."""
    rows = _rows(pair.candidate.entries, pair.reference.entries)
    alone = [r for r in rows if _one_sided(r)]
    both = [r for r in rows if not _one_sided(r) and not _nobodys(r)]
    unlike = [r for r in both if r.candidate != r.reference]
    others = sorted((r for r in both if r.candidate_kind != r.reference_kind), key=_both_special)
    merges = _merges(pair.candidate.entries.merges, pair.reference.entries.merges)
    stops = set(pair.candidate.stop_ids) ^ set(pair.reference.stop_ids)
    return VocabulariesCompared(
        candidate=_vocabulary(pair.candidate),
        reference=_vocabulary(pair.reference),
        pieces=len(both),
        pieces_differing=len(unlike),
        pieces_shown=tuple(unlike[:SHOWN]),
        kinds_differing=len(others),
        kinds_shown=tuple(others[:SHOWN]),
        lacking=sum(r.candidate_kind == "unused" for r in alone),
        surplus=sum(r.reference_kind == "unused" for r in alone),
        stops=tuple(r for r in rows if r.id in stops),
        merges=len(pair.reference.entries.merges) if pair.candidate.entries.merges else 0,
        merges_differing=len(merges),
        merges_shown=tuple(merges[:SHOWN]),
    )


def _merges(ours: Sequence[str], theirs: Sequence[str]) -> list[MergeDiffers]:
    """The ranks with another merge; none where a side has no merges at all."""
    if not ours or not theirs:
        return []
    ranks = enumerate(zip_longest(ours, theirs, fillvalue=""))
    return [MergeDiffers(rank=i, candidate=a, reference=b) for i, (a, b) in ranks if a != b]


def _rows(ours: Entries, theirs: Entries) -> Sequence[PieceDiffers]:
    nothing: tuple[bytes, Kind] = (b"", "unused")
    sides = zip_longest(
        zip(ours.pieces, ours.kinds, strict=True),
        zip(theirs.pieces, theirs.kinds, strict=True),
        fillvalue=nothing,
    )
    return [
        PieceDiffers(
            id=i,
            candidate=readable(a),
            reference=readable(b),
            candidate_kind=kind_a,
            reference_kind=kind_b,
        )
        for i, ((a, kind_a), (b, kind_b)) in enumerate(sides)
    ]


def _nobodys(row: PieceDiffers) -> bool:
    """Whether it is padding on both sides: embeddings have more rows than tokenizers have tokens,
    and each format fills the gap with names of its own.
    """
    return row.candidate_kind == row.reference_kind == "unused"


def _one_sided(row: PieceDiffers) -> bool:
    """Whether the id stands for something on one side alone.

    A piece that is kept and not used (as of Gemma) has its text on both sides.
    """
    kinds = (row.candidate_kind, row.reference_kind)
    return kinds.count("unused") == 1 and row.candidate != row.reference


def _both_special(row: PieceDiffers) -> bool:
    return "normal" not in (row.candidate_kind, row.reference_kind)


def _vocabulary(model: Model) -> Vocabulary:
    entries = model.entries
    plain = model.tokenize(_PLAIN, begin=True, special=True)
    chat, begun = _chat(model)
    return Vocabulary(
        engine=model.describe().engine,
        rows=model.n_ids,
        tokens=sum(kind != "unused" for kind in entries.kinds),
        bos_id=model.bos_id,
        eos_id=model.eos_id,
        pad_id=entries.pad_id,
        unk_id=entries.unk_id,
        stop_ids=tuple(sorted(model.stop_ids)),
        control=entries.kinds.count("control"),
        user=entries.kinds.count("user"),
        plain_bos=_leading(plain, model.bos_id),
        plain_eos=_leading(plain[::-1], model.eos_id),
        chat_bos=-1 if chat is None else _leading(chat, model.bos_id),
        chat_begun=-1 if begun is None else _leading(begun, model.bos_id),
    )


def _chat(model: Model) -> tuple[list[int] | None, list[int] | None]:
    """A rendered chat as it is put to the engine, and with what the engine puts before texts."""
    try:
        tokens = dict(model.token_texts)
        text = render(model.template, _CHAT, add_generation_prompt=True, tokens=tokens)
    except Refused:
        return None, None
    put = model.tokenize(text, begin=False, special=True)
    return put, model.tokenize(text, begin=True, special=True)


def _leading(ids: Sequence[int], token: int) -> int:
    """How often `token` stands at the beginning."""
    return next((n for n, i in enumerate(ids) if i != token), len(ids)) if token >= 0 else 0


def _differing(ours: Sequence[list[int]], theirs: Sequence[list[int]]) -> list[int]:
    return [i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]


def _shown(
    pair: Pair,
    texts: Sequence[str],
    differing: Sequence[int],
    ids: tuple[Sequence[list[int]], Sequence[list[int]]],
) -> tuple[TextDiffers, ...]:
    """The shortest texts that differ, with their ids around the first difference."""
    ours, theirs = ids
    told = []
    for index in sorted(differing, key=lambda i: (len(texts[i]), i))[:SHOWN]:
        at = first_difference(ours[index], theirs[index])
        told.append(
            TextDiffers(
                index=index,
                text=texts[index],
                at=at,
                candidate=_encoded(pair.candidate, ours[index], at),
                reference=_encoded(pair.reference, theirs[index], at),
            )
        )
    return tuple(told)


def first_difference(ours: Sequence[int], theirs: Sequence[int]) -> int:
    """The first index at which two sequences differ; the shorter one's length where it ends."""
    pairs = enumerate(zip(ours, theirs, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(ours), len(theirs)))


def _encoded(model: Model, ids: list[int], at: int) -> Encoded:
    entries = model.entries
    start = max(0, at - _BEFORE)
    pieces = [piece_of(entries, i) for i in ids]
    shown = slice(start, at + _AFTER)
    return Encoded(
        count=len(ids),
        start=start,
        ids=tuple(ids[shown]),
        pieces=tuple(map(readable, pieces[shown])),
        kinds=tuple(entries.kinds[i] if i < len(entries.kinds) else "unused" for i in ids[shown]),
        ends=tuple(accumulate(map(len, pieces)))[shown],
        decoded=_decoded(model, ids),
    )


def piece_of(entries: Entries, token: int) -> bytes:
    """The bytes of an id; none for rows that stand for nothing."""
    return entries.pieces[token] if 0 <= token < len(entries.pieces) else b""


def _decoded(model: Model, ids: Sequence[int]) -> str:
    """Ids to text; ids that this side does not have decode to nothing."""
    if any(not 0 <= i < model.n_ids for i in ids):
        return ""
    return model.decode(ids, keep_special=True)


def _text(piece: bytes, kind: Kind) -> str:
    """A piece that is a text by itself; empty for control tokens and parts of characters."""
    if kind not in _TEXTS:
        return ""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return ""


def readable(piece: bytes) -> str:
    """A piece as text, bytes that are no UTF-8 in hexadecimal."""
    return piece.decode("utf-8", "backslashreplace")


COMPARERS: Comparers = {
    CompareTokens: compare_tokens,
    ComparePieces: compare_pieces,
    CompareVocabularies: compare_vocabularies,
}
