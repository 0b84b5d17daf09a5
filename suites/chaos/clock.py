"""A wall clock that jumps: by as many seconds as the file in MODELQA_CHAOS_CLOCK says just then.

Only the wall clock: `time.monotonic` goes on as it does when an administrator or NTP sets the time.
"""

from __future__ import annotations

import datetime
import os
import time
from pathlib import Path
from typing import Self

from suites.chaos.naming import CLOCK

_AT_START = "from suites.chaos.clock import falsify\n\nfalsify()\n"

_right_time, _right_time_ns = time.time, time.time_ns


class _Wrong(datetime.datetime):
    """The class as it is, but for the present moment."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Self:
        """The right time, and the error of this moment."""
        return super().now(tz) + datetime.timedelta(seconds=wrong_by())


def wrong_by() -> float:
    """The error of the wall clock now, in seconds."""
    try:
        return float(Path(os.environ[CLOCK]).read_text())
    except (OSError, KeyError, ValueError):
        return 0.0


def falsify() -> None:
    """From now on, whoever asks this process for the time gets the wrong one."""
    datetime.datetime = _Wrong  # type: ignore[misc]
    time.time = lambda: _right_time() + wrong_by()
    time.time_ns = lambda: _right_time_ns() + int(wrong_by() * 1e9)


def falsify_all(folder: Path) -> None:
    """The same, and in every Python that this process starts: each finds `folder` on its path."""
    falsify()
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_AT_START)
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
