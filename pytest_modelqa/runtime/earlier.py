"""Answers of earlier runs, by key: an interrupted run goes on, a repeated one is instant."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_modelqa.core.answer import Failure, Logits
from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.core.wire import decode_answer
from pytest_modelqa.runtime.pool import Answered
from pytest_modelqa.runtime.store import SUFFIX, is_cut, read


class Earlier:
    """The evidence of some folders. Raises UsageError for a folder that does not exist."""

    def __init__(self, folders: Iterable[Path] = ()) -> None:
        self._records: dict[str, tuple[Path, dict[str, Any]]] = {}
        for folder in folders:
            if not folder.is_dir():
                raise UsageError(
                    "there is no such folder to resume from",
                    where=str(folder),
                    remedy="give the folder that --modelqa-report named in the earlier run",
                )
            if any(folder.glob(f"*{SUFFIX}")):
                for record in read([folder]):
                    if record["type"] == "answer":
                        self._records[record["key"]] = (folder, record)

    def take(self, key: str, arrays: Path) -> Answered | None:
        """The answer under a key, if it is whole and no failure; its arrays come to `arrays`.

        Failures are asked again: a crash or a time-out may have been the machine's.
        """
        folder, record = self._records.get(key, (Path(), {}))
        if not record or is_cut(record["answer"]):
            return None
        answer = decode_answer(record["answer"])
        if isinstance(answer, Failure):
            return None
        if isinstance(answer, Logits) and not _brought(folder / answer.file, answer, arrays):
            return None
        return Answered(answer=answer, seconds=record["seconds"])


def _brought(file: Path, answer: Logits, arrays: Path) -> bool:
    """Link or copy an array beside the new evidence, unless it is gone or was changed."""
    target = arrays / file.name
    try:
        if hashlib.sha256(file.read_bytes()).hexdigest() != answer.sha256:
            return False
        if not target.exists():
            arrays.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file, target)
            except OSError:
                shutil.copyfile(file, target)
    except OSError:
        return False
    return True
