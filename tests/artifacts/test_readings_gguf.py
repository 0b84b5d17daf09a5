"""What the GGUF reader says where a file ends early and at its bounds, to the last word."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.gguf import MAX_HEADER_BYTES, MAX_KEYS, MAX_TENSORS, parse
from tests.artifacts.corrupt import NORM, ONE_KEY, info, start
from tests.artifacts.made import gguf_bytes, text
from tests.artifacts.test_gguf import nested

Said = list[tuple[str, str, str, int]]

ONE_TENSOR = start(tensors=1)
HUGE = 2**64 - 1
"""Read as a signed number it is -1."""
_HUGE = f"{HUGE:,}"


def said(seen: gguf.Header) -> Said:
    assert all(f.severity == "error" for f in seen.findings)
    return [(f.code, f.where, f.message, f.offset) for f in seen.findings]


def texts(*raw: bytes) -> bytes:
    """A file of one key, whose value is an array of texts; it ends with the last of them."""
    items = b"".join(struct.pack("<Q", len(r)) + r for r in raw)
    return ONE_KEY + struct.pack("<IIQ", 9, 8, len(raw)) + items


CUTS: Mapping[str, tuple[bytes, str, int, int, int]] = {
    "version": (start()[:7], "version", 4, 3, 4),
    "tensor count": (start()[:15], "tensor count", 8, 7, 8),
    "key count": (start()[:23], "key count", 8, 7, 16),
    "length of a key": (start(keys=2) + text("k") + struct.pack("<IQ", 8, 1) + b"v" + bytes(7),
                        "metadata key", 8, 7, 46),
    "value type": (start(keys=1) + text("longer") + bytes(3), "longer", 4, 3, 38),
    "length of a text": (ONE_KEY + struct.pack("<I", 8) + bytes(7), "k", 8, 7, 37),
    "array's type": (ONE_KEY + struct.pack("<I", 9) + bytes(3), "k", 4, 3, 37),
    "array's length": (ONE_KEY + struct.pack("<II", 9, 8) + bytes(7), "k", 8, 7, 41),
    "array in an array": (ONE_KEY + nested(1)[:-1], "k", 12, 11, 49),
    "a text's length in an array": (texts(b"12345678", b"")[:-1], "k", 8, 7, 65),
    "a text after a long one": (texts(b"12345678", b"")[:-8], "k", 8, 0, 65),
    "a text in an array": (texts(b"", b"1234")[:-1], "k", 12, 11, 57),
    "all of a text in an array": (texts(b"1234")[:-4], "k", 12, 8, 49),
    "dimensions": (ONE_TENSOR + info(b"12345678901234567", (32,))[:28], "12345678901234567", 4, 3,
                   49),
    "shape": (ONE_TENSOR + info(b"name", (32, 2))[:-13], "name", 8, 7, 48),
    "tensor's type": (ONE_TENSOR + info(b"name", (32,))[:-9], "name", 4, 3, 48),
    "tensor's offset": (ONE_TENSOR + info(b"name", (32,))[:-1], "name", 8, 7, 52),
}  # fmt: skip
"""By what is cut: the file, where it is told, the bytes needed, those that remain, and from where.
"""


@pytest.mark.parametrize("name", CUTS)
def test_what_is_cut_is_told_with_the_bytes_that_it_needs(name: str) -> None:
    data, where, needed, left, at = CUTS[name]
    told = f"needs {needed} bytes, {left} remain"
    assert said(parse(data)) == [("GGUF-TRUNCATED", where, told, at)]


NUMBERS: Mapping[str, tuple[bytes, tuple[str, str, str, int]]] = {
    "version": (
        b"GGUF" + struct.pack("<I", 2**32 - 1) + bytes(16),
        ("GGUF-VERSION", "version", "4294967295; this reader knows 2 and 3", 4),
    ),
    "tensor count": (
        start(tensors=HUGE) + bytes(64),
        ("GGUF-COUNT", "tensor count", f"{_HUGE} do not fit the file", 8),
    ),
    "key count": (
        start(keys=HUGE) + bytes(64),
        ("GGUF-COUNT", "key count", f"{_HUGE} do not fit the file", 16),
    ),
    "length of a key": (
        start(keys=1) + struct.pack("<Q", HUGE) + bytes(64),
        ("GGUF-NAME-LENGTH", "metadata key", f"{_HUGE} bytes, at most 65,535", 24),
    ),
    "value type": (
        ONE_KEY + struct.pack("<I", 2**32 - 1) + bytes(64),
        ("GGUF-VALUE-TYPE", "k", "4294967295 is no value type", 33),
    ),
    "array's type": (
        ONE_KEY + struct.pack("<II", 9, 2**32 - 1) + bytes(64),
        ("GGUF-VALUE-TYPE", "k", "4294967295 is no value type", 37),
    ),
    "length of a text in an array": (
        ONE_KEY + struct.pack("<IIQQ", 9, 8, 1, HUGE) + bytes(64),
        ("GGUF-TRUNCATED", "k", "needs 18,446,744,073,709,551,623 bytes, 72 remain", 49),
    ),
    "dimensions": (
        ONE_TENSOR + text("a") + struct.pack("<I", 2**32 - 1) + bytes(64),
        ("GGUF-DIMS", "a", "4294967295 dimensions; 1 to 4 exist", 24),
    ),
    "shape": (
        ONE_TENSOR + info(b"a", (HUGE,)) + bytes(64),
        ("GGUF-TRUNCATED", "a", "ends at byte 73,786,976,294,838,206,524, the file at 121", 24),
    ),
    "tensor's type": (
        ONE_TENSOR + info(b"a", (32,), 2**32 - 1) + bytes(64),
        ("GGUF-TENSOR-TYPE", "a", "4294967295 is no type that this reader knows", 24),
    ),
    "tensor's offset": (
        gguf_bytes({}, [("a", (32,), 0, bytes(128))], offsets={"a": 2**64 - 32}),
        ("GGUF-TRUNCATED", "a", "ends at byte 18,446,744,073,709,551,776, the file at 192", 24),
    ),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_largest_numbers_are_no_negative_ones(name: str) -> None:
    data, finding = NUMBERS[name]
    assert said(parse(data))[0] == finding


@pytest.mark.parametrize("field", ["tensors", "keys"])
def test_as_many_are_begun_as_are_allowed_and_could_fit(field: str) -> None:
    least, limit = {"tensors": (24, MAX_TENSORS), "keys": (13, MAX_KEYS)}[field]
    for count in (1, limit):
        begun = said(parse(start(**{field: count}) + bytes(count * least)))
        assert [(code, told) for code, _, told, _ in begun] == [("GGUF-NAME-LENGTH", "is empty")]
    where, at = {"tensors": ("tensor count", 8), "keys": ("key count", 16)}[field]
    for count, size in ((2, 2 * least - 1), (limit + 1, (limit + 1) * least)):
        refused = ("GGUF-COUNT", where, f"{count:,} do not fit the file", at)
        assert said(parse(start(**{field: count}) + bytes(size))) == [refused]


def test_a_header_beyond_the_limit_is_told_so_though_its_file_holds_it(tmp_path: Path) -> None:
    """The file ends with the array. It is a hole, which takes no disk."""
    file = tmp_path / "model.gguf"
    count = MAX_HEADER_BYTES
    with file.open("wb") as stream:
        at = stream.write(ONE_KEY + struct.pack("<IIQ", 9, 0, count))
        stream.truncate(at + count)
    told = "the header does not end within 67,108,864 bytes"
    assert said(gguf.read(file)) == [("GGUF-HEADER-SIZE", "k", told, at)]


def test_an_array_may_end_with_its_file() -> None:
    """Nothing stands after it: no tensor, no padding."""
    for data, value in (
        (texts(b"one", b""), ("one", "")),
        (texts(b"", b"last"), ("", "last")),
        (ONE_KEY + nested(1), ((),)),
    ):
        seen = parse(data)
        assert said(seen) == []
        assert seen.metadata == {"k": value}


def test_texts_of_an_array_that_are_no_utf_8_keep_their_bytes() -> None:
    seen = parse(texts("é".encode(), b"\xff\x80"))
    assert said(seen) == []
    assert seen.metadata == {"k": ("é", "\udcff\udc80")}


@pytest.mark.parametrize("raw", [b"\x80", b"\xff", "é".encode() + b"\xc3"])
def test_a_name_with_one_wrong_byte_is_told(raw: bytes) -> None:
    data = ONE_TENSOR + info(raw, (32,)) + bytes(128)
    assert said(parse(data)) == [("GGUF-UTF8", "tensor name", "is no UTF-8", 24)]


def test_a_name_in_another_alphabet_is_a_name() -> None:
    seen = parse(gguf_bytes({"ключ": 1}, [("веса", (32,), 0, bytes(128))]))
    assert said(seen) == []
    assert (list(seen.metadata), seen.tensors[0].name) == (["ключ"], "веса")


def test_a_shape_may_hold_ones() -> None:
    seen = parse(gguf_bytes({}, [("a", (1,), 0, bytes(4)), ("b", (32, 1), 0, bytes(128))]))
    assert said(seen) == []
    assert [t.shape for t in seen.tensors] == [(1,), (32, 1)]


def test_the_least_alignment_is_allowed() -> None:
    data = gguf_bytes({"general.alignment": 8}, [("a", (1,), 0, bytes(4)), NORM], alignment=8)
    assert said(parse(data)) == []
    assert [t.bytes for t in parse(data).tensors] == [4, 128]


def test_a_gap_of_one_alignment_is_told() -> None:
    """Less is padding: 31 bytes are the most that can stand before a multiple of 32."""
    data = gguf_bytes({}, [NORM], offsets={NORM[0]: 32}) + bytes(32)
    told = "32 bytes before it belong to no tensor"
    base = len(gguf_bytes({}, [NORM])) - 128
    assert said(parse(data)) == [("GGUF-GAP", NORM[0], told, base)]


def test_the_last_tensor_is_padded_to_the_alignment_and_no_further() -> None:
    padded = gguf_bytes({}, [("a", (1,), 0, bytes(4))])
    assert said(parse(padded)) == []
    end = len(padded) - 28
    assert said(parse(padded + b"x")) == [
        ("GGUF-TRAILING", "file", "29 bytes belong to no tensor", end)
    ]


def test_numbers_of_an_array_are_swapped_on_a_big_endian_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The file is little-endian; `array` takes bytes in the machine's order."""
    monkeypatch.setattr(sys, "byteorder", "big")
    raw = struct.pack("<HH", 1, 2)
    seen = parse(ONE_KEY + struct.pack("<IIQ", 9, 2, 2) + raw)
    swapped = array("H", raw)
    swapped.byteswap()
    assert seen.metadata == {"k": swapped}
