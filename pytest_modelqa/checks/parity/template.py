"""The candidate writes conversations as the reference does.

What is compared is what engines here are put: the model's own template, rendered in the sandbox.
Beside it stands what the libraries make of it. transformers' rendering of the reference must be the
sandbox's, else nothing is decided. llama.cpp's own renderer is no template engine but a list of
well-known formats: where it writes something else, or refuses, that is told and fails nothing,
because no engine here uses it; programs built on `llama_chat_apply_template` do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pytest_modelqa.checks.oracles.text import quoted
from pytest_modelqa.checks.parity.conversations import CONVERSATIONS, SYSTEMS
from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.comparison.templates import (
    CompareTemplates,
    ConversationCompared,
    TemplatesCompared,
)
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Request
from pytest_modelqa.core.verdict import (
    Verdict,
    corroborated,
    falsified,
    inconclusive,
    unavailable,
    verdict_of_failure,
)

GATE = "F-PARITY-TEMPLATE"

TemplateClass = Literal[
    "missing template",
    "render error",
    "missing generation prompt",
    "fallback template",
    "system text",
    "whitespace",
    "text",
    "tokens",
]
"""`fallback template`: plain ChatML, as programs take it for models without a template.
`missing generation prompt`: nothing lacks but the end that opens the assistant's turn.
`system text`: only conversations with a system text differ, or only those without one.
`tokens`: the texts are equal and their ids are not, which is the tokenizer's doing.
"""

_AROUND = 40
"""Characters told on both sides of the first that differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateParity:
    """Equal texts and equal ids for every conversation that the reference's template takes."""

    name: ClassVar[str] = "template-parity"
    gate: ClassVar[str] = GATE
    category: ClassVar[Category] = Category.COMP

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """All conversations at once."""
        return {"templates": CompareTemplates(conversations=CONVERSATIONS)}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Corroborated on what both render alike; what both refuse is not counted as tested."""
        seen = answers["templates"]
        if isinstance(seen, Failure):
            return verdict_of_failure(seen)
        if (undecided := _incomparable(seen)) is not None:
            return undecided
        unlike = differing(seen)
        tested = sum(
            not c.candidate.problem and not c.reference.problem for c in seen.conversations
        )
        cause = classify_template(seen)
        if cause is not None:
            first = unlike[0] if unlike else None
            return falsified(
                f"{cause}: {_what(seen, first)}",
                tested=max(1, tested),
                detail="\n".join(_told(c) for c in unlike),
                remedy=_REMEDY,
            )
        if strange := [c for c in seen.conversations if _renders_otherwise(c, seen)]:
            return inconclusive(
                f"transformers renders the reference otherwise than the sandbox here: "
                f"{_library_told(strange[0])}",
                tested=tested,
                remedy="report it with the template: engines here put the sandbox's text",
            )
        if not tested:
            return inconclusive(
                f"both templates refuse all {len(seen.conversations)} conversations, first: "
                f"{seen.conversations[0].reference.problem}"
            )
        notes = "; ".join(_notes(seen))
        reason = f"{tested} of {len(seen.conversations)} conversations are written alike, with "
        reason += f"{sum(c.reference.ids for c in seen.conversations):,} equal ids"
        return corroborated(reason + (f"; {notes}" if notes else ""), tested=tested)


_REMEDY = (
    "convert the model again with the reference's tokenizer_config.json and chat_template.jinja "
    "beside it"
)


def classify_template(seen: TemplatesCompared) -> TemplateClass | None:
    """The likely class of what differs; None where nothing does."""
    if seen.reference.sha256 and not seen.candidate.sha256:
        return "missing template"
    unlike = differing(seen)
    if not unlike:
        return None
    if any(bool(c.candidate.problem) != bool(c.reference.problem) for c in unlike):
        return "render error"
    texts = [c for c in unlike if c.char >= 0]
    if not texts:
        return "tokens"
    return _of_texts(seen, texts)


def differing(seen: TemplatesCompared) -> tuple[ConversationCompared, ...]:
    """Conversations that one side alone renders, or that become other texts or ids."""
    return tuple(
        c
        for c in seen.conversations
        if bool(c.candidate.problem) != bool(c.reference.problem) or c.char >= 0 or c.id_at >= 0
    )


def _of_texts(seen: TemplatesCompared, unlike: Sequence[ConversationCompared]) -> TemplateClass:
    if all(_lost_prompt(c) for c in unlike):
        return "missing generation prompt"
    if _is_chatml(seen, unlike):
        return "fallback template"
    names = {c.name for c in unlike}
    rendered = {c.name for c in seen.conversations if not c.reference.problem}
    if names in (rendered & SYSTEMS, rendered - SYSTEMS):
        return "system text"
    if all(_bare(c.candidate.text) == _bare(c.reference.text) for c in unlike):
        return "whitespace"
    return "text"


def _lost_prompt(c: ConversationCompared) -> bool:
    """Whether all that the candidate lacks is the end, which opens the assistant's turn."""
    return c.add_generation_prompt and c.reference.text.startswith(c.candidate.text)


def _is_chatml(seen: TemplatesCompared, unlike: Sequence[ConversationCompared]) -> bool:
    """Whether the candidate writes plain ChatML where the reference never does."""
    known = {(c.name, c.add_generation_prompt): _chatml(c) for c in CONVERSATIONS if not c.tools}
    pairs = [(c, known.get((c.name, c.add_generation_prompt))) for c in seen.conversations]
    plain = [(c, text) for c, text in pairs if text is not None and not c.candidate.problem]
    if not plain or len(plain) > len(unlike):
        return False
    return all(c.candidate.text == text for c, text in plain)


def _chatml(conversation: Any) -> str:
    turns = "".join(f"<|im_start|>{t.role}\n{t.content}<|im_end|>\n" for t in conversation.turns)
    return turns + ("<|im_start|>assistant\n" if conversation.add_generation_prompt else "")


def _bare(text: str) -> str:
    return "".join(text.split())


def _incomparable(seen: TemplatesCompared) -> Verdict | None:
    if not seen.conversations:
        return inconclusive("no conversation was compared")
    if seen.reference.sha256:
        return None
    if seen.candidate.sha256:
        return inconclusive(
            "the reference has no chat template: the candidate's cannot be compared",
            remedy="name a reference with its tokenizer_config.json, or run modality run alone",
        )
    return unavailable(
        "neither side has a chat template", remedy="leave `template` out of the playbook's parts"
    )


def _renders_otherwise(c: ConversationCompared, seen: TemplatesCompared) -> bool:
    """Whether transformers does not render the reference as the sandbox does."""
    if seen.reference.engine != "transformers":
        return False
    side = c.reference
    return bool(side.problem) != bool(side.library_problem) or side.text != side.library


def _library_told(c: ConversationCompared) -> str:
    side = c.reference
    ours, theirs = side.problem or quoted(side.text), side.library_problem or quoted(side.library)
    return f"{_name(c)}: {theirs}, here {ours}"


def _what(seen: TemplatesCompared, first: ConversationCompared | None) -> str:
    if first is None or not seen.candidate.sha256:
        return (
            f"the candidate has none, the reference one of {seen.reference.characters} characters"
        )
    count = f"{len(differing(seen))} of {len(seen.conversations)} conversations differ, first "
    return count + _told(first)


def _told(c: ConversationCompared) -> str:
    ours, theirs = c.candidate, c.reference
    if ours.problem or theirs.problem:
        told = (ours.problem or "is rendered", theirs.problem or "is rendered")
        return f"{_name(c)}: {told[0]}; in the reference: {told[1]}"
    if c.char < 0:
        return (
            f"{_name(c)}: the same text, and at index {c.id_at} the token "
            f"{quoted(c.candidate_piece)}, in the reference {quoted(c.reference_piece)}"
        )
    where = slice(max(0, c.char - _AROUND), c.char + _AROUND)
    return (
        f"{_name(c)} at character {c.char}: {quoted(ours.text[where])}, in the reference "
        f"{quoted(theirs.text[where])}"
    )


def _name(c: ConversationCompared) -> str:
    return c.name + ("" if c.add_generation_prompt else " (without generation prompt)")


def _notes(seen: TemplatesCompared) -> Iterator[str]:
    """What a person should know of templates that are alike."""
    refused = [c for c in seen.conversations if c.reference.problem]
    if refused:
        first = refused[0]
        yield f"both refuse {len(refused)}, first {_name(first)}: {first.reference.problem}"
    if seen.candidate.engine == "llamacpp":
        yield from _llamacpp_notes(seen.conversations)


def _llamacpp_notes(conversations: Sequence[ConversationCompared]) -> Iterator[str]:
    sides = [c.candidate for c in conversations]
    otherwise = [c for c in conversations if _builtin_differs(c)]
    refused = [s.library_problem for s in sides if s.library_problem]
    told = []
    if otherwise:
        first = otherwise[0]
        told.append(f"writes {len(otherwise)} otherwise, first {_name(first)}: "
                    f"{quoted(first.candidate.library)}")  # fmt: skip
    if refused:
        told.append(f"refuses {len(refused)}, first: {refused[0]}")
    if told:
        yield f"llama.cpp's own renderer, not used here, {' and '.join(told)}"


def _builtin_differs(c: ConversationCompared) -> bool:
    side = c.candidate
    return not side.library_problem and side.library != side.text
