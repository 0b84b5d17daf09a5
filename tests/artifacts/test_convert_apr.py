"""Safetensors to APR and back, bit by bit."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_modelqa.artifacts import apr, safetensors
from pytest_modelqa.artifacts.convert.apr_reader import compare, unpack
from pytest_modelqa.artifacts.convert.apr_writer import FILES_KEY, pack
from pytest_modelqa.artifacts.convert.tensors import Entry
from pytest_modelqa.core.errors import Refused
from tests.artifacts.made import hf_folder, safetensors_bytes

Stored = dict[str, tuple[str, tuple[int, ...], bytes]]

RNG = np.random.default_rng(5)
ODD: Stored = {
    "z.last": ("F32", (3, 5), RNG.bytes(60)),
    "a.first": ("BF16", (7,), RNG.bytes(14)),
    "half": ("F16", (1, 3, 1, 5), RNG.bytes(30)),
    "long": ("I64", (2,), RNG.bytes(16)),
    "bytes": ("U8", (65,), RNG.bytes(65)),
    "döuble": ("F64", (1,), RNG.bytes(8)),
    "nan": ("F32", (2,), struct.pack("<2I", 0x7FC00001, 0xFF800000)),
}


def folder_of(folder: Path, tensors: Stored) -> Path:
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(safetensors_bytes(tensors))
    (folder / "config.json").write_text('{"model_type": "llama",  "hidden_size": 5}')
    (folder / "tokenizer.model").write_bytes(b"\x00\xff\xfe binary")
    (folder / "modeling.py").write_text("raise SystemExit")
    return folder


def stored(folder: Path) -> Stored:
    data = (folder / "model.safetensors").read_bytes()
    header = safetensors.read_folder(folder)
    assert not header.findings
    return {t.name: (t.type, t.shape, data[t.offset : t.offset + t.bytes]) for t in header.tensors}


def unpacked(source: Path, folder: Path) -> Path:
    folder.mkdir()
    unpack(source, folder)
    return folder


def test_every_type_odd_shape_and_odd_bit_comes_back(tmp_path: Path) -> None:
    pack(folder_of(tmp_path / "in", ODD), tmp_path / "m.apr")
    out = unpacked(tmp_path / "m.apr", tmp_path / "out")
    assert stored(out) == ODD


def test_configuration_and_tokenizer_come_back_byte_by_byte_and_code_does_not(
    tmp_path: Path,
) -> None:
    source = folder_of(tmp_path / "in", ODD)
    large = json.dumps({"vocab": [str(i) for i in range(200_000)]}, indent=2)
    (source / "tokenizer.json").write_text(large)
    pack(source, tmp_path / "m.apr")
    assert (tmp_path / "m.apr").stat().st_size < len(large) / 2
    out = unpacked(tmp_path / "m.apr", tmp_path / "out")
    for name in ("config.json", "tokenizer.model", "tokenizer.json"):
        assert (out / name).read_bytes() == (source / name).read_bytes()
    assert not (out / "modeling.py").exists()


def test_the_layout_is_that_of_the_format(tmp_path: Path) -> None:
    pack(folder_of(tmp_path / "in", ODD), tmp_path / "m.apr")
    data = (tmp_path / "m.apr").read_bytes()
    assert data[:6] == b"APR\0\x02\x00"
    flags, count, meta_at, meta_size, index_at, data_at, crc = struct.unpack_from(
        "<HIQIQQI", data, 6
    )
    assert (flags, count, meta_at) == (0x0400, len(ODD), 64)
    assert crc == zlib.crc32(data[:40] + data[44:64])
    assert index_at == 64 + -(-meta_size // 64) * 64
    assert not data_at % 64
    assert struct.unpack("<I", data[-4:])[0] == zlib.crc32(data[:-4])
    header = apr.read(tmp_path / "m.apr")
    assert not header.findings
    assert [t.name for t in header.tensors] == sorted(ODD, key=str.encode)
    assert json.loads(data[64 : 64 + meta_size])["param_count"] == 15 + 7 + 15 + 2 + 65 + 1 + 2


def test_two_writes_are_the_same_bytes(tmp_path: Path) -> None:
    source = hf_folder(tmp_path / "in")
    pack(source, tmp_path / "one.apr")
    pack(source, tmp_path / "two.apr")
    assert (tmp_path / "one.apr").read_bytes() == (tmp_path / "two.apr").read_bytes()


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        ("w", ("BOOL", (2,), b"\0\1"), "its type is BOOL"),
        ("n" * 257, ("U8", (1,), b"\0"), "257 bytes"),
        ("w", ("U8", (1,) * 9, b"\0"), "9 dimensions"),
        ("w", ("U8", (0, 2), b""), "holds no weights"),
    ],
)
def test_what_apr_cannot_hold_is_refused(
    tmp_path: Path, name: str, tensor: tuple[str, tuple[int, ...], bytes], reason: str
) -> None:
    with pytest.raises(Refused, match=reason):
        pack(folder_of(tmp_path / "in", {name: tensor}), tmp_path / "m.apr")


def with_files(tmp_path: Path, files: Any) -> Path:
    """An APR file whose kept files are these."""
    from pytest_modelqa.artifacts.convert import apr_writer

    source = folder_of(tmp_path / "in", {"w": ("U8", (1,), b"\1")})
    pack(source, tmp_path / "m.apr")
    data = (tmp_path / "m.apr").read_bytes()
    index_at, data_at = struct.unpack_from("<QQ", data, 24)
    metadata = json.dumps({FILES_KEY: files}).encode()
    metadata += b" " * (-len(metadata) % 64)
    moved = 64 + len(metadata)
    head = apr_writer._header(1, (len(metadata), moved), moved + data_at - index_at)
    body = head + metadata + data[index_at:-4]
    (tmp_path / "m.apr").write_bytes(body + struct.pack("<I", zlib.crc32(body)))
    return tmp_path / "m.apr"


CONFIG = {"config.json": {"text": "{}"}}
BOMB = base64.b64encode(zlib.compress(bytes(300 << 20), 9)).decode()


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (None, "carries no config.json"),
        ({"tokenizer.json": {"text": "{}"}}, "carries no config.json"),
        ({**CONFIG, "../x.json": {"text": "{}"}}, "does not belong to a model"),
        ({**CONFIG, "modeling.py": {"text": ""}}, "does not belong to a model"),
        ({"config.json": {"text": "{"}}, "is no JSON"),
        ({**CONFIG, "vocab.json": {"deflated": "!"}}, "vocab.json cannot be read"),
        ({**CONFIG, "vocab.json": 5}, "vocab.json cannot be read"),
        ({**CONFIG, "vocab.json": {"deflated": BOMB}}, "does not end within"),
    ],
    ids=["none", "no-config", "path", "code", "json", "base64", "number", "bomb"],
)
def test_kept_files_that_are_not_a_models_are_refused(
    tmp_path: Path, files: Any, reason: str
) -> None:
    file = with_files(tmp_path, files)
    assert not apr.read(file).findings
    (tmp_path / "out").mkdir()
    with pytest.raises(Refused, match=reason):
        unpack(file, tmp_path / "out")
    assert not (tmp_path / "x.json").exists()


def test_healthy_kept_files_are_written(tmp_path: Path) -> None:
    out = unpacked(with_files(tmp_path, CONFIG), tmp_path / "out")
    assert (out / "config.json").read_text() == "{}"


@pytest.mark.parametrize("at", [-70, -5, 200])
def test_one_flipped_bit_anywhere_is_refused(tmp_path: Path, at: int) -> None:
    pack(folder_of(tmp_path / "in", ODD), tmp_path / "m.apr")
    data = bytearray((tmp_path / "m.apr").read_bytes())
    data[at] ^= 1
    (tmp_path / "m.apr").write_bytes(data)
    (tmp_path / "out").mkdir()
    with pytest.raises(Refused):
        unpack(tmp_path / "m.apr", tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"w": ("U8", (4,), b"\1\2\3\5")}, "the bytes of w differ"),
        ({"w": ("U8", (2, 2), b"\1\2\3\4")}, "was not written as it is"),
        ({"v": ("U8", (4,), b"\1\2\3\4")}, "was not written as it is"),
        ({"w": ("U8", (4,), b"\1\2\3\4"), "x": ("U8", (1,), b"\1")}, "x is not in the source"),
    ],
)
def test_a_tensor_that_differs_after_writing_is_noticed(
    tmp_path: Path, change: Stored, reason: str
) -> None:
    entries = [Entry("w", "U8", (4,), 4)]
    expected = [np.array([1, 2, 3, 4], dtype=np.uint8)]
    compare(folder_of(tmp_path / "same", {"w": ("U8", (4,), b"\1\2\3\4")}), entries, expected)
    with pytest.raises(Refused, match=reason):
        compare(folder_of(tmp_path / "out", change), entries, expected)
