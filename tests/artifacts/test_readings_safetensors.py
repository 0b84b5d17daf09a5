"""What the safetensors reader says at its bounds and of whole folders, to the last word."""

from __future__ import annotations

import json
import locale
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_modelqa.artifacts import safetensors
from pytest_modelqa.artifacts.safetensors import INDEX, MAX_HEADER_BYTES, SINGLE, read_folder
from tests.artifacts import corrupt
from tests.artifacts.made import safetensors_bytes
from tests.artifacts.test_safetensors import sharded

Said = list[tuple[str, str, str, int]]


def said(seen: safetensors.Header) -> Said:
    assert all(f.severity == "error" for f in seen.findings)
    return [(f.code, f.where, f.message, f.offset) for f in seen.findings]


def single(folder: Path, data: bytes, size: int | None = None) -> Said:
    """Read as the one file of a folder; a larger `size` is a hole, so it takes no disk."""
    with (folder / SINGLE).open("wb") as file:
        file.write(data)
        file.truncate(size or len(data))
    return said(read_folder(folder))


@pytest.mark.parametrize(
    ("length", "size", "told"),
    [
        (2**64 - 1, 8, "18,446,744,073,709,551,615 bytes in a file of 8"),
        (100, 20, "100 bytes in a file of 20"),
        (13, 20, "13 bytes in a file of 20"),
        (100_000_001, 100_000_100, "100,000,001 bytes in a file of 100,000,100"),
    ],
)
def test_a_header_that_is_too_long_is_told_with_both_sizes(
    length: int, size: int, told: str, tmp_path: Path
) -> None:
    found = single(tmp_path, struct.pack("<Q", length), size)
    assert found == [("ST-HEADER-LENGTH", SINGLE, f"a header of {told}", 0)]


def test_the_longest_header_is_read(tmp_path: Path) -> None:
    found = single(tmp_path, struct.pack("<Q", MAX_HEADER_BYTES), 8 + MAX_HEADER_BYTES)
    assert [(code, offset) for code, _, _, offset in found] == [("ST-JSON", 8)], "it is a hole"


@pytest.mark.parametrize("notes", [3, {"format": 3}])
def test_notes_that_are_no_texts_are_told(notes: object, tmp_path: Path) -> None:
    found = single(tmp_path, safetensors_bytes(corrupt.PAIR, __metadata__=notes))
    assert found == [("ST-ENTRY", "__metadata__", "does not map names to texts", 8)]


def test_a_file_for_a_folder_is_told(tmp_path: Path) -> None:
    file = tmp_path / "weights.bin"
    file.write_bytes(safetensors_bytes(corrupt.PAIR))
    told = "is a file; a folder with model.safetensors is needed"
    assert said(read_folder(file)) == [("ST-MISSING", "weights.bin", told, -1)]


def test_a_folder_with_neither_file_is_told(tmp_path: Path) -> None:
    told = "neither model.safetensors nor model.safetensors.index.json is here"
    assert said(read_folder(tmp_path)) == [("ST-MISSING", SINGLE, told, -1)]


def test_beside_the_single_file_an_index_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text("{")
    assert single(tmp_path, safetensors_bytes(corrupt.PAIR)) == []
    assert [t.name for t in read_folder(tmp_path).tensors] == ["a", "b"]


def test_a_tensor_in_two_shards_is_told(tmp_path: Path) -> None:
    sharded(tmp_path)
    (tmp_path / "b.safetensors").write_bytes(safetensors_bytes(corrupt.PAIR))
    assert said(read_folder(tmp_path)) == [
        ("ST-DUPLICATE", "a", "is in two shards", -1),
        ("ST-INDEX", "a", "is in b.safetensors, the index says a.safetensors", -1),
    ]


def test_a_tensor_that_the_index_leaves_out_is_told(tmp_path: Path) -> None:
    sharded(tmp_path)
    more = dict.fromkeys(("b", "extra"), corrupt.PAIR["b"])
    (tmp_path / "b.safetensors").write_bytes(safetensors_bytes(more))
    assert said(read_folder(tmp_path)) == [("ST-INDEX", "extra", "is in a shard alone", -1)]


def test_an_index_that_is_too_large_is_told_and_not_read(tmp_path: Path) -> None:
    with (tmp_path / INDEX).open("wb") as file:
        file.truncate(MAX_HEADER_BYTES + 1)
    told = "100,000,001 bytes, at most 100,000,000 are read"
    assert said(read_folder(tmp_path)) == [("ST-INDEX", INDEX, told, -1)]


def test_the_largest_index_is_read(tmp_path: Path) -> None:
    with (tmp_path / INDEX).open("wb") as file:
        file.truncate(MAX_HEADER_BYTES)
    ((code, where, told, _),) = said(read_folder(tmp_path))
    assert (code, where) == ("ST-INDEX", INDEX)
    assert told.startswith("cannot be read: JSONDecodeError"), "it is a hole"


@pytest.fixture
def plain_locale() -> Iterator[None]:
    """A locale without UTF-8, as under cron; Python opens text in it where no encoding is named."""
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")
    yield
    locale.setlocale(locale.LC_CTYPE, before)


@pytest.mark.usefixtures("plain_locale")
def test_an_index_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(safetensors_bytes({"é": corrupt.PAIR["a"]}))
    index = json.dumps({"weight_map": {"é": "a.safetensors"}}, ensure_ascii=False)
    (tmp_path / INDEX).write_text(index, encoding="utf-8")
    seen = read_folder(tmp_path)
    assert said(seen) == []
    assert [t.name for t in seen.tensors] == ["é"]
