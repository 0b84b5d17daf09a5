"""The five gateways of a cell. One that fails zeroes the score: nothing else about it matters.

Each is judged on evidence of its own; what did not run is not a pass. The planted defects that
turn each of them red stand in `tests/controls`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le

from pytest_modelqa.checks.oracles import garbage_in
from pytest_modelqa.core.answer import Description, Generation, Inspection, Logits, TokenIds
from pytest_modelqa.core.check import Category
from pytest_modelqa.core.model import Cell
from pytest_modelqa.core.request import Describe, Inspect, Request, ScoreLogits, Tokenize
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified

_FLAT = 1e-6
"""Standard deviation of logits below which a position prefers no token at all."""

QUESTIONS = (
    "What is the capital of France?",
    "Write one sentence about the sea.",
    "List three colours.",
    "Explain what a computer does.",
    "Who wrote Romeo and Juliet?",
    "Name an animal that can fly.",
    "How do you make a cup of tea?",
    "What is water made of?",
)
BEGINNINGS = (
    "The capital of France is",
    "The sea is",
    "Three colours of the rainbow are",
    "A computer is a machine that",
    "William Shakespeare was",
    "Birds can fly because",
    "To make a cup of tea, you",
    "Water is made of",
)
"""Everyday openings, for G2 (the first) and G4 (all): any language model writes text to them.

A raw prompt gets a beginning to continue: after a whole question, ending is a sound answer.
"""


def probes(cell: Cell) -> tuple[str, ...]:
    """What a sound model has something to say to, in this modality."""
    return BEGINNINGS if cell.modality == "run" else QUESTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """G0: the file's header is sound, and its configuration agrees with its tensors."""

    name: ClassVar[str] = "G0"
    gate: ClassVar[str] = "G0"
    category: ClassVar[Category] = Category.STAB

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """The static inspection, without any engine."""
        return {"inspection": Inspect()}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by any finding that is no warning; also when nothing could be compared."""
        seen: Inspection = answers["inspection"]
        if errors := [f for f in seen.findings if f.severity == "error"]:
            first = errors[0]
            more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
            return falsified(
                f"{first.code} {first.where}: {first.message}{more}",
                tested=seen.checked,
                detail="\n".join(
                    f"{f.code} {f.where} @{f.offset}: {f.message}" for f in errors[:50]
                ),
            )
        if not seen.checked:
            return falsified("nothing in the file could be checked")
        return corroborated(
            f"{seen.checked} facts about {seen.tensors} tensors agree", tested=seen.checked
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Loads:
    """G1: the engine opens the model, and what it opened has a vocabulary and parameters."""

    name: ClassVar[str] = "G1"
    gate: ClassVar[str] = "G1"
    category: ClassVar[Category] = Category.STAB

    def requests(self, cell: Cell) -> Mapping[str, Request]:  # noqa: ARG002 - the protocol's
        """The description of the opened model."""
        return {"description": Describe()}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified where the opened model is empty."""
        seen: Description = answers["description"]
        if seen.n_vocab < 1 or seen.n_ctx < 1:
            return falsified(f"opened, but vocabulary {seen.n_vocab} and context {seen.n_ctx}")
        return corroborated(
            f"{seen.architecture}, {seen.n_params:,} parameters, {seen.n_vocab:,} ids, "
            f"context {seen.n_ctx}, {seen.dtype}, {seen.build}",
            tested=1,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicInference:
    """G2: logits are finite, of the right width and not flat; a question gets a visible answer."""

    name: ClassVar[str] = "G2"
    gate: ClassVar[str] = "G2"
    category: ClassVar[Category] = Category.QUAL

    text: str = "The quick brown fox jumps over the lazy dog."
    max_tokens: Annotated[int, Ge(1)] = 16

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """Logits of a plain sentence, and one answered question."""
        return {
            "description": Describe(),
            "tokens": Tokenize(text=self.text),
            "logits": ScoreLogits(text=self.text),
            "answer": cell.ask(probes(cell)[0], max_tokens=self.max_tokens),
        }

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by NaN or Inf, by another width than the vocabulary's, by silence."""
        description: Description = answers["description"]
        tokens: TokenIds = answers["tokens"]
        logits: Logits = answers["logits"]
        answer: Generation = answers["answer"]
        for problem in (
            _tokens_problem(tokens, self.text),
            _logits_problem(logits, description, len(tokens.ids)),
            _answer_problem(answer),
        ):
            if problem:
                return falsified(problem)
        return corroborated(
            f"{logits.positions} positions finite, answered {answer.text.strip()[:60]!r}",
            tested=logits.positions + len(answer.ids),
        )


def _tokens_problem(tokens: TokenIds, text: str) -> str:
    if not tokens.ids:
        return "the tokenizer makes no ids of a plain sentence"
    if text not in tokens.decoded:
        return f"the tokenizer does not give a plain sentence back: {tokens.decoded[:80]!r}"
    return ""


def _logits_problem(logits: Logits, description: Description, least: int) -> str:
    if logits.positions < least:
        return f"logits of {logits.positions} positions for {least} tokens"
    if logits.vocabulary != description.n_vocab:
        return f"logits are {logits.vocabulary} wide, the vocabulary has {description.n_vocab}"
    if logits.nonfinite:
        return f"{logits.nonfinite:,} logits are NaN or Inf"
    if logits.spread < _FLAT:
        return f"logits are flat (standard deviation {logits.spread:.1e}): no token is preferred"
    return ""


def _answer_problem(answer: Generation) -> str:
    if answer.nonfinite_steps:
        return f"NaN or Inf in the logits after {len(answer.ids)} generated tokens"
    if not answer.text.strip():
        return (
            f"no visible text in answer to an everyday prompt: {len(answer.ids)} tokens, "
            f"{answer.special_ids} of them special, finish {answer.finish}"
        )
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCrash:
    """G3: inputs of unusual shapes are answered without the process dying or hanging.

    The answers' content is not judged. A crash of a later case costs that case, not this gateway.
    """

    name: ClassVar[str] = "G3"
    gate: ClassVar[str] = "G3"
    category: ClassVar[Category] = Category.STAB

    max_tokens: Annotated[int, Ge(1)] = 4
    long_words: Annotated[int, Ge(1)] = 400

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """Empty, blank, one letter, long, many scripts, control characters, special-token text."""
        prompts = {
            "empty": "",
            "blank": " \n\t ",
            "letter": "a",
            "long": "word " * self.long_words,
            "scripts": "Zürich 東京 Москва القاهرة 🙂👩‍👩‍👧 e\u0301",
            "control": "a\x00b\x07\x1b[31mc\u200b\ufeff",
            "special": "<|im_start|><|im_end|><s></s><|endoftext|>[INST]",
        }
        return {k: cell.ask(v, max_tokens=self.max_tokens) for k, v in prompts.items()}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Getting here means that every request was answered."""
        if not answers:
            return falsified("nothing was asked")
        return corroborated(f"{len(answers)} unusual inputs answered", tested=len(answers))


@dataclass(frozen=True, slots=True, kw_only=True)
class NotGarbage:
    """G4: everyday questions get text, not noise. A few bad texts are allowed for.

    The seed's limit: more than 25 % garbage falsifies. Small healthy models do loop now and then
    under greedy decoding, so none at all would cry wolf.
    """

    name: ClassVar[str] = "G4"
    gate: ClassVar[str] = "G4"
    category: ClassVar[Category] = Category.QUAL

    max_tokens: Annotated[int, Ge(8)] = 32
    max_garbage_share: Annotated[float, Gt(0), Le(1)] = 0.25

    def requests(self, cell: Cell) -> Mapping[str, Request]:
        """Every probe, by its number."""
        asked = enumerate(probes(cell))
        return {f"probe{i}": cell.ask(p, max_tokens=self.max_tokens) for i, p in asked}

    def judge(self, answers: Mapping[str, Any]) -> Verdict:
        """Falsified by the share of garbage; the first garbled text is quoted."""
        bad = {k: reason for k, a in answers.items() if (reason := garbage_in(a))}
        total = len(answers)
        if not total:
            return falsified("nothing was asked")
        if len(bad) > self.max_garbage_share * total:
            name, reason = next(iter(bad.items()))
            return falsified(
                f"{len(bad)} of {total} answers are garbage, "
                f"e.g. {answers[name].text[:60]!r}: {reason}",
                tested=total,
                detail="\n".join(f"{k}: {r}: {answers[k].text[:200]!r}" for k, r in bad.items()),
            )
        return corroborated(
            f"{total - len(bad)} of {total} answers are text "
            f"({self.max_garbage_share:.0%} may fail)",
            tested=total,
        )


GATEWAYS = (Integrity, Loads, BasicInference, NoCrash, NotGarbage)
"""In the order in which they are judged."""
