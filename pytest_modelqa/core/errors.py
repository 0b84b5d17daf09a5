"""Every error that a person meets, and every exit code.

ModelQAError                the root: what happened, where, what to run next
+- UsageError               the input is wrong: playbook, option, lockfile
|  +- PlaybookError         one or more problems in a playbook, each with its position
+- Unavailable              something is missing here: an extra, a GPU, a file; says how to get it
+- Refused                  an artifact is not fit to be opened, or its engine declined it
+- OutputError              evidence or reports cannot be written
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns. 0 to 5 mean what they mean to pytest; our own start at 10."""

    OK = 0
    FAILED = 1
    INTERRUPTED = 2
    INTERNAL = 3
    USAGE = 4
    NOTHING_RAN = 5
    MODEL_LOAD = 10
    BLOCKED = 11
    OUTPUT = 12

    @property
    def meaning(self) -> str:
        """One sentence for the documentation and for `modelqa exit-codes`."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "everything that was asked for ran, and nothing was falsified",
    ExitCode.FAILED: "at least one case was falsified, crashed or timed out "
    "(under --modelqa-strict also: unavailable or inconclusive)",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C; evidence up to that moment is kept",
    ExitCode.INTERNAL: "a defect of pytest-modelqa itself; please report the traceback",
    ExitCode.USAGE: "wrong input: no such playbook, invalid YAML, schema error, unknown option",
    ExitCode.NOTHING_RAN: "no case ran: the selection is empty, or everything was unavailable",
    ExitCode.MODEL_LOAD: "a model file is missing, corrupt, or not what its pin says",
    ExitCode.BLOCKED: "the ship decision is BLOCKED, though no case failed: a gate is undecided "
    "or was not run, or the overall score is too low (of `modelqa report`: it is BLOCKED)",
    ExitCode.OUTPUT: "evidence or reports could not be written (disk full, read-only folder)",
}


class ModelQAError(Exception):
    """The root. `where` is a file, cell or position; `remedy` is what to do or run next."""

    exit_code = ExitCode.INTERNAL

    def __init__(self, what: str, *, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  try: {self.remedy}" if self.remedy else head


class UsageError(ModelQAError):
    """The user's input is wrong; nothing was run."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file. `line` and `column` count from 1; `path` is the key, `a.b[2]`."""

    line: int
    column: int
    path: str
    message: str


class PlaybookError(UsageError):
    """All the mistakes of one playbook at once; printed one a line as file:line:column."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = sorted(problems)
        count = len(problems)
        super().__init__(f"{count} problem{'s' if count > 1 else ''}", where=file)

    def __str__(self) -> str:
        lines = []
        for p in self.problems:
            path = f"{p.path}: " if p.path else ""
            lines.append(f"{self.file}:{p.line}:{p.column}: {path}{p.message}")
        return "\n".join(lines)


class Unavailable(ModelQAError):
    """Something needed is not here. Never a pass; `remedy` is the command that gets it."""

    exit_code = ExitCode.NOTHING_RAN


class Refused(ModelQAError):
    """The artifact is not fit to be opened: header, hash, architecture. Falsified, not skipped."""

    exit_code = ExitCode.MODEL_LOAD


class OutputError(ModelQAError):
    """Evidence or a report cannot be written."""

    exit_code = ExitCode.OUTPUT


def missing_extra(feature: str, package: str, extra: str) -> Unavailable:
    """Word a missing optional dependency, the same way everywhere."""
    return Unavailable(
        f"{feature} needs {package}, which is not installed",
        remedy=f'python -m pip install "pytest-modelqa[{extra}]"',
    )
