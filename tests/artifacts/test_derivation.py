"""The lazy matrix: which artifact a cell is derived from, and that it is made once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.artifacts import derivation, safetensors
from pytest_modelqa.artifacts.derivation import derivable_from, derived, for_engine
from pytest_modelqa.artifacts.hashing import sha256_of, size_of
from pytest_modelqa.core.errors import Refused, UsageError
from pytest_modelqa.core.model import Artifact, ArtifactSpec
from tests.artifacts.made import gguf_bytes, hf_folder


def spec(key: str, source: str = "", **more: Any) -> ArtifactSpec:
    form, _, quantization = key.partition("-")
    return ArtifactSpec(
        model="m", format=form, quantization=quantization, source=source, **more  # type: ignore[arg-type]
    )  # fmt: skip


def book(*specs: ArtifactSpec) -> dict[str, ArtifactSpec]:
    return {s.key: s for s in specs}


def provision(
    given: ArtifactSpec,
    siblings: Mapping[str, ArtifactSpec],
    *,
    folder: Path,
    cache: Path | None = None,
) -> Artifact:
    """A file of the playbook's folder, as `file:` is; the real one adds pins."""
    path = folder / given.source.removeprefix("file:")
    sha256 = sha256_of(path, cache or folder)
    return Artifact(spec=given, path=path, sha256=sha256, bytes=size_of(path), pinned=True)


def test_the_parent_with_most_bits_a_weight_is_taken() -> None:
    wanted = spec("gguf-q4_k_m")
    shipped, full = spec("gguf-q4_1", "file:a"), spec("safetensors-bf16", "file:b")
    eight = spec("gguf-q8_0", "file:c")
    assert derivable_from(wanted, book(wanted, shipped)) == "gguf-q4_1"
    assert derivable_from(wanted, book(wanted, shipped, eight)) == "gguf-q8_0"
    assert derivable_from(wanted, book(wanted, shipped, eight, full)) == "safetensors-bf16"
    nearer = spec("gguf-bf16", "file:d")
    assert derivable_from(wanted, book(wanted, full, nearer)) == "gguf-bf16"


@pytest.mark.parametrize(
    "useless",
    [
        spec("gguf-f32"),
        spec("gguf-f32", "derive:gguf-q8_0"),
        spec("gguf-f32", "file:script.json", engine="scripted"),
    ],
)
def test_only_a_model_file_of_its_own_is_a_parent(useless: ArtifactSpec) -> None:
    wanted = spec("gguf-q4_0")
    assert derivable_from(wanted, book(wanted, useless)) is None
    assert derivable_from(wanted, book(wanted, useless, spec("gguf-f16", "file:a"))) == "gguf-f16"


def test_what_no_chain_makes_has_no_parent() -> None:
    wanted, parent = spec("apr-q4_k_m"), spec("gguf-f16", "file:a")
    assert derivable_from(wanted, book(wanted, parent)) is None
    assert derivable_from(spec("apr-f16"), book(wanted, parent)) == "gguf-f16"


def test_a_cell_is_derived_once_and_knows_its_parent(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes())
    parent, wanted = spec("gguf-f32", "file:m.gguf"), spec("gguf-q8_0")
    siblings = book(parent, wanted)
    one = derived(wanted, siblings, "gguf-f32", tmp_path, tmp_path / "c", provision)
    (entry,) = (p for p in (tmp_path / "c" / "derived").iterdir() if p.is_dir())
    stamp = one.path.stat().st_mtime_ns
    two = derived(wanted, siblings, "gguf-f32", tmp_path, tmp_path / "c", provision)
    assert one == two
    assert two.path.parent == entry
    assert two.path.stat().st_mtime_ns == stamp
    assert one.spec == wanted
    assert one.pinned
    assert one.parent_sha256 == sha256_of(tmp_path / "m.gguf", tmp_path)
    assert one.sha256 == sha256_of(one.path, tmp_path)


def test_a_pin_that_the_result_does_not_meet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes())
    parent, free = spec("gguf-f32", "file:m.gguf"), spec("safetensors-f32")
    got = derived(free, book(parent), "gguf-f32", tmp_path, tmp_path / "c", provision)
    right = spec("safetensors-f32", sha256=got.sha256)
    assert derived(right, book(parent), "gguf-f32", tmp_path, tmp_path / "c", provision).path
    wrong = spec("safetensors-f32", sha256="0" * 64)
    with pytest.raises(Refused, match="its pin says 0000"):
        derived(wrong, book(parent), "gguf-f32", tmp_path, tmp_path / "c", provision)


def test_a_parent_that_is_not_there_is_the_playbooks_mistake(tmp_path: Path) -> None:
    wanted = spec("gguf-q8_0", "derive:gguf-f32")
    with pytest.raises(UsageError, match="names no artifact"):
        derived(wanted, book(wanted), "gguf-f32", tmp_path, tmp_path, provision)


def test_a_corrupt_parent_is_refused_in_the_name_of_the_cell(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes()[:-900])
    parent, wanted = spec("gguf-f32", "file:m.gguf"), spec("gguf-q8_0")
    with pytest.raises(Refused, match="GGUF-TRUNCATED") as caught:
        derived(wanted, book(parent), "gguf-f32", tmp_path, tmp_path / "c", provision)
    assert caught.value.where.startswith("gguf-q8_0: ")


def test_an_apr_cell_runs_on_the_unpacked_tensors_and_others_on_their_own(tmp_path: Path) -> None:
    hf_folder(tmp_path / "hf")
    parent, wanted = spec("safetensors-f32", "file:hf"), spec("apr-f32")
    packed = derived(wanted, book(parent), parent.key, tmp_path, tmp_path / "c", provision)
    opened, form = for_engine(packed, tmp_path / "c")
    assert form == "safetensors"
    assert {t.name for t in safetensors.read_folder(opened).tensors} == {
        t.name for t in safetensors.read_folder(tmp_path / "hf").tensors
    }
    own = provision(parent, {}, folder=tmp_path)
    assert for_engine(own, tmp_path / "c") == (own.path, "safetensors")

    data = bytearray(packed.path.read_bytes())
    data[-100] ^= 1
    packed.path.write_bytes(data)
    with pytest.raises(Refused):
        for_engine(packed, tmp_path / "c")


def test_parents_are_ordered_by_their_bits() -> None:
    order = ["q2_k", "iq3_s", "q4_0", "q5_k_m", "q6_k", "q8_0", "f16", "f32"]
    assert sorted(order, key=derivation.nominal_bits) == order
