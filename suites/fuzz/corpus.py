"""The inputs that once broke something, kept to be read again for ever.

`corpus/TARGET/DIGEST/` holds the files of one input as they are; a JSON text for the targets that
compute. Sound inputs are not kept: the targets make them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from pytest_modelqa.core.errors import OutputError
from suites.fuzz import files
from suites.fuzz.outcome import Failure, Outcome
from suites.fuzz.targets import NUMERIC

FOLDER = Path(__file__).parent / "corpus"


def inputs(target: str, folder: Path = FOLDER) -> Iterator[tuple[str, files.Files]]:
    """The kept inputs of a target, each with its name."""
    for path in sorted((folder / target).glob("*")):
        if path.is_dir():
            yield path.name, files.read(path)


def keep(outcome: Outcome, folder: Path = FOLDER) -> list[Path]:
    """Keep the first input of every defect of a run. Raises OutputError."""
    kept = []
    for failure in outcome.failures:
        place = folder / outcome.target / files.digest(failure.files)
        try:
            files.write(failure.files, place)
        except OSError as error:
            raise OutputError(
                f"cannot keep a failing input: {error}",
                where=str(place),
                remedy="give a folder that can be written: --corpus DIR",
            ) from error
        kept.append(place)
    return kept


def broken_again(target: str, folder: Path = FOLDER) -> dict[str, tuple[Failure, ...]]:
    """The kept cases of a target that computes which still break something, by name.

    The target, and what it computes with, is imported only where it has a case.
    """
    found = {}
    for name, kept in inputs(target, folder):
        from suites.fuzz import numeric  # noqa: PLC0415 - numpy

        made = import_module(NUMERIC[target]).TARGET
        if failures := numeric.replay(made, json.loads(kept[numeric.CASE])):
            found[name] = failures
    return found
