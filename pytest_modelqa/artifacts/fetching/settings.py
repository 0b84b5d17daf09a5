"""How patient a fetch is, what it may do, and whom it tells."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pytest_modelqa.core.errors import UsageError

OFFLINE = ("MODELQA_OFFLINE", "HF_HUB_OFFLINE")
_TRUE = {"1", "true", "yes", "on"}

Progress = Callable[[str, int, int | None], None]
"""Told the name of a file, the bytes that are here, and how many there will be, where known."""


def unsaid(_line: str) -> None:
    """Tell nobody."""


def silent(_name: str, _done: int, _total: int | None) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """`attempts` counts tries of one mirror that bring nothing; `timeout_s` is for each read.

    `backoff_s` doubles with each attempt; a server's Retry-After beyond `longest_wait_s` is not
    waited for. `accepted` holds the ids of entries whose licences the user has accepted.
    """

    offline: bool = False
    verify: bool = False
    accepted: frozenset[str] = frozenset()
    attempts: int = 4
    timeout_s: float = 20.0
    backoff_s: float = 0.5
    longest_wait_s: float = 120.0
    progress: Progress = silent
    say: Callable[[str], None] = unsaid


def from_environment(
    *,
    offline: bool = False,
    verify: bool = False,
    accepted: Iterable[str] = (),
    progress: Progress = silent,
    say: Callable[[str], None] = unsaid,
) -> Settings:
    """What was asked for, or what the environment says. Raises UsageError on a bad number."""
    said = os.environ.get("MODELQA_ACCEPT_LICENCE", "").replace(",", " ").split()
    return Settings(
        offline=offline or any(os.environ.get(n, "").lower() in _TRUE for n in OFFLINE),
        verify=verify,
        accepted=frozenset((*accepted, *said)),
        attempts=_positive("MODELQA_FETCH_ATTEMPTS", Settings().attempts),
        timeout_s=_positive("MODELQA_FETCH_TIMEOUT", int(Settings().timeout_s)),
        progress=progress,
        say=say,
    )


def _positive(name: str, default: int) -> int:
    given = os.environ.get(name, "")
    if not given:
        return default
    if not given.isascii() or not given.isdigit() or int(given) < 1:
        raise UsageError(f"{name}={given!r} is no whole number from 1", remedy=f"unset {name}")
    return int(given)
