"""What a source says: `pypi:DIST:FILE`, `hf:ORG/NAME[:FILE]`, `https:`, `file:`, `build:`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

from pytest_modelqa.core.errors import UsageError

Scheme = Literal["pypi", "hf", "https", "file", "build"]

_PART = r"(?!\.)[^/\\:\x00-\x1f\x7f]+"
PATH = rf"{_PART}(?:/{_PART})*"
"""A relative path that stays in its folder, written one way only; hidden files are no model's."""

_PATH = re.compile(PATH)
_FORMS: dict[Scheme, tuple[str, str]] = {
    "pypi": (
        rf"pypi:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*):(?P<file>{PATH})",
        "pypi:DISTRIBUTION:FILE",
    ),
    "hf": (
        rf"hf:(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*)(?::(?P<file>{PATH}))?",
        "hf:ORG/NAME[:FILE]",
    ),
    "https": (
        r"(?P<name>(?:https://|http://(?:localhost|127\.0\.0\.1|\[::1\])[:/])[^\s\\?#@]+)",
        "https://HOST/FILE, or https://HOST/FOLDER/ (http: to this machine only)",
    ),
    "file": (r"file:(?P<name>[^\x00]+)", "file:PATH"),
    "build": (r"build:(?P<name>[a-z0-9][a-z0-9_-]*)", "build:NAME"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source, taken apart. `file` is empty where a whole folder is meant, or not known yet.

    `name` is a distribution, a repository, an address, a path, or a builder.
    """

    text: str
    scheme: Scheme
    name: str
    file: str = ""

    @property
    def single(self) -> bool:
        """Whether it is one file and no folder; of `file:` only the disk knows, it says False."""
        return bool(self.file)


def parse(text: str) -> Source:
    """Take a source apart. Raises UsageError with the form it should have."""
    scheme = cast(Scheme, "https" if text.startswith("http:") else text.partition(":")[0])
    if scheme not in _FORMS:
        raise UsageError(f"{text!r} is no source", remedy="pypi:, hf:, https:, file: or build:")
    pattern, form = _FORMS[scheme]
    match = re.fullmatch(pattern, text)
    if match is None:
        raise UsageError(f"{text!r} is not {form}", remedy=f"write {form}")
    file = match.groupdict().get("file") or ""
    if scheme == "https" and not text.endswith("/"):
        file = text.rsplit("/", 1)[1]
        if not _PATH.fullmatch(file):
            raise UsageError(f"{text!r} names no file", remedy=f"write {form}")
    return Source(text=text, scheme=scheme, name=match["name"], file=file)


def is_path(name: object) -> bool:
    """Whether this is a relative path that stays in its folder, in its one spelling."""
    return isinstance(name, str) and bool(_PATH.fullmatch(name))
