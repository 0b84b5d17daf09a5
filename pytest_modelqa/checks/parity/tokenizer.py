"""The candidate's tokenizer makes the reference's ids of a text, and the same text of ids.

vocabulary         every id: its piece, its kind, and what is put around texts
pieces             the text of every piece, tokenized
plain, special     the committed probes, without and with control texts parsed
begun              some of them as prompts begin, with what the model puts before a text
drawn              strings from the playbook's seed
shrink/R           reductions of the smallest text known to differ, round by round
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from pytest_modelqa.checks.oracles.text import quoted
from pytest_modelqa.checks.parity.probes import PROBES, drawn_texts
from pytest_modelqa.checks.parity.shrinking import ROUNDS, reductions, simplicity
from pytest_modelqa.checks.parity.tokenizer_cause import (
    TokenizerEvidence,
    bos_difference,
    classify,
    extra_stops,
    special_ids,
    special_kinds,
    stop_ids,
)
from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.comparison.tokens import (
    ComparePieces,
    CompareTokens,
    CompareVocabularies,
    DecodedDiffers,
    TextDiffers,
    TokensCompared,
    VocabulariesCompared,
)
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import (
    Verdict,
    corroborated,
    falsified,
    inconclusive,
    verdict_of_failure,
)

GATE = "F-PARITY-TOKENIZER"

_PROBED = tuple(text for group in PROBES.values() for text in group)
_BEGUN = (*PROBES["words"], *PROBES["specials"], *PROBES["singles"])


class _Way(NamedTuple):
    """How the texts of some answers were tokenized: shrinking goes on in the same way."""

    names: tuple[str, ...]
    special: bool
    begin: bool


_PLAIN = _Way(("plain", "pieces"), special=False, begin=False)
_PARSED = _Way(("special", "drawn"), special=True, begin=False)
_PUT = _Way(("begun",), special=True, begin=True)
_WAYS = (_PLAIN, _PARSED, _PUT)
_SPACED = ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
           (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"))  # fmt: skip
"""What `clean_up_tokenization_spaces` takes out; llama.cpp's detokenizer does so for some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizerParity:
    """Exact ids, or falsified with the smallest text that differs and the likely class.

    `seed` and `drawn` say which strings are drawn and how many.
    """

    name: ClassVar[str] = "tokenizer-parity"
    gate: ClassVar[str] = GATE
    category: ClassVar[Category] = Category.COMP

    seed: int = 0
    drawn: int = 200

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """Both vocabularies, the probes in every way of parsing, and the drawn strings."""
        asked: dict[str, Request] = {
            "vocabulary": CompareVocabularies(),
            "plain": CompareTokens(texts=_PROBED),
            "special": CompareTokens(texts=_PROBED, special=True),
            "begun": CompareTokens(texts=_BEGUN, special=True, begin=True),
        }
        if self.drawn:
            texts = drawn_texts(self.seed, self.drawn)
            asked["drawn"] = CompareTokens(texts=texts, special=True)
        return asked

    def follow_up(
        self,
        cell: Cell,  # noqa: ARG002 - the protocol's
        answers: Mapping[str, Any],
    ) -> Mapping[str, Request]:
        """Every piece where merges cannot be compared, then rounds of shrinking while they help."""
        if any(isinstance(answer, Failure) for answer in answers.values()):
            return {}
        if not answers["vocabulary"].merges and "pieces" not in answers:
            return {"pieces": ComparePieces()}
        return _shrunk(answers)[1]

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Corroborated where nothing differs that changes what a model reads, writes or ends at."""
        failures = [a for n, a in answers.items() if isinstance(a, Failure) and not _shrinking(n)]
        if failures:
            return verdict_of_failure(failures[0])
        first = [a for n, a in answers.items() if isinstance(a, TokensCompared)
                 and not _shrinking(n)]  # fmt: skip
        seen = answers["vocabulary"]
        texts, ids = sum(a.texts for a in first), sum(a.ids for a in first)
        if not seen.pieces or not ids:
            return inconclusive(
                f"{seen.pieces} ids and {ids} tokens could be compared",
                remedy="check that both artifacts carry their vocabulary: modelqa inspect",
            )
        evidence = evidence_of(answers)
        merges = f", {seen.merges:,} merges" if seen.merges else ""
        compared = f"{seen.pieces:,} pieces{merges} and {texts:,} texts ({ids:,} ids)"
        cause = classify(evidence)
        if cause is None:
            notes = "; ".join(_notes(seen, first))
            reason = f"{compared} are the same" + (f"; {notes}" if notes else "")
            return corroborated(reason, tested=texts)
        told = list(_told(evidence))
        counts = ", ".join(_counts(answers))
        return falsified(
            f"{cause}: {'; '.join(dict.fromkeys((told[0], *_smallest(evidence))))}"
            + (f" ({counts})" if counts else ""),
            tested=texts,
            detail="\n".join(told),
            remedy=_REMEDIES.get(cause, _REMEDY),
        )


_REMEDY = "convert the model again with a converter that knows its tokenizer"
_REMEDIES: Mapping[str, str] = {
    "pre-tokenizer": "compare tokenizer.ggml.pre with the pre_tokenizer of tokenizer.json: "
    "modelqa inspect",
    "double BOS": "set tokenizer.ggml.add_bos_token as the reference's tokenizer does",
    "missing BOS": "set tokenizer.ggml.add_bos_token as the reference's tokenizer does",
    "special handling": "compare special ids and token types with the reference's tokenizer: "
    "modelqa inspect",
}


def evidence_of(answers: Mapping[str, Any]) -> TokenizerEvidence:
    """What the answers of `TokenizerParity` say, for `classify`; without failures."""
    smallest = _shrunk(answers)[0]
    return TokenizerEvidence(
        vocabulary=answers["vocabulary"],
        groups=_groups(answers),
        plain=_shown(answers, _PLAIN.names),
        special=_shown(answers, _PARSED.names),
        begun=_shown(answers, _PUT.names),
        decoded=tuple(
            d for name in ("plain", *_PARSED.names) for d in _undecoded(answers.get(name))
        ),
        smallest=smallest,
    )


def _shrinking(name: str) -> bool:
    return name.startswith("shrink/")


def _shown(answers: Mapping[str, Any], names: Sequence[str]) -> tuple[TextDiffers, ...]:
    return tuple(d for n in names if n in answers for d in answers[n].shown)


def _undecoded(answer: TokensCompared | None) -> Iterator[DecodedDiffers]:
    """Texts that the candidate decodes otherwise, beyond taking out spaces before signs."""
    for shown in answer.undecoded if answer else ():
        if shown.candidate != cleaned(shown.reference):
            yield shown


def cleaned(text: str) -> str:
    """A decoded text without the spaces that `clean_up_tokenization_spaces` takes out."""
    for spaced, plain in _SPACED:
        text = text.replace(spaced, plain)
    return text


def _groups(answers: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    differing, start, counts = set(answers["plain"].differing), 0, {}
    if (pieces := answers.get("pieces")) is not None:
        counts["pieces"] = pieces.texts, len(pieces.differing)
    for name, texts in PROBES.items():
        end = start + len(texts)
        counts[name] = len(texts), sum(start <= i < end for i in differing)
        start = end
    return counts


def _shrunk(answers: Mapping[str, Any]) -> tuple[TextDiffers | None, Mapping[str, Request]]:
    """The smallest text known to differ, and what to ask to find a smaller one."""
    way = next((w for w in _WAYS if _shown(answers, w.names)), None)
    if way is None:
        return None, {}
    smallest = min(_shown(answers, way.names), key=lambda d: simplicity(d.text))
    for turn in range(ROUNDS):
        texts, answer = reductions(smallest.text), answers.get(f"shrink/{turn}")
        if answer is None and texts:
            request = CompareTokens(texts=texts, special=way.special, begin=way.begin)
            return smallest, {f"shrink/{turn}": request}
        if not isinstance(answer, TokensCompared) or not answer.shown:
            break
        smallest = min(answer.shown, key=lambda d: simplicity(d.text))
    return smallest, {}


def _told(evidence: TokenizerEvidence) -> Iterator[str]:
    """Every difference in words, those first that explain others."""
    seen = evidence.vocabulary
    yield from _vocabulary_told(seen)
    yield from _ends_told(seen)
    if seen.merges_differing:
        first_merge = seen.merges_shown[0]
        yield (
            f"{seen.merges_differing:,} of {seen.merges:,} merges are others, first rank "
            f"{first_merge.rank}: {quoted(first_merge.candidate)}, in the reference "
            f"{quoted(first_merge.reference)}"
        )
    yield from _smallest(evidence)
    for shown in evidence.decoded[:3]:
        yield (
            f"the ids of {quoted(shown.text)} decode to {quoted(shown.candidate)}, by the "
            f"reference to {quoted(shown.reference)}"
        )


def _smallest(evidence: TokenizerEvidence) -> Iterator[str]:
    if evidence.smallest is not None:
        yield _text_told(evidence.smallest)


def _vocabulary_told(seen: VocabulariesCompared) -> Iterator[str]:
    if seen.pieces_differing:
        first = seen.pieces_shown[0]
        yield (
            f"{seen.pieces_differing} of {seen.pieces:,} ids have another piece, first id "
            f"{first.id}: {quoted(first.candidate)}, in the reference {quoted(first.reference)}"
        )
    if seen.lacking or seen.surplus:
        yield (
            f"the vocabulary has {seen.candidate.tokens:,} tokens, the reference's "
            f"{seen.reference.tokens:,}: {seen.lacking} lack, {seen.surplus} are too many"
        )


def _ends_told(seen: VocabulariesCompared) -> Iterator[str]:
    ours, theirs = seen.candidate, seen.reference
    if bos_difference(seen):
        yield (
            f"{ours.plain_bos} BOS before a text and {_chat(ours.chat_begun)} before a chat, by "
            f"the reference {theirs.plain_bos} and {_chat(theirs.chat_begun)}"
        )
    yield from special_ids(seen)
    for kind in special_kinds(seen):
        yield (
            f"id {kind.id} {quoted(kind.reference)} is {_KINDS[kind.candidate_kind]}, in the "
            f"reference {_KINDS[kind.reference_kind]}"
        )
    for stop in stop_ids(seen):
        here = stop.id in ours.stop_ids
        yield (
            f"id {stop.id} {quoted(stop.reference)} "
            + ("ends a text" if here else "does not end a text")
            + (", it does not in the reference" if here else ", it does in the reference")
        )
    if ours.plain_eos != theirs.plain_eos:
        yield f"{ours.plain_eos} EOS behind a text, by the reference {theirs.plain_eos}"


_KINDS: Mapping[str, str] = {
    "normal": "text",
    "byte": "a byte",
    "user": "an added word",
    "control": "a control token",
    "unknown": "the unknown token",
    "unused": "unused",
}


def _chat(count: int) -> str:
    return "none, for want of a template," if count < 0 else str(count)


def _text_told(shown: TextDiffers) -> str:
    ours, theirs = shown.candidate, shown.reference
    return (
        f"{quoted(shown.text)} differs at index {shown.at}: {_at(shown, ours.ids, ours.pieces)}, "
        f"in the reference {_at(shown, theirs.ids, theirs.pieces)}; pieces "
        f"{_listed(ours.pieces)} and {_listed(theirs.pieces)}"
    )


def _at(shown: TextDiffers, ids: Sequence[int], pieces: Sequence[str]) -> str:
    place = shown.at - shown.candidate.start
    return f"{quoted(pieces[place])} (id {ids[place]})" if place < len(ids) else "the end"


def _listed(pieces: Sequence[str]) -> str:
    return "[" + ", ".join(quoted(p) for p in pieces[:8]) + "]"


def _counts(answers: Mapping[str, Any]) -> Iterator[str]:
    words = {"plain": "probes", "special": "parsed probes", "begun": "beginnings",
             "drawn": "drawn texts", "pieces": "pieces"}  # fmt: skip
    for name, word in words.items():
        if name in answers and answers[name].differing:
            yield f"{len(answers[name].differing)} of {answers[name].texts:,} {word} differ"


def _notes(seen: VocabulariesCompared, answers: Sequence[TokensCompared]) -> Iterator[str]:
    """What a person should know of a tokenizer that is sound."""
    ours, theirs = seen.candidate, seen.reference
    for side, other in ((ours, theirs), (theirs, ours)):
        stops = [s for s in extra_stops(seen) if s.id in side.stop_ids]
        if stops:
            listed = ", ".join(f"{s.reference} ({s.id})" for s in stops)
            yield f"{side.engine} also ends at {listed}, {other.engine} does not"
    for name, a, b in (("PAD", ours.pad_id, theirs.pad_id), ("UNK", ours.unk_id, theirs.unk_id)):
        if a != b:
            yield f"{name} is {_id(a)}, in the reference {_id(b)}"
    if spaces := sum(len(a.undecoded) for a in answers):
        yield f"{spaces} texts are decoded without a space before a sign"
    if lossy := sum(a.lossy for a in answers):
        yield f"{lossy} texts do not come back whole from the reference either"


def _id(token: int) -> str:
    return f"id {token}" if token >= 0 else "none"
