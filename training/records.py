"""Instruction data: the nine sets by name and size, and the reader of their JSONL files.

A line is a JSON object with `instruction`, `input` (may be empty) and `output`, all text, and
optionally `metadata`, an object that says where the record comes from and is never trained on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pytest_modelqa.core.errors import Problem, UsageError
from pytest_modelqa.playbook.problems import shown, unknown_key

TRAINING_SETS: Mapping[str, int] = MappingProxyType(
    {
        "style_core": 12_000,
        "domain_patterns": 8_000,
        "process_framework": 5_000,
        "domain_representatives": 3_000,
        "style_refactor": 3_000,
        "guardrails": 2_000,
        "tool_awareness": 1_000,
        "reporting_protocol": 3_000,
    }
)
"""The seed's eight training sets: 37,000 records."""
HOLD_OUT = "eval"
HOLD_OUT_SIZE = 2_000
MAX_LINE = 1 << 20
"""Bytes. A record of a megabyte is a mistaken file: 2048 tokens are some 8 kB."""
TEXTS = ("instruction", "input", "output")
KEYS = (*TEXTS, "metadata")
_SHOWN = 50
"""Problems that one message lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One sample. What is asked is `instruction`, and `input` below it where there is one."""

    instruction: str
    output: str
    input: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def prompt(self) -> str:
        """What the user says."""
        return f"{self.instruction}\n\n{self.input}" if self.input else self.instruction

    def line(self) -> str:
        """The record as one line of JSONL, without its line break."""
        values: dict[str, Any] = {key: getattr(self, key) for key in TEXTS}
        if self.metadata:
            values["metadata"] = dict(self.metadata)
        return json.dumps(values, ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFile:
    """A set of records in order; record i stands on line i + 1 of `where`."""

    name: str
    where: str
    records: tuple[Record, ...]
    sha256: str

    def place(self, index: int) -> str:
        """Where a record stands, as `file:line`."""
        return f"{self.where}:{index + 1}"


class DataError(UsageError):
    """All that is wrong with data files, each with file, line, column and key."""

    def __init__(self, problems: list[tuple[str, Problem]], remedy: str = "") -> None:
        self.problems = tuple(problems)
        count = len(problems)
        super().__init__(f"{count} problem{'s' if count > 1 else ''}", remedy=remedy)

    def __str__(self) -> str:
        lines = []
        for file, p in self.problems[:_SHOWN]:
            path = f"{p.path}: " if p.path else ""
            lines.append(f"{file}:{p.line}:{p.column}: {path}{p.message}")
        if len(self.problems) > _SHOWN:
            lines.append(f"... and {len(self.problems) - _SHOWN:,} more")
        if self.remedy:
            lines.append(f"  try: {self.remedy}")
        return "\n".join(lines)


def digest_of(records: Iterator[Record] | tuple[Record, ...]) -> str:
    """SHA-256 of records as a JSONL file holds them."""
    made = hashlib.sha256()
    for record in records:
        made.update(record.line().encode() + b"\n")
    return made.hexdigest()


def read(path: Path, *, samples: int = 0) -> RecordFile:
    """Read a JSONL file. Raises DataError with every wrong line.

    `samples`, unless 0, is how many records the file must hold.
    """
    problems: list[Problem] = []
    records = []
    hashed = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                hashed.update(line)
                found = _record(line, number)
                if isinstance(found, Record):
                    records.append(found)
                else:
                    problems += found
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if not problems:
        problems += _count(len(records), samples)
    if problems:
        raise DataError([(str(path), p) for p in problems])
    return RecordFile(
        name=path.stem, where=str(path), records=tuple(records), sha256=hashed.hexdigest()
    )


def _count(found: int, wanted: int) -> Iterator[Problem]:
    if not found:
        yield Problem(1, 1, "", "the file is empty: no records")
    elif wanted and found != wanted:
        message = f"holds {found:,} records, and the configuration says {wanted:,}"
        yield Problem(found, 1, "", message)


def _record(line: bytes, number: int) -> Record | list[Problem]:
    """The record on a line, or what is wrong with it."""
    try:
        values = _values(line)
    except json.JSONDecodeError as error:
        return [Problem(number, error.colno, "", f"invalid JSON: {error.msg}")]
    except UnicodeDecodeError as error:
        message = f"not UTF-8: byte 0x{line[error.start]:02x}"
        return [Problem(number, error.start + 1, "", message)]
    except ValueError as error:
        return [Problem(number, 1, "", str(error))]
    except RecursionError:
        return [Problem(number, 1, "", "nested too deeply")]
    problems = [Problem(number, 1, key, message) for key, message in _wrong(values)]
    return problems or Record(**values)


def _values(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise ValueError(f"longer than {MAX_LINE:,} bytes: no record")
    if not line.strip():
        raise ValueError("an empty line; a record stands on every line")
    values = json.loads(line.decode(), object_pairs_hook=_distinct, parse_constant=_constant)
    if not isinstance(values, dict):
        raise ValueError(f"must be a JSON object, found {shown(values)}")  # noqa: TRY004
    return values


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} stands twice")
    return values


def _constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def _wrong(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in values:
        if key not in KEYS:
            yield key, unknown_key(key, KEYS)
    for key in TEXTS:
        if key not in values:
            yield key, "is missing, and required" + ("; may be empty" if key == "input" else "")
        elif message := _not_text(key, values[key]):
            yield key, message
    if not isinstance(values.get("metadata", {}), dict):
        yield "metadata", f"must be a mapping, found {shown(values['metadata'])}"


def _not_text(key: str, value: Any) -> str:
    """What is wrong with a value of `instruction`, `input` or `output`; empty where nothing is."""
    if not isinstance(value, str):
        return f"must be text, found {shown(value)}"
    if key != "input" and not value.strip():
        return "is empty: nothing to learn from"
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        return "holds half a surrogate pair, which is no text"
    return ""
