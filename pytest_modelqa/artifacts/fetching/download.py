"""Mirrors in turn, attempts with backoff, resume at the byte where it stopped."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import Any

from pytest_modelqa.artifacts.fetching.http import GaveUp, Location, TryAgain, get
from pytest_modelqa.artifacts.fetching.part import Part
from pytest_modelqa.artifacts.fetching.room import ensure_room
from pytest_modelqa.artifacts.fetching.settings import Settings
from pytest_modelqa.core.errors import Refused, Unavailable

_CHUNK = 1 << 18
_PROGRESS = 1 << 20
"""Bytes that an attempt must bring to count as progress: a mirror that drips is left."""

_SLOWEST = 1024
"""Bytes a second: far below any line that a model could be fetched on."""

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the bytes must be: `sha256` empty or `bytes` None where nobody knows yet."""

    name: str
    sha256: str = ""
    bytes: int | None = None


def download(wanted: Wanted, locations: Sequence[Location], part: Part, settings: Settings) -> None:
    """Fill `part` with the wanted bytes, from the first location that gives them.

    Raises Refused (a mirror gave other bytes, and none the right ones) and Unavailable (none
    answered), each with what every location said.
    """
    failures = []
    wrong = False
    for location in locations:
        try:
            _from_mirror(wanted, location, part, settings)
        except GaveUp as failure:
            failures.append(f"{location.url}: {failure}")
            wrong = wrong or failure.wrong
        else:
            part.finish()
            return
    text = f"{wanted.name} could not be fetched: " + "; ".join(failures)
    if wrong:
        raise Refused(text, remedy="correct the pin, or use another source")
    raise Unavailable(text, remedy="check the network, HF_ENDPOINT and HF_TOKEN")


def _from_mirror(wanted: Wanted, location: Location, part: Part, settings: Settings) -> None:
    failed, best = 0, part.size
    while True:
        try:
            _attempt(wanted, location, part, settings)
        except TryAgain as trouble:
            if trouble.restart:
                part.restart()
            failed = 1 if part.size - best >= _PROGRESS else failed + 1
            best = max(best, part.size)
            if failed >= min(settings.attempts, trouble.tries):
                raise GaveUp(f"{trouble} ({failed} attempts)") from trouble
            _wait(failed, trouble.after_s, settings)
        else:
            return


def _wait(failed: int, after_s: float, settings: Settings) -> None:
    if after_s > settings.longest_wait_s:
        raise GaveUp(f"it asks to be left alone for {after_s:.0f} s")
    jitter = random.uniform(0.75, 1.25)  # noqa: S311 - spreads clients, guards nothing
    time.sleep(max(after_s, settings.backoff_s * 2 ** (failed - 1) * jitter))


def _attempt(wanted: Wanted, location: Location, part: Part, settings: Settings) -> None:
    """One request, none where the bytes are here; it ends with them, or with a reason."""
    if _whole(wanted, part):
        return
    if not wanted.sha256 or (wanted.bytes is not None and part.size >= wanted.bytes):
        part.restart()  # nothing to continue, or nothing could tell whether it was continued
    resumed = part.size > 0
    with get(location, part.size, settings.timeout_s) as answer:
        _receive(wanted, answer, part, settings)
    if not wanted.sha256 or _whole(wanted, part):
        return
    found = part.sha256()
    part.restart()
    if resumed:
        raise TryAgain(f"what was continued has sha256 {found}")
    raise GaveUp(f"its sha256 is {found}, the pin says {wanted.sha256}", wrong=True)


def _whole(wanted: Wanted, part: Part) -> bool:
    return part.sha256() == wanted.sha256


def _receive(wanted: Wanted, answer: Any, part: Part, settings: Settings) -> None:
    total, start = _offered(answer, part)
    _acceptable(wanted, total, part, known_end=total is not None or answer.chunked)
    if start == 0:
        part.restart()
    total = wanted.bytes if total is None else total
    pace = _Pace(settings.timeout_s)
    while chunk := _read(answer):
        part.append(chunk)
        settings.progress(wanted.name, part.size, total)
        if total is not None and part.size > total:
            size = part.size
            part.restart()
            raise GaveUp(f"it sends more than {total} bytes ({size})", wrong=True)
        if part.size != total:
            pace.saw(len(chunk))
    if total is not None and part.size < total:
        raise TryAgain(f"the connection was cut at {part.size} of {total} bytes")


def _offered(answer: Any, part: Part) -> tuple[int | None, int]:
    """The size of the whole file, where the server says it, and the byte it begins at."""
    if answer.status != HTTPStatus.PARTIAL_CONTENT:
        said = answer.headers.get("Content-Length", "")
        return (int(said) if said.isascii() and said.isdigit() else None), 0
    match = _RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    if match is None or int(match[1]) != part.size:
        raise TryAgain("it continued at another byte than asked for", restart=True)
    return (None if match[2] == "*" else int(match[2])), part.size


def _acceptable(wanted: Wanted, total: int | None, part: Part, *, known_end: bool) -> None:
    """Looked at before anything that is here is given up for it."""
    if wanted.bytes is not None and total not in (None, wanted.bytes):
        raise GaveUp(f"it has {total} bytes, the pin says {wanted.bytes}", wrong=True)
    if not wanted.sha256 and not known_end:
        raise GaveUp("it does not say how long the file is: a cut one could not be told")
    if wanted.bytes is None and total is not None:
        ensure_room(part.path.parent, total - part.size)


class _Pace:
    """A server that drips is as good as one that stalls."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._since = time.monotonic()
        self._bytes = 0

    def saw(self, count: int) -> None:
        """Raises TryAgain where a window brought fewer than _SLOWEST bytes a second."""
        self._bytes += count
        seconds = time.monotonic() - self._since
        if seconds < self._window_s:
            return
        if self._bytes < _SLOWEST * seconds:
            raise TryAgain(f"it sends {self._bytes / seconds:.0f} bytes a second")
        self._since, self._bytes = time.monotonic(), 0


def _read(answer: Any) -> bytes:
    try:
        return bytes(answer.read1(_CHUNK))
    except (OSError, HTTPException) as error:
        raise TryAgain(f"{type(error).__name__}: {error}") from error
