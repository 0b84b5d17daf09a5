"""The text of a Modelfile: instructions, and values that are plain or in (triple) quotes.

Read as Ollama reads it: instructions in any case, `#` begins a comment, FROM is required. Unlike
Ollama, all mistakes are told at once, each with its line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pytest_modelqa.core.errors import PlaybookError, Problem, UsageError
from pytest_modelqa.playbook.problems import shown, unknown_key

Value = int | float | bool | str
Parameters = tuple[tuple[str, Value], ...]

TRIPLE = '"""'
INSTRUCTIONS = ("FROM", "PARAMETER", "TEMPLATE", "SYSTEM", "ADAPTER", "LICENSE", "MESSAGE")
ROLES = ("system", "user", "assistant")
KINDS: Mapping[str, type] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "num_ctx", "num_predict", "num_keep", "num_batch", "num_gpu", "num_thread",
                "main_gpu", "repeat_last_n", "seed", "top_k", "mirostat",
            ),
            int,
        ),
        **dict.fromkeys(
            (
                "temperature", "top_p", "min_p", "typical_p", "repeat_penalty",
                "presence_penalty", "frequency_penalty", "mirostat_eta", "mirostat_tau", "tfs_z",
            ),
            float,
        ),
        **dict.fromkeys(("use_mmap", "use_mlock", "numa", "low_vram", "penalize_newline"), bool),
        "stop": str,
    }
)  # fmt: skip
"""Parameters by the type of their value; `stop` may stand several times."""


class ModelfileError(PlaybookError):
    """One or more mistakes in a Modelfile, each with its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Modelfile:
    """What a Modelfile says. `source` is what FROM names; texts are empty where there is none."""

    source: str
    template: str = ""
    system: str = ""
    parameters: Parameters = ()
    licenses: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    messages: tuple[tuple[str, str], ...] = ()

    def values(self, name: str) -> tuple[Value, ...]:
        """All values of a parameter, in order."""
        return tuple(value for key, value in self.parameters if key == name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One instruction: its word in capitals, the word after it where it takes one, its value."""

    line: int
    word: str
    name: str
    value: str


def written(modelfile: Modelfile) -> str:
    """The text of a Modelfile. Raises UsageError where a text cannot be quoted."""
    lines = [f"FROM {_line(modelfile.source)}"]
    lines += [f"ADAPTER {_line(path)}" for path in modelfile.adapters]
    if modelfile.template:
        lines.append(f"TEMPLATE {_quoted(modelfile.template)}")
    if modelfile.system:
        lines.append(f"SYSTEM {_quoted(modelfile.system)}")
    lines += [f"PARAMETER {name} {_parameter(value)}" for name, value in modelfile.parameters]
    lines += [f"MESSAGE {role} {_quoted(text)}" for role, text in modelfile.messages]
    lines += [f"LICENSE {_quoted(text)}" for text in modelfile.licenses]
    return "\n".join(lines) + "\n"


def parse(text: str, file: str = "Modelfile") -> Modelfile:
    """Read a Modelfile. Raises ModelfileError with every mistake."""
    problems: list[Problem] = []
    entries = list(_entries(text, problems))
    found = {word: [e for e in entries if e.word == word] for word in INSTRUCTIONS}
    problems += _counts(found)
    parameters = tuple(_parameters(found["PARAMETER"], problems))
    problems += [
        Problem(e.line, 1, "MESSAGE", f"{shown(e.name)} is no role: {', '.join(ROLES)}")
        for e in found["MESSAGE"]
        if e.name not in ROLES
    ]
    if problems:
        raise ModelfileError(file, problems)
    return Modelfile(
        source=found["FROM"][0].value,
        template="".join(e.value for e in found["TEMPLATE"]),
        system="".join(e.value for e in found["SYSTEM"]),
        parameters=parameters,
        licenses=tuple(e.value for e in found["LICENSE"]),
        adapters=tuple(e.value for e in found["ADAPTER"]),
        messages=tuple((e.name, e.value) for e in found["MESSAGE"]),
    )


def _counts(found: Mapping[str, list[_Entry]]) -> Iterator[Problem]:
    if not found["FROM"]:
        yield Problem(1, 1, "FROM", "is missing: name the GGUF file")
    for word in ("FROM", "TEMPLATE", "SYSTEM"):
        for entry in found[word][1:]:
            yield Problem(entry.line, 1, word, f"stands twice; first in line {found[word][0].line}")
    for word, entries in found.items():
        for entry in entries:
            if not entry.value:
                yield Problem(entry.line, 1, word, "has no value")


def _entries(text: str, problems: list[Problem]) -> Iterator[_Entry]:
    lines = text.removeprefix("\ufeff").split("\n")
    at = 0
    while at < len(lines):
        start, line = at, lines[at].strip()
        at += 1
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        word = word.upper()
        if word not in INSTRUCTIONS:
            problems.append(Problem(start + 1, 1, "", unknown_key(word, INSTRUCTIONS)))
            continue
        name = ""
        if word in ("PARAMETER", "MESSAGE"):
            name, _, rest = rest.strip().partition(" ")
        rest = rest.strip()
        if rest.startswith(TRIPLE):
            value, at = _triple(lines, start, problems)
        else:
            value = _single(rest, start, problems)
        yield _Entry(line=start + 1, word=word, name=name.lower(), value=value)


def _triple(lines: list[str], start: int, problems: list[Problem]) -> tuple[str, int]:
    """The text up to the next triple quotes, and the line after it."""
    whole = "\n".join([lines[start].split(TRIPLE, 1)[1], *lines[start + 1 :]])
    value, end, after = whole.partition(TRIPLE)
    if not end:
        problems.append(Problem(start + 1, 1, "", "triple quotes are opened and never closed"))
        return value, len(lines)
    last = start + value.count("\n")
    if after.partition("\n")[0].strip():
        problems.append(Problem(last + 1, 1, "", "text after the closing triple quotes"))
    return value, last + 1


def _single(rest: str, start: int, problems: list[Problem]) -> str:
    if not rest.startswith('"'):
        return rest
    if len(rest) < 2 or not rest.endswith('"'):  # noqa: PLR2004 - both quotes
        problems.append(Problem(start + 1, 1, "", 'a quote is opened and never closed; use """'))
        return rest
    return rest[1:-1]


def _parameters(entries: list[_Entry], problems: list[Problem]) -> Iterator[tuple[str, Value]]:
    seen: dict[str, int] = {}
    for entry in entries:
        if entry.name not in KINDS:
            message = unknown_key(entry.name, KINDS)
            problems.append(Problem(entry.line, 1, "PARAMETER", message))
        elif entry.name in seen and entry.name != "stop":
            message = f"stands twice; first in line {seen[entry.name]}"
            problems.append(Problem(entry.line, 1, entry.name, message))
        elif (value := _typed(KINDS[entry.name], entry.value)) is None:
            expected = {int: "a whole number", float: "a number", bool: "true or false"}
            message = f"must be {expected[KINDS[entry.name]]}, found {shown(entry.value)}"
            problems.append(Problem(entry.line, 1, entry.name, message))
        else:
            seen.setdefault(entry.name, entry.line)
            yield entry.name, value


def _typed(kind: type, text: str) -> Value | None:
    """The value as its type; None where the text is none, or no finite number."""
    if kind is str:
        return text
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower())
    try:
        number = int(text) if kind is int else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _line(text: str) -> str:
    if "\n" in text or not text.strip() or text != text.strip() or text.startswith('"'):
        raise UsageError(f"{shown(text)} cannot stand on one line of a Modelfile")
    return text


def _quoted(text: str) -> str:
    if TRIPLE in text or text.endswith('"'):
        raise UsageError(
            f"a text with triple quotes, or a quote at its end, cannot be written: {shown(text)}",
            remedy="remove the quotes from the text",
        )
    return f"{TRIPLE}{text}{TRIPLE}"


def _parameter(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value) if '"' in value or "\n" in value else f'"{value}"'
    return str(value)
