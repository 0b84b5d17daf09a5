"""One GET of the standard library's client, continued from an offset, with errors sorted.

Only https, and http to this machine; a redirect leads nowhere else, and takes no credentials to
another host.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pytest_modelqa.core.errors import UsageError

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SAFE = "/:?&=%+,;~@!$'()*[]"
"""What has a meaning in an address, and is not to be quoted (RFC 3986)."""

_PASSING = {408, 425, 429, 500, 502, 503, 504}
"""Answers that a later attempt may better (RFC 9110; 425 is RFC 8470, 429 RFC 6585)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where bytes are: an address, and what to send with the question."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class GaveUp(Exception):
    """This mirror will not give the file. `wrong`: it gave other bytes than the pin says."""

    def __init__(self, why: str, *, wrong: bool = False) -> None:
        super().__init__(why)
        self.wrong = wrong


class TryAgain(Exception):
    """A passing trouble. `after_s` is the server's wish; `tries` bounds what it deserves.

    `restart`: what was got so far does not help.
    """

    def __init__(
        self, why: str, *, after_s: float = 0.0, tries: int = 1 << 30, restart: bool = False
    ) -> None:
        super().__init__(why)
        self.after_s = after_s
        self.tries = tries
        self.restart = restart


def checked(url: str) -> str:
    """The address, if it may be asked. Raises UsageError."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise UsageError(f"{url!r} is no address: {error}") from error
    if not host or not (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        raise UsageError(f"{url!r} is not https:", remedy="give an https: address")
    if parts.username or parts.password:
        raise UsageError("an address holds a user or a password", remedy="leave them out")
    return url


def get(location: Location, start: int, timeout_s: float) -> Any:
    """The open answer (`http.client.HTTPResponse`) from byte `start` on. Raises the two above."""
    url = quote(checked(location.url), safe=_SAFE)
    request = Request(url, headers={"Accept-Encoding": "identity"})  # noqa: S310 - checked
    request.add_header("User-Agent", "pytest-modelqa")
    for name, value in location.headers.items():
        request.add_header(name, value)
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        return build_opener(_Redirects).open(request, timeout=timeout_s)
    except HTTPError as error:
        error.close()
        raise _judged(error) from error
    except URLError as error:
        raise _unreachable(error.reason) from error
    except (OSError, HTTPException) as error:
        raise _unreachable(error) from error
    except ValueError as error:  # a host name or a header that cannot be sent
        raise GaveUp(f"it cannot be asked: {error}") from error


def _judged(error: HTTPError) -> GaveUp | TryAgain:
    said = f"HTTP {error.code} {error.reason}"
    if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return TryAgain(said, restart=True)
    if error.code in _PASSING:
        return TryAgain(said, after_s=_seconds(error.headers.get("Retry-After", "")))
    if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        said += " (is HF_TOKEN set, and the model's licence accepted on its page?)"
    return GaveUp(said.replace("\n", " "))


def _unreachable(reason: object) -> TryAgain:
    """Where nobody listens, or the name is not known, a second look is enough."""
    nobody = isinstance(reason, ConnectionRefusedError | socket.gaierror)
    text = f"{type(reason).__name__}: {reason}" if isinstance(reason, Exception) else str(reason)
    return TryAgain(text, tries=2 if nobody else 1 << 30)


def _seconds(after: str) -> float:
    """Retry-After is a number of seconds or a date (RFC 9110, 10.2.3); nonsense is 0."""
    if after.isascii() and after.strip().isdigit():
        return float(after)
    try:
        then = parsedate_to_datetime(after)
    except (TypeError, ValueError):
        return 0.0
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())


class _Redirects(HTTPRedirectHandler):
    """The library bounds their number and detects loops; this bounds where they lead."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Follow to an allowed address; credentials stay with the host they were meant for."""
        try:
            checked(newurl)
        except UsageError as error:
            raise GaveUp(f"it redirects to an address that is not https: {newurl}") from error
        if urlsplit(newurl).scheme != "https" and urlsplit(req.full_url).scheme == "https":
            raise GaveUp(f"it redirects from https: to {newurl}")
        new = super().redirect_request(req, fp, code, msg, headers, newurl)
        if new is not None and urlsplit(newurl).netloc != urlsplit(req.full_url).netloc:
            new.remove_header("Authorization")
            new.remove_header("Cookie")
        return new
