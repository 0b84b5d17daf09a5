"""Tokenizers of two models: ids, pieces, special ids.

Pieces are shown as text, bytes that are no UTF-8 in hexadecimal. Ids are 0-based; -1 is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pytest_modelqa.core.answer import Compared
from pytest_modelqa.core.request import Comparison

Kind = Literal["normal", "control", "user", "unknown", "byte", "unused"]
"""What an id stands for: text, a control token, a word added by the user, a raw byte, nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareTokens(Comparison):
    """Tokenize texts with both; `special` and `begin` as engines take them."""

    texts: tuple[str, ...]
    special: bool = False
    begin: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparePieces(Comparison):
    """Tokenize with both, one by one, the text of every piece in the reference's vocabulary.

    It is what makes use of nearly every merge; control tokens and parts of characters are left out.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareVocabularies(Comparison):
    """Compare sizes, the piece and the kind of every id, special ids, and what is put around."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A part of a text's ids: `count` of all, those shown from index `start` on.

    `ends` are the offsets in bytes at which the shown pieces end, over all pieces in a row.
    `decoded` is what the engine makes of all its own ids.
    """

    count: int
    start: int
    ids: tuple[int, ...]
    pieces: tuple[str, ...]
    kinds: tuple[Kind, ...]
    ends: tuple[int, ...]
    decoded: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDiffers:
    """A text that becomes other ids; `at` is the first index that differs (or one side's end)."""

    index: int
    text: str
    at: int
    candidate: Encoded
    reference: Encoded


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedDiffers:
    """What each side makes of the reference's ids of a text, where it is not the same."""

    index: int
    text: str
    candidate: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensCompared(Compared):
    """`texts` and the reference's `ids` that were compared.

    `differing` are the indices of all texts that differ, `shown` the shortest of them.
    `decoded` counts the texts whose reference's ids both sides decoded, `undecoded` are those that
    they do not decode alike; `lossy` counts those that the reference itself does not decode to what
    they were.
    """

    texts: int
    ids: int
    differing: tuple[int, ...]
    shown: tuple[TextDiffers, ...]
    decoded: int
    undecoded: tuple[DecodedDiffers, ...]
    lossy: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """One side. `rows` of the model, `tokens` that stand for something: the rest is padding.

    `plain_bos` and `plain_eos` count BOS before and EOS behind a plain text, `chat_bos` the BOS
    before a rendered chat as it is put to the engine, `chat_begun` where the engine's own BOS is
    added to it (as programs around llama.cpp do); -1 where there is no chat.
    """

    engine: str
    rows: int
    tokens: int
    bos_id: int
    eos_id: int
    pad_id: int
    unk_id: int
    stop_ids: tuple[int, ...]
    control: int
    user: int
    plain_bos: int
    plain_eos: int
    chat_bos: int
    chat_begun: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceDiffers:
    """One id that is not the same on both sides; a side that lacks it shows an empty text."""

    id: int
    candidate: str
    reference: str
    candidate_kind: Kind
    reference_kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeDiffers:
    """The merge of one rank, its two pieces with a space between; empty where there is none."""

    rank: int
    candidate: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabulariesCompared(Compared):
    """`pieces` ids were compared. The first few are shown of those that differ in text or kind;
    of kinds those first that are text on one side alone.

    `lacking` counts ids that only the reference has, `surplus` those that only the candidate has.
    `stops` are the ids that end a generation on one side alone. `merges` is how many the reference
    has; 0 where one side has none, as tokenizers other than BPE, and nothing was compared.
    """

    candidate: Vocabulary
    reference: Vocabulary
    pieces: int
    pieces_differing: int
    pieces_shown: tuple[PieceDiffers, ...]
    kinds_differing: int
    kinds_shown: tuple[PieceDiffers, ...]
    lacking: int
    surplus: int
    stops: tuple[PieceDiffers, ...]
    merges: int
    merges_differing: int
    merges_shown: tuple[MergeDiffers, ...]


REQUESTS: tuple[type[Comparison], ...] = (CompareTokens, ComparePieces, CompareVocabularies)
ANSWERS: tuple[type[Compared], ...] = (TokensCompared, VocabulariesCompared)
