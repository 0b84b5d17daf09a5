"""What the APR reader says at its bounds, to the last word."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pytest_modelqa.artifacts.apr import parse
from tests.artifacts.corrupt import Entry, W, apr_bytes

Said = list[tuple[str, str, str, int]]


def said(data: bytes) -> Said:
    seen = parse(data)
    assert all(f.severity == "error" for f in seen.findings)
    return [(f.code, f.where, f.message, f.offset) for f in seen.findings]


def one(entry: Entry, data: bytes = b"") -> bytes:
    """A file of one tensor, whose data begins at byte 192."""
    return apr_bytes([entry], data=data)


def test_bytes_that_are_no_padding_are_told_from_the_first_alignment_on() -> None:
    """63 bytes may stand before a multiple of 64, and never 64."""
    sound = one(W, bytes(24 + 63))
    assert said(sound) == []
    told = ("APR-TRAILING", "file", "64 bytes belong to no tensor", 192 + 24)
    assert said(one(W, bytes(24 + 64))) == [told]


def test_padding_of_the_index_is_told_from_the_first_alignment_on() -> None:
    """An index that ends at a multiple of 64 has no padding."""
    entry = ("n" * 28, *W[1:])
    assert said(one(entry, bytes(24))) == []
    later = apr_bytes([entry], data=bytes(64 + 24), header={"data": 256})
    told = "64 bytes between index and data are not its padding"
    assert said(later) == [("APR-LAYOUT", "data offset", told, 192)]


def test_the_checksum_of_a_file_is_of_all_its_pieces() -> None:
    """It is taken of 16 MiB at a time."""
    size = (16 << 20) + 64
    assert said(one(("w", 7, (size,), 0, size), bytes(size))) == []


FOUND: Mapping[str, tuple[bytes, Said]] = {
    "a long name that is no UTF-8": (
        one((b"\xff" * 50, 0, (2, 3), 0, 24)),  # type: ignore[arg-type]
        [("APR-NAME", repr(b"\xff" * 40), "is no UTF-8", 130)],
    ),
    "a long name out of order": (
        apr_bytes([("w" * 81, *W[1:]), ("v", 0, (2, 3), 64, 24)]),
        [("APR-ORDER", "v", f"stands after {'w' * 80}; the index is searched as sorted by name",
          245)],
    ),
    "an offset and a size of 2**63": (
        one(("w", 0, (2, 3), 1 << 63, 1 << 63)),
        [("APR-SIZE", "w", "F32 [2, 3] takes 24 bytes, not 9,223,372,036,854,775,808", 128),
         ("APR-TRUNCATED", "w", "ends at byte 18,446,744,073,709,551,808, the data at 192", 128)],
    ),
    "as many weights as can be": (
        one(("w", 6, (1 << 62,), 0, 0)),
        [("APR-SIZE", "w", "I8 [4611686018427387904] takes 4,611,686,018,427,387,904 bytes, not 0",
          128)],
    ),
    "one block of no bytes": (
        one(("w", 128, (), 0, 0)),
        [("APR-SIZE", "w", "Q4 [] takes 18 bytes, not 0", 128)],
    ),
    "more rows than a float can count": (
        one(("w", 128, ((1 << 53) + 1, 1), 0, ((1 << 53) + 1) * 18)),
        [("APR-TRUNCATED", "w", "ends at byte 162,129,586,585,338,066, the data at 192", 128)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_what_is_wrong_is_told(name: str) -> None:
    data, told = FOUND[name]
    assert said(data) == told
