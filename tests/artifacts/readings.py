"""What our readers say of every made file, sound and corrupted, to the last word.

`python -m tests.artifacts.readings` writes `samples/readings.json` anew. Look at what changed
before committing it: every message is read by a person who has a broken file in hand.
"""

from __future__ import annotations

import json
import math
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pytest_modelqa.artifacts import apr, gguf, safetensors
from pytest_modelqa.core.answer import Finding
from tests.artifacts import corrupt, test_gguf, test_safetensors
from tests.artifacts.made import METADATA, entry, float_tensors, gguf_bytes, safetensors_bytes

PYTHONS_OWN = re.compile(r"(is no JSON|cannot be read): .*")
SAMPLE = Path(__file__).parent / "samples" / "readings.json"

_KEY = corrupt.ONE_KEY
GGUF_EDGES: Mapping[str, bytes] = {
    "sound": corrupt.SOUND,
    "version 2": gguf_bytes(version=2),
    "version 4": corrupt.start(version=4) + bytes(64),
    "aligned to 64": gguf_bytes(METADATA | {"general.alignment": 64}, alignment=64),
    "aligned to 0": gguf_bytes({"general.alignment": 0}, [corrupt.NORM]),
    "aligned to a text": gguf_bytes({"general.alignment": "32"}, [corrupt.NORM]),
    "nested arrays": gguf_bytes(METADATA | {"x.deep": test_gguf.nested(2)}),
    "deepest array": gguf_bytes({"x.deep": test_gguf.nested(3)}),
    "too deep an array": gguf_bytes({"x.deep": test_gguf.nested(4)}),
    "longest name": corrupt.start(tensors=1) + corrupt.info(b"n" * 64, (32,)) + bytes(128),
    "bool false": _KEY + corrupt.boolean(0) + bytes(30),
    "bools": _KEY + struct.pack("<IIQ", 9, 7, 3) + b"\0\1\2" + bytes(30),
    "floats": _KEY + struct.pack("<IIQfff", 9, 6, 3, 1.5, -2.0, 0.0) + bytes(30),
    "texts": gguf_bytes({"x.list": ["a", "", "long"]}),
    "text of bad bytes": _KEY + struct.pack("<IQ", 8, 2) + b"\xff\xfe" + bytes(30),
    "numbers of each type": b"".join(
        (
            corrupt.start(keys=11),
            *(
                entry(f"n{code}", raw)
                for code, raw in enumerate(
                    struct.pack("<I", code) + struct.pack(form, 1)
                    for code, form in (
                        (0, "<B"), (1, "<b"), (2, "<H"), (3, "<h"), (4, "<I"), (5, "<i"),
                        (6, "<f"), (7, "<B"), (10, "<Q"), (11, "<q"), (12, "<d"),
                    )
                )
            ),
            bytes(64),
        )
    ),
    "three tensors, one block type each": gguf_bytes(
        {},
        [
            ("a", (32, 2), 8, bytes(68)),
            ("b", (256,), 12, bytes(144)),
            ("c", (2, 2, 2, 2), 1, bytes(32)),
        ],
    ),
    "tensors in another order": gguf_bytes(tensors=float_tensors()[::-1]),
}  # fmt: skip

_SOUND = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
SAFETENSORS_EDGES: Mapping[str, bytes] = {
    "sound": safetensors_bytes(corrupt.PAIR),
    "no tensor": safetensors_bytes({}),
    "a scalar": safetensors_bytes({"s": ("F64", (), bytes(8))}),
    "an empty tensor": safetensors_bytes({"e": ("F32", (0, 4), b"")}),
    "extra key": corrupt.changed(extra=1),
    "shape of floats": corrupt.changed(shape=[2.0, 3]),
    "shape of bools": corrupt.changed(shape=[True, 24]),
    "shape of 33": corrupt.changed(shape=[1] * 33),
    "shape of 32": corrupt.changed(shape=[1] * 30 + [2, 3]),
    "size of 2**63": corrupt.changed(shape=[2**63]),
    "one offset": corrupt.changed(data_offsets=[0]),
    "backwards": corrupt.changed(data_offsets=[24, 0]),
    "beyond": corrupt.changed(data_offsets=[0, 2**62]),
    "overlap": safetensors_bytes(corrupt.PAIR, b={**_SOUND, "data_offsets": [20, 44]}),
    "no dtype": safetensors_bytes(corrupt.PAIR, a={"shape": [1], "data_offsets": [0, 4]}),
    "metadata": safetensors_bytes(corrupt.PAIR, __metadata__={"format": "pt"}),
    "seven bytes": bytes(7),
    "eight bytes": bytes(8),
}


def _sealed(change: Mapping[int, bytes]) -> bytes:
    """The sound APR file with bytes changed behind its header, under a checksum that holds."""
    raw = bytearray(corrupt.SOUND_APR[:-4])
    for at, new in change.items():
        raw[at : at + len(new)] = new
    return bytes(raw) + struct.pack("<I", zlib.crc32(raw))


def _shard(said: str) -> bytes:
    return corrupt.apr_bytes(metadata=b'{"sharding":' + said.encode() + b"}", flags=0x0410)


_ENTRY = ("w", 0, (2, 3), 0, 24)
APR_EDGES: Mapping[str, bytes] = {
    **{f"{n} bytes": corrupt.SOUND_APR[:n] for n in (3, 4, 5, 6, 63, 64, 67, 68, 69, 128, 256)},
    "first reserved byte": corrupt.apr_bytes(header={"reserved": b"x" + bytes(19)}),
    "metadata beyond": corrupt.apr_bytes(header={"size": 10_000}),
    "metadata to the footer": corrupt.apr_bytes(header={"size": 384 - 64}),
    "metadata into the footer": corrupt.apr_bytes(header={"size": 384 - 63}),
    "largest metadata": corrupt.apr_bytes(header={"size": 64 << 20}),
    "larger metadata": corrupt.apr_bytes(header={"size": (64 << 20) + 1}),
    "data beyond": corrupt.apr_bytes(header={"data": 6400}),
    "data at the footer": corrupt.apr_bytes(header={"data": 384}),
    "data before the index": corrupt.apr_bytes(header={"data": 64}),
    "data later": corrupt.apr_bytes(header={"data": 320}),
    "padding of the index": _sealed({210: b"x"}),
    "as many as fit": corrupt.apr_bytes(header={"count": 6}),
    "one more than fit": corrupt.apr_bytes(header={"count": 7}),
    "name leaves the index": _sealed({165: struct.pack("<H", 200)}),
    "name to the end of the index": _sealed({165: struct.pack("<H", 89)}),
    "name of 256": corrupt.apr_bytes([("n" * 256, *_ENTRY[1:])]),
    "name of 257": corrupt.apr_bytes([("n" * 257, *_ENTRY[1:])]),
    "name of 40,000": corrupt.apr_bytes([("n" * 40_000, *_ENTRY[1:])]),
    "eight dimensions": corrupt.apr_bytes([("w", 0, (1,) * 7 + (6,), 0, 24)]),
    "nine dimensions": corrupt.apr_bytes([("w", 0, (1,) * 8 + (6,), 0, 24)]),
    **{
        f"dtype {dtype} {list(shape)} in {size} bytes": corrupt.apr_bytes(
            [("w", dtype, shape, 0, size)], data=bytes(size + -size % 64)
        )
        for dtype, shape, size in (
            (128, (3, 40), 72),
            (128, (3, 40), 108),
            (128, (120,), 72),
            (128, (), 18),
            (129, (3, 5), 19),
            (129, (3, 5), 20),
            (12, (2, 300), 432),
            (12, (2, 300), 576),
            (14, (512,), 420),
            (14, (512,), 421),
            (1, (3, 5), 30),
            (1, (), 2),
            (30, (7,), 14),
        )
    },
    "a shard of itself": _shard('{"shard_count":1,"shard_index":0}'),
    "a shard too many": _shard('{"shard_count":2,"shard_index":2}'),
    "a shard before": _shard('{"shard_count":2,"shard_index":-1}'),
    "a shard of bools": _shard('{"shard_count":2,"shard_index":true}'),
    "a shard of texts": _shard('{"shard_count":"2","shard_index":1}'),
    "a shard of a list": _shard("[0, 2]"),
    "a shard of much": _shard('{"shard_count":"' + "9" * 300 + '","shard_index":1}'),
    "sound": corrupt.SOUND_APR,
    "no tensor": corrupt.apr_bytes([], b"{}"),
    "a list for metadata": corrupt.apr_bytes(metadata=b"[1]"),
    "metadata that is no text": corrupt.apr_bytes(metadata=b'{"a":"\xff"}'),
    "other layout": corrupt.apr_bytes(flags=0x0000),
    "sharded, described": corrupt.apr_bytes(
        metadata=b'{"sharding":{"shard_count":2,"shard_index":0}}', flags=0x0410
    ),
    "unknown version": corrupt.SOUND_APR[:4] + b"\x03\x00" + corrupt.SOUND_APR[6:],
    "minor version": corrupt.SOUND_APR[:5] + b"\x01" + corrupt.SOUND_APR[6:],
    "footer": corrupt.SOUND_APR[:-1] + bytes([corrupt.SOUND_APR[-1] ^ 1]),
    "more at the end": corrupt.SOUND_APR + b"more",
    "last padding": corrupt.SOUND_APR[:-5] + b"x" + corrupt.SOUND_APR[-4:],
}


def _told(findings: Iterable[Finding], root: str = "") -> list[list[Any]]:
    """The findings in short; what Python's own libraries say differs by version."""
    return [
        [f.code, f.where.replace(root, "ROOT") if root else f.where, f.offset, f.severity,
         PYTHONS_OWN.sub(r"\1: ...", f.message.replace(root, "ROOT") if root else f.message)]
        for f in findings
    ]  # fmt: skip


def _plain(value: Any) -> Any:
    """Metadata as JSON; what has no JSON is told in words."""
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, str | int | float) or value is None:
        return value
    return [type(value).__name__, *map(_plain, value)]


def _gguf(seen: gguf.Header) -> dict[str, Any]:
    return {
        "findings": _told(seen.findings),
        "checked": seen.checked,
        "metadata": _plain(seen.metadata),
        "tensors": [str(t) for t in seen.tensors],
        "weights": [t.weights for t in seen.tensors],
    }


def _apr(seen: apr.Header) -> dict[str, Any]:
    return {
        "findings": _told(seen.findings),
        "header": _plain({k: str(v) for k, v in asdict(seen).items() if k != "findings"}),
        "weights": [t.weights for t in seen.tensors],
    }


def _safetensors(data: bytes, root: Path) -> dict[str, Any]:
    file = root / "model.safetensors"
    file.write_bytes(data)
    seen = safetensors.read_file(file)
    return {
        "findings": _told(seen.findings, str(root)),
        "checked": seen.checked,
        "tensors": [str(t).replace(str(root), "ROOT") for t in seen.tensors],
    }


def _folders(root: Path) -> dict[str, Any]:
    """Shards, read through their index: sound, and wrong in every way the tests have."""
    wrong: dict[str, dict[str, str]] = {
        "sound": {},
        "a name too many": {"c": "a.safetensors"},
        "elsewhere": {"b": "a.safetensors"},
        "absent": {"b": "c.safetensors"},
        "outside": {"b": "../b.safetensors"},
        "a pickle": {"b": "b.bin"},
        "unlisted": {"b": ""},
    }
    seen = {}
    for name, weight_map in wrong.items():
        folder = root / name.replace(" ", "-")
        folder.mkdir()
        test_safetensors.sharded(folder, **weight_map)
        header = safetensors.read_folder(folder)
        seen[name] = {
            "findings": _told(header.findings, str(folder)),
            "checked": header.checked,
            "tensors": [t.name for t in header.tensors],
        }
    swapped = root / "swapped"
    swapped.mkdir()
    test_safetensors.sharded(swapped, a="b.safetensors", b="a.safetensors")
    header = safetensors.read_folder(swapped)
    seen["swapped"] = {
        "findings": _told(header.findings, str(swapped)),
        "checked": header.checked,
        "tensors": [str(t).replace(str(swapped), "ROOT") for t in header.tensors],
    }
    for name, text in {
        "map of numbers": '{"weight_map": {"a": 3}}',
        "no map": '{"weight_map": 3}',
        "no JSON": "{",
        "a list": "[]",
    }.items():
        folder = root / name.replace(" ", "-")
        folder.mkdir()
        (folder / safetensors.INDEX).write_text(text)
        header = safetensors.read_folder(folder)
        seen[name] = {"findings": _told(header.findings, str(folder)), "checked": header.checked}
    return seen


def ggufs() -> dict[str, Any]:
    """Every GGUF file; three of them also from disk, where an empty one cannot be mapped."""
    broken = {name: data for name, (_, data) in test_gguf.BROKEN.items()}
    files = {n: d for n, (_, _, d) in corrupt.GGUF.items()} | broken | dict(GGUF_EDGES)
    return {n: _gguf(gguf.parse(d)) for n, d in files.items()} | {
        f"{name}, on disk": _gguf(_on_disk(gguf.read, data))
        for name, data in {"sound": corrupt.SOUND, "cut": corrupt.SOUND[:99], "empty": b""}.items()
    }


def aprs() -> dict[str, Any]:
    """Every APR file; three of them also from disk."""
    files = {n: d for n, (_, _, d) in corrupt.APR.items()} | dict(APR_EDGES)
    return {n: _apr(apr.parse(d)) for n, d in files.items()} | {
        f"{name}, on disk": _apr(_on_disk(apr.read, data))
        for name, data in {"sound": corrupt.SOUND_APR, "cut": b"APR\0", "empty": b""}.items()
    }


def single_files() -> dict[str, Any]:
    """Every safetensors file."""
    files = {n: d for n, (_, _, d) in corrupt.SAFETENSORS.items()} | dict(SAFETENSORS_EDGES)
    files |= {f"{n}, too": d for n, (_, d) in test_safetensors.BROKEN.items()}
    with TemporaryDirectory() as name:
        return {n: _safetensors(d, Path(name)) for n, d in files.items()}


def shards() -> dict[str, Any]:
    """Every folder of shards."""
    with TemporaryDirectory() as name:
        return _folders(Path(name))


def _on_disk(read: Callable[[Path], Any], data: bytes) -> Any:
    with TemporaryDirectory() as name:
        file = Path(name, "model")
        file.write_bytes(data)
        return read(file)


READERS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "gguf": ggufs,
    "apr": aprs,
    "safetensors": single_files,
    "shards": shards,
}


def page() -> str:
    """The sample: one line a file."""
    readers = []
    for reader, read in READERS.items():
        readings = read()
        lines = ",\n".join(f"{json.dumps(n)}: {json.dumps(r)}" for n, r in sorted(readings.items()))
        readers.append(f"{json.dumps(reader)}: {{\n{lines}\n}}")
    return "{\n" + ",\n".join(readers) + "\n}\n"


if __name__ == "__main__":
    SAMPLE.write_text(page(), encoding="utf-8")
