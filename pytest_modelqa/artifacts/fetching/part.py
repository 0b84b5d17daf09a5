"""A file that is not whole yet: appended to, hashed as it grows, and never under a final name."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import TracebackType

from pytest_modelqa.core.errors import OutputError

_CHUNK = 1 << 20


class Part:
    """Opens or continues `path`; what is already there is hashed again first.

    `size` counts bytes. Raises OutputError where the disk does not take what it is given.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._hash = hashlib.sha256()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise _unwritable(path, error) from error
        self._file = os.fdopen(fd, "r+b")
        while chunk := self._file.read(_CHUNK):
            self._hash.update(chunk)
            self.size += len(chunk)

    def __enter__(self) -> Part:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._file.close()

    def append(self, chunk: bytes) -> None:
        """Write and hash; a process that is killed next loses none of it."""
        try:
            self._file.write(chunk)
            self._file.flush()
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._hash.update(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        """Forget everything that is here."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.sha256()
        self.size = 0

    def sha256(self) -> str:
        """The hash of what is here now."""
        return self._hash.hexdigest()

    def finish(self) -> None:
        """Have the bytes on the disk: nothing is renamed before."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from error


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write the cache: {error.strerror or error}",
        where=str(path),
        remedy="free space, or set MODELQA_CACHE to a folder that can be written",
    )
