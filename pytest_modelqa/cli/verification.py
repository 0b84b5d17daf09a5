"""What can be said of a receipt without its models: schema, hashes, arithmetic, verdicts.

Every check is made anew of its recorded parameters, asks its questions again, is given the recorded
answers, and must conclude what the receipt says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from pytest_modelqa.artifacts.json_objects import parsed
from pytest_modelqa.core.answer import Failure
from pytest_modelqa.core.check import is_adaptive
from pytest_modelqa.core.errors import ModelQAError, UsageError
from pytest_modelqa.core.ids import content_key
from pytest_modelqa.core.receipt import FORMAT, CheckReceipt, Receipt, of_json, own_hash
from pytest_modelqa.core.verdict import Verdict, verdict_of_failure
from pytest_modelqa.core.wire import decode, decode_answer, decode_request, encode
from pytest_modelqa.playbook.blocks import PARITY_PARTS
from pytest_modelqa.qualify import worst_failure
from pytest_modelqa.reports.receipt_summary import overall, summary
from pytest_modelqa.reports.receipts import engines
from pytest_modelqa.reports.schemas import receipt_schema
from pytest_modelqa.reports.text import count, shortened

_PACKAGE = "pytest_modelqa.checks.parity"
_DIAGNOSIS = "diagnosis"
_MOST_BYTES = 256 << 20
_MOST_PROBLEMS = 20
_MOST_ROUNDS = 1000
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that a receipt says and that is not so; `where` is a path in it."""

    what: str
    where: str
    message: str


@dataclass(slots=True)
class Findings:
    """What was compared, in sentences; what was not; and what was found to be wrong.

    `chosen` tells what the checks were given in place of their defaults: limits above all. They are
    a person's choice, which nothing in a receipt can contradict.
    """

    receipt: Receipt | None = None
    checked: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    chosen: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def note(self, what: str, problems: Iterator[Problem], sentence: str) -> None:
        """Add the problems; with none, the sentence of what was checked."""
        try:
            found = list(islice(problems, _MOST_PROBLEMS))
        except ModelQAError:
            raise
        except Exception as error:  # noqa: BLE001 - a forged receipt may break any computation
            message = f"cannot be followed: {type(error).__name__}: {error}"
            found = [Problem(what=what, where="$.receipt", message=message)]
        self.problems += found
        if not found:
            self.checked.append(f"{what}: {sentence}")


def document(file: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises UsageError where there is none."""
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise UsageError(f"is larger than {_MOST_BYTES >> 20} MiB", where=str(file))
        found, twice = parsed(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(
            f"is no receipt: {error}",
            where=str(file),
            remedy="name a parity_<date>_<sha>.json that modelqa crossval wrote",
        ) from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise UsageError(
            f"is no receipt: JSON without `format: {FORMAT}`",
            where=str(file),
            remedy="name a parity_<date>_<sha>.json that modelqa crossval wrote",
        )
    if twice:
        raise UsageError(f"a key occurs twice: {twice[0]!r}", where=str(file))
    return found


def verified(found: Mapping[str, Any]) -> Findings:
    """All that needs no model. What breaks the schema is not looked at any further."""
    findings = Findings()
    findings.note("schema", _schema(found), "valid, no field more and none less")
    if findings.problems:
        return findings
    findings.note("own hash", _own_hash(found["receipt"]), "the receipt is as it was written")
    try:
        receipt = of_json(dict(found))
        answers = _Recorded(receipt)
    except (ValueError, TypeError) as error:
        findings.problems.append(Problem(what="schema", where="receipt", message=str(error)))
        return findings
    findings.receipt = receipt
    exchanges, checks = len(receipt.exchanges), ", ".join(c.name for c in receipt.checks)
    findings.note("keys", _keys(receipt), f"{exchanges} answers belong to these two artifacts")
    findings.note("arithmetic", _arithmetic(receipt), "all aggregates follow from the answers")
    findings.note("verdicts", _verdicts(receipt, answers), f"concluded again by {checks}")
    findings.chosen += _chosen(receipt)
    return findings


def _chosen(receipt: Receipt) -> Iterator[str]:
    """What the checks were given that is not their own default, and whose limits these are."""
    label, header = receipt.cell.artifact.quantization, receipt.candidate.quantization
    if label != header:
        yield f"limits are those of {label}, the file says {header}"
    for said in receipt.checks:
        try:
            check = restored(said.parameters)
        except (ValueError, TypeError):
            continue  # among the problems already
        for each in fields(check):
            value = getattr(check, each.name)
            if isinstance(value, tuple) and each.default is MISSING and each.name != "of":
                yield f"{said.name}: {count(len(value), 'text')} as {each.name}"
            elif each.init and each.default is not MISSING and value != each.default:
                yield f"{said.name}: {each.name} = {_short(encode(value))}"


def _schema(found: Mapping[str, Any]) -> Iterator[Problem]:
    for error in Draft202012Validator(receipt_schema()).iter_errors(found):
        yield Problem(what="schema", where=error.json_path, message=error.message[:200])


def _own_hash(body: dict[str, Any]) -> Iterator[Problem]:
    found = own_hash(body)
    if found != body["sha256"]:
        message = f"it was edited: its content has SHA-256 {found}, it says {body['sha256']}"
        yield Problem(what="own hash", where="$.receipt.sha256", message=message)


def _keys(receipt: Receipt) -> Iterator[Problem]:
    hashes = receipt.candidate.sha256, receipt.reference.sha256
    used = {key for check in receipt.checks for key in check.evidence}
    seen: set[str] = set()
    for at, exchange in enumerate(receipt.exchanges):
        where = f"$.receipt.exchanges[{at}].key"
        if exchange.key != content_key(exchange.request, hashes[0], exchange.engine, hashes[1]):
            message = "is not the key of this request to these artifacts and engines"
            yield Problem(what="keys", where=where, message=message)
        if exchange.key not in used:
            message = "no check has this answer as evidence"
            yield Problem(what="keys", where=where, message=message)
        if exchange.key in seen:
            yield Problem(what="keys", where=where, message="is answered twice")
        seen.add(exchange.key)


def _arithmetic(receipt: Receipt) -> Iterator[Problem]:
    engine, reference_engine = engines(e.engine for e in receipt.exchanges)
    made = {
        "summary": summary(receipt.exchanges),
        "overall": overall(receipt.checks),
        "engine": engine,
        "reference_engine": reference_engine,
    }
    for name, value in made.items():
        said = encode(getattr(receipt, name))
        yield from _differing(f"$.receipt.{name}", said, encode(value))
    key = receipt.cell.artifact.key
    yield from _differing("$.receipt.candidate.key", receipt.candidate.key, key)
    for at, check in enumerate(receipt.checks):
        case = f"{receipt.cell.id}::{check.name}"
        yield from _differing(f"$.receipt.checks[{at}].case", check.case, case)


def _differing(where: str, said: Any, made: Any) -> Iterator[Problem]:
    """The leaves of two trees that are not the same."""
    if isinstance(said, dict) and isinstance(made, dict):
        for name in sorted(said.keys() | made.keys()):
            yield from _differing(f"{where}.{name}", said.get(name), made.get(name))
    elif isinstance(said, list) and isinstance(made, list) and len(said) == len(made):
        for at, (one, other) in enumerate(zip(said, made, strict=True)):
            yield from _differing(f"{where}[{at}]", one, other)
    elif said != made:
        message = f"says {_short(said)}, the answers come to {_short(made)}"
        yield Problem(what="arithmetic", where=where, message=message)


def _short(value: Any) -> str:
    return shortened(json.dumps(value), _SHOWN_CHARACTERS)


class _Recorded:
    """The receipt's exchanges, by request."""

    def __init__(self, receipt: Receipt) -> None:
        self._found = {
            decode_request(e.request): (e.key, decode_answer(e.answer)) for e in receipt.exchanges
        }

    def answers(self, questions: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
        """Key and answer by name. Raises LookupError where nobody asked that."""
        for name, request in questions.items():
            if request not in self._found:
                raise LookupError(f"the receipt has no answer to {name!r}, which this check asks")
        return {name: self._found[request] for name, request in questions.items()}


def _verdicts(receipt: Receipt, recorded: _Recorded) -> Iterator[Problem]:
    for at, check in enumerate(receipt.checks):
        where = f"$.receipt.checks[{at}] ({check.name})"
        try:
            message = _contradiction(check, receipt, recorded)
        except (LookupError, ValueError, TypeError, ArithmeticError) as error:
            message = str(error)
        if message:
            yield Problem(what="verdicts", where=where, message=message)


def _contradiction(said: CheckReceipt, receipt: Receipt, recorded: _Recorded) -> str:
    """Why a check does not conclude what the receipt says, or nothing."""
    check = restored(said.parameters)
    if (check.name, check.gate) != (said.name, said.gate):
        return f"these parameters make the check {check.name} of {check.gate}"
    if not said.evidence:
        blocked = said.verdict.outcome.undecided
        return "" if blocked else f"{said.verdict.outcome} without any evidence"
    answers = _asked(check, receipt, recorded)
    if set(said.evidence) != {key for key, _ in answers.values()}:
        return "its evidence is not the answers to what it asks"
    made = _judged(check, answers)
    if made.outcome is not said.verdict.outcome:
        return f"says {said.verdict.outcome}, the answers are {made.outcome}: {made.reason}"
    for name in ("reason", "tested", "detail", "remedy", "parts"):
        ours, theirs = getattr(made, name), getattr(said.verdict, name)
        if ours != theirs:
            return (
                f"the {name} is {_short(encode(theirs))}, the answers give {_short(encode(ours))}"
            )
    return ""


def restored(parameters: Mapping[str, Any]) -> Any:
    """The check that a receipt's parameters describe, and those that it consists of.

    Raises ValueError.
    """
    kind = _kind(parameters.get("kind"))
    if kind is None:
        raise ValueError(f"{parameters.get('kind')!r} is no check of this version")
    parts = {
        name: tuple(restored(part) for part in value)
        for name, value in parameters.items()
        if isinstance(value, list) and value and all(map(_is_check, value))
    }
    made = decode(kind, {name: () if name in parts else v for name, v in parameters.items()})
    return replace(made, **parts)


def _is_check(value: Any) -> bool:
    return isinstance(value, dict) and _kind(value.get("kind")) is not None


def _kind(name: Any) -> type[Any] | None:
    """The parity check of this name; nothing else is made of what a receipt says."""
    for part in (*PARITY_PARTS, _DIAGNOSIS):
        kind = vars(import_module(f"{_PACKAGE}.{part}")).get(str(name))
        if isinstance(kind, type) and is_dataclass(kind) and hasattr(kind, "judge"):
            return kind
    return None


def _asked(check: Any, receipt: Receipt, recorded: _Recorded) -> dict[str, tuple[str, Any]]:
    found = recorded.answers(check.requests(receipt.cell))
    if not is_adaptive(check):
        return found
    for _ in range(_MOST_ROUNDS):
        so_far = {name: answer for name, (_, answer) in found.items()}
        more = check.follow_up(receipt.cell, so_far)
        if not more:
            return found
        found |= recorded.answers(more)
    raise ValueError(f"still asks after {_MOST_ROUNDS} rounds")


def rejudged(said: CheckReceipt, receipt: Receipt) -> Verdict:
    """What a check concludes of the receipt's answers. Raises ValueError, LookupError."""
    check = restored(said.parameters)
    return _judged(check, _asked(check, receipt, _Recorded(receipt)))


def _judged(check: Any, found: Mapping[str, tuple[str, Any]]) -> Verdict:
    answers = {name: answer for name, (_, answer) in found.items()}
    failures = [a for a in answers.values() if isinstance(a, Failure)]
    if failures and not is_adaptive(check):
        return verdict_of_failure(worst_failure(failures))
    verdict: Verdict = check.judge(answers)
    return verdict
