"""Every violation of a GGUF header is a finding with a code, and nothing is ever raised."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_modelqa.artifacts.gguf import parse
from tests.artifacts.made import METADATA, entry, float_tensors, gguf_bytes, text

SOUND = gguf_bytes()
NORM = ("a.weight", (32,), 0, bytes(128))


def header(*, tensors: int = 0, keys: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


def info(name: str, shape: tuple[int, ...], kind: int = 0, offset: int = 0) -> bytes:
    dims = struct.pack(f"<{len(shape)}Q", *shape)
    return text(name) + struct.pack("<I", len(shape)) + dims + struct.pack("<IQ", kind, offset)


def nested(depth: int) -> bytes:
    """An array of arrays of arrays ... of no texts."""
    return struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * depth + struct.pack("<IQ", 8, 0)


BROKEN: dict[str, tuple[str, bytes]] = {
    "empty": ("GGUF-TRUNCATED", b""),
    "magic": ("GGUF-MAGIC", b"GGML" + SOUND[4:]),
    "version 1": ("GGUF-VERSION", header(version=1) + bytes(64)),
    "big endian": ("GGUF-ENDIAN", b"GGUF" + struct.pack(">IQQ", 3, 0, 0) + bytes(64)),
    "tensor count": ("GGUF-COUNT", header(tensors=2**63)),
    "key count": ("GGUF-COUNT", header(keys=2**40)),
    "cut in the header": ("GGUF-TRUNCATED", SOUND[:300]),
    "cut in the data": ("GGUF-TRUNCATED", SOUND[:-200]),
    "long text": ("GGUF-TRUNCATED", header(keys=1) + text("k") + struct.pack("<IQ", 8, 2**62)),
    "long array": (
        "GGUF-TRUNCATED",
        header(keys=1) + text("k") + struct.pack("<IIQ", 9, 4, 2**61) + bytes(64),
    ),
    "long list of texts": (
        "GGUF-TRUNCATED",
        header(keys=1) + text("k") + struct.pack("<IIQ", 9, 8, 2**60) + bytes(64),
    ),
    "text in a list": (
        "GGUF-TRUNCATED",
        header(keys=1) + text("k") + struct.pack("<IIQQ", 9, 8, 1, 99) + bytes(8),
    ),
    "value type": (
        "GGUF-VALUE-TYPE",
        header(keys=1) + text("k") + struct.pack("<I", 77) + bytes(9),
    ),
    "array type": (
        "GGUF-VALUE-TYPE",
        header(keys=1) + text("k") + struct.pack("<IIQ", 9, 77, 1) + bytes(9),
    ),
    "array depth": ("GGUF-ARRAY-DEPTH", header(keys=1) + text("k") + nested(6) + bytes(64)),
    "long key": ("GGUF-NAME-LENGTH", header(keys=1) + text("k" * 70_000) + bytes(16)),
    "long name": ("GGUF-NAME-LENGTH", header(tensors=1) + info("n" * 65, (32,)) + bytes(128)),
    "twice a key": (
        "GGUF-DUPLICATE-KEY",
        header(keys=2) + entry("k", 1) + entry("k", 2) + bytes(64),
    ),
    "twice a tensor": ("GGUF-DUPLICATE-TENSOR", gguf_bytes({}, [NORM, NORM])),
    "no dimension": ("GGUF-DIMS", header(tensors=1) + info("a", ()) + bytes(128)),
    "five dimensions": ("GGUF-DIMS", header(tensors=1) + info("a", (1,) * 5) + bytes(128)),
    "a dimension of 0": ("GGUF-DIMS", header(tensors=1) + info("a", (32, 0)) + bytes(128)),
    "tensor type": ("GGUF-TENSOR-TYPE", header(tensors=1) + info("a", (32,), 4) + bytes(128)),
    "half a block": ("GGUF-BLOCKS", header(tensors=1) + info("a", (31,), 2) + bytes(128)),
    "product overflow": (
        "GGUF-TRUNCATED",
        header(tensors=1) + info("a", (2**32, 2**32, 2**32), 0) + bytes(128),
    ),
    "offset beyond the file": ("GGUF-TRUNCATED", gguf_bytes({}, [NORM], offsets={NORM[0]: 2**50})),
    "crooked offset": ("GGUF-OFFSET", gguf_bytes({}, [NORM], offsets={NORM[0]: 7})),
    "overlap": (
        "GGUF-OVERLAP",
        gguf_bytes({}, [NORM, ("b.weight", (32,), 0, bytes(128))], offsets={"b.weight": 64}),
    ),
    "alignment": ("GGUF-ALIGNMENT", gguf_bytes({"general.alignment": 24}, [NORM])),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_violation_is_found_with_its_code_at_once(name: str) -> None:
    code, data = BROKEN[name]
    start = time.perf_counter()
    found = parse(data).findings
    assert code in [f.code for f in found]
    assert found[0].message
    assert -1 <= found[0].offset <= max(len(data), 64)
    assert time.perf_counter() - start < 1, "bounded: nothing is allocated for what is not there"


VARIANTS: dict[str, Callable[[], bytes]] = {
    "as it is": lambda: SOUND,
    "version 2": lambda: gguf_bytes(version=2),
    "another alignment": lambda: gguf_bytes(METADATA | {"general.alignment": 64}, alignment=64),
    "more metadata": lambda: gguf_bytes(METADATA | {"x.note": "hello", "x.list": ["a", "b"]}),
    "tensors in another order": lambda: gguf_bytes(tensors=float_tensors()[::-1]),
    "arrays in arrays": lambda: gguf_bytes(METADATA | {"x.deep": nested(2)}),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_sound_variant_has_no_findings(name: str) -> None:
    seen = parse(VARIANTS[name]())
    assert seen.findings == []
    assert len(seen.tensors) == 11
    assert seen.metadata["general.architecture"] == "llama"
    assert seen.checked > 30


def test_tensors_are_placed_where_their_bytes_are() -> None:
    seen = {t.name: t for t in parse(SOUND).tensors}
    for name, shape, _, raw in float_tensors():
        tensor = seen[name]
        assert tensor.shape == shape
        assert SOUND[tensor.offset : tensor.offset + tensor.bytes] == raw


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_mutation_of_bytes_raises(data: st.DataObject) -> None:
    raw = bytearray(SOUND)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 1200))
        raw[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    parse(bytes(raw))
    parse(bytes(raw[:cut]))
