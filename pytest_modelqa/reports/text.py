"""Text of models and files, made safe to show: visible escapes instead of raw control characters.

A completion may hold anything: ANSI sequences that rewrite the screen, NUL, lone surrogates.
"""

from __future__ import annotations

import re

# The control characters (C0 but for tab and newline, DEL, C1), line separators, overrides of the
# writing direction, lone surrogates, and the code points that are no characters: XML 1.0 forbids
# most of them, and a terminal obeys the others.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
    + "".join(f"{chr((p << 16) + 0xFFFE)}{chr((p << 16) + 0xFFFF)}" for p in range(1, 17))
    + "]"
)


def printable(text: str) -> str:
    r"""Write unsafe characters as `\x1b` or `\ud800`; keep tabs, newlines and all the rest."""
    return _UNSAFE.sub(lambda m: m[0].encode("unicode_escape").decode("ascii"), text)


def one_line(text: str) -> str:
    """`printable`, with every run of white space as one space."""
    return " ".join(printable(text).split())


def shortened(text: str, most: int) -> str:
    """One line of at most `most` characters; the end gives way to `...`."""
    line = one_line(text)
    return line if len(line) <= most else line[: most - 3].rstrip() + "..."


def ascii_only(text: str) -> str:
    """For streams that may know nothing else: the others as backslash escapes."""
    return text.encode("ascii", "backslashreplace").decode("ascii")


def count(number: int, noun: str) -> str:
    """`1 case`, `2 cases`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
