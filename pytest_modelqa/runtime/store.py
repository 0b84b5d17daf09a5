"""Evidence on disk: append-only JSON lines, one file per process, flushed per record.

Every line carries `crc`, the CRC-32 of the rest as canonical JSON. A torn last line (the process
was killed while writing) is left out; a wrong checksum anywhere else is an error.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_modelqa.core.answer import Answer, Generation
from pytest_modelqa.core.errors import OutputError, UsageError
from pytest_modelqa.core.ids import canonical, digest
from pytest_modelqa.core.wire import encode

SUFFIX = ".evidence.jsonl"


LONGEST_TEXT = 16_384
"""Characters of a text that evidence keeps; the rest is known by its hash."""

_CUT = "text_sha256"
_CRC_LENGTH = len(',"crc":"01234567"}')


def written(answer: Answer) -> dict[str, Any]:
    """An answer as evidence keeps it: a text beyond 16,384 characters is cut, and hashed whole."""
    body: dict[str, Any] = encode(answer)
    if isinstance(answer, Generation) and len(answer.text) > LONGEST_TEXT:
        body["text"] = answer.text[:LONGEST_TEXT]
        body[_CUT] = digest(answer.text)
    return body


def is_cut(body: dict[str, Any]) -> bool:
    """True for an answer that evidence does not hold in full."""
    return bool(body.get(_CUT))


class Store:
    """Appends records to a file of its own in `folder`. Raises OutputError when that fails."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.path = folder / f"{name}{SUFFIX}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    @property
    def arrays(self) -> Path:
        """Where large arrays lie, beside the evidence."""
        return self.folder / "arrays"

    @property
    def logs(self) -> Path:
        """Where workers write what native code prints."""
        return self.folder / "logs"

    def write(self, record: dict[str, Any]) -> None:
        """Append one record as one line."""
        body = canonical(record)
        crc = f"{zlib.crc32(body.encode('ascii')):08x}"
        line = (body[:-1] + f',"crc":"{crc}"}}\n').encode("ascii")
        before = os.fstat(self._fd).st_size
        try:
            while line:
                line = line[os.write(self._fd, line) :]
        except OSError as error:
            with suppress(OSError):  # else the next line would go on where this one was torn
                os.ftruncate(self._fd, before)
            raise _unwritable(self.path, error) from error

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def read(folders: list[Path]) -> Iterator[dict[str, Any]]:
    """Every record of every evidence file in `folders`, file by file in order of their names.

    Names begin with the time at which their run began, so the latest comes last, whatever its
    folder is called.
    Raises UsageError when there is none, or when a line other than the last is damaged.
    """
    found = (f for folder in folders for f in folder.glob(f"*{SUFFIX}"))
    files = sorted(found, key=lambda f: (f.name, str(f)))
    if not files:
        where = ", ".join(map(str, folders))
        raise UsageError(
            f"no *{SUFFIX} here", where=where, remedy="pytest --playbook FILE --modelqa-report DIR"
        )
    for file in files:
        yield from _records(file)


def _records(file: Path) -> Iterator[dict[str, Any]]:
    lines = file.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        record = _checked(line)
        if record is not None:
            yield record
        elif number < len(lines):
            raise UsageError("damaged line: the checksum does not match", where=f"{file}:{number}")


def _checked(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or "crc" not in record:
        return None
    crc = record.pop("crc")
    if crc == f"{zlib.crc32(line[:-_CRC_LENGTH] + b'}'):08x}":
        return record  # as it was written: the canonical text need not be made again
    body = canonical(record).encode("ascii")
    return record if crc == f"{zlib.crc32(body):08x}" else None


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write evidence: {error.strerror or error}",
        where=str(path),
        remedy="choose another folder with --modelqa-report DIR",
    )
