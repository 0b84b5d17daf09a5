"""Every corrupted file is refused with its code and offset, in bounded time; sound ones are not."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_modelqa.artifacts import apr, gguf
from pytest_modelqa.artifacts.codes import CODES, WARNINGS, page
from pytest_modelqa.artifacts.fingerprint import fingerprint
from pytest_modelqa.artifacts.inspect import model
from tests.artifacts.corrupt import ENDLESS, SOUND_APR, make
from tests.artifacts.made import (
    METADATA,
    float_tensors,
    gguf_bytes,
    hf_folder,
    hf_tensors,
    safetensors_bytes,
)

INSPECT_ALL = """
import json, sys
from pathlib import Path
from pytest_modelqa.artifacts.inspect import model
seen = {}
for path in sorted(Path(sys.argv[1]).iterdir()):
    found = model(path).seen.findings
    seen[path.name] = [(f.code, f.offset, f.severity) for f in found]
print(json.dumps(seen))
"""

ONLY_BY_SIZE_OR_SYSTEM = {"IO", "MORE", "GGUF-MAGIC"}
"""Reached by other tests: an absent file, a hundred findings, a format named by the playbook."""


def test_each_corrupted_file_is_refused_with_its_code_and_offset(tmp_path: Path) -> None:
    expected = make(tmp_path / "files")
    assert len(expected) > 40
    done = subprocess.run(
        [sys.executable, "-c", INSPECT_ALL, str(tmp_path / "files")],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    seen: dict[str, list[list[Any]]] = json.loads(done.stdout)
    wrong = {
        name: (code, offset, seen[name])
        for name, (code, offset) in expected.items()
        if not any(f[0] == code and offset in (None, f[1]) for f in seen[name])
    }
    assert wrong == {}
    found = {f[0] for findings in seen.values() for f in findings}
    assert found | ONLY_BY_SIZE_OR_SYSTEM == set(CODES)
    told = {f[0] for findings in seen.values() for f in findings if f[2] == "warning"}
    assert told == WARNINGS | {"SPECIAL-MISSING"}


def test_the_file_on_which_ggufs_own_reader_does_not_return_has_49_bytes() -> None:
    assert len(ENDLESS) == 49
    assert gguf.parse(ENDLESS).findings


def test_sound_variants_have_no_finding_and_one_content(tmp_path: Path) -> None:
    files = {
        "plain": gguf_bytes(),
        "version 2": gguf_bytes(version=2),
        "reordered": gguf_bytes(tensors=float_tensors()[::-1]),
        "more metadata": gguf_bytes(METADATA | {"x.note": "hello"}),
        "aligned": gguf_bytes(METADATA | {"general.alignment": 64}, alignment=64),
    }
    contents = set()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        seen = model(tmp_path / name)
        assert seen.seen.findings == (), name
        contents.add(fingerprint(seen.places))
    assert len(contents) == 1
    changed = float_tensors()
    name, shape, kind, raw = changed[0]
    changed[0] = (name, shape, kind, raw[:-1] + bytes([raw[-1] ^ 1]))
    (tmp_path / "changed").write_bytes(gguf_bytes(tensors=changed))
    assert fingerprint(model(tmp_path / "changed").places) not in contents


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_shards_hold_the_same_content_as_one_file(tmp_path: Path, dtype: str) -> None:
    tensors = hf_tensors()
    if dtype == "BF16":
        tensors = {n: (dtype, s, _upper_halves(raw)) for n, (_, s, raw) in tensors.items()}
    one, many = hf_folder(tmp_path / "one"), hf_folder(tmp_path / "many")
    (one / "model.safetensors").write_bytes(safetensors_bytes(tensors))
    (many / "model.safetensors").unlink()
    listed = {}
    for i, (name, tensor) in enumerate(tensors.items()):
        (many / f"part-{i}.safetensors").write_bytes(safetensors_bytes({name: tensor}))
        listed[name] = f"part-{i}.safetensors"
    (many / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))
    seen = [model(one), model(many)]
    assert [s.seen.findings for s in seen] == [(), ()]
    assert fingerprint(seen[0].places) == fingerprint(seen[1].places)


def _upper_halves(raw: bytes) -> bytes:
    words = struct.unpack(f"<{len(raw) // 4}I", raw)
    return struct.pack(f"<{len(words)}H", *(w >> 16 for w in words))


def test_a_sound_apr_file_has_no_finding(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(SOUND_APR)
    seen = model(tmp_path / "a").seen
    assert (seen.format, seen.findings, seen.tensors, seen.parameters) == ("apr", (), 2, 12)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_mutation_of_an_apr_file_raises(data: st.DataObject) -> None:
    raw = bytearray(SOUND_APR)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    found = apr.parse(bytes(raw)).findings
    assert found or raw == SOUND_APR, "every byte is under a checksum"
    apr.parse(bytes(raw[:cut]))


def test_the_page_of_codes_is_in_step() -> None:
    written = (Path(__file__).parents[2] / "docs" / "inspection.md").read_text()
    assert page() in written


def test_beyond_a_hundred_findings_the_rest_is_counted(tmp_path: Path) -> None:
    raw = safetensors_bytes({f"t{i}": ("F31", (1,), b"1234") for i in range(150)})
    (tmp_path / "m").write_bytes(raw)
    found = model(tmp_path / "m").seen.findings
    assert [f.code for f in found[99:]] == ["ST-DTYPE", "MORE"]
    assert found[-1].message.startswith("50 ")
