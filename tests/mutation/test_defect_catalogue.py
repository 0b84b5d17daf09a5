"""The catalogue: every defect changes what it says and nothing else; variants keep their values."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from pytest_modelqa.artifacts import gguf
from pytest_modelqa.artifacts.defects.catalogue import DEFECTS, selected
from pytest_modelqa.artifacts.defects.defect import (
    Change,
    Defect,
    DefectClass,
    Inapplicable,
    Variant,
)
from pytest_modelqa.artifacts.defects.gguf_edit import Floats, dequantised
from pytest_modelqa.artifacts.defects.gguf_layout import Layout, layout_of
from pytest_modelqa.artifacts.defects.healthy import VARIANTS
from pytest_modelqa.artifacts.defects.planting import applicable, planted, planted_in_turn
from pytest_modelqa.artifacts.defects.subject import Subject, subject_of
from pytest_modelqa.artifacts.inspect import inspect
from pytest_modelqa.checks.parity.causes import BY_NAME
from pytest_modelqa.core.errors import Refused, UsageError

SOUND = [d for d in DEFECTS if d.category is not DefectClass.INTEGRITY]
BY_CLASS = Counter(d.category for d in DEFECTS)
REWRITTEN = ("metadata-added", "renamed", "tensors-reordered", "aligned-64", "resaved",
             "template-respelt", "copy")  # fmt: skip


def _name(defect: Defect | Variant) -> str:
    return defect.name


def _tensors(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    layout = layout_of(path)
    return {n: (t.type, t.shape, layout.raw(t).tobytes()) for n, t in layout.tensors.items()}


def _plant(defect: Defect, file: Path, folder: Path) -> tuple[Path, Change] | str:
    subject = subject_of(file)
    change = applicable(defect, subject)
    if isinstance(change, Inapplicable):
        return change.reason
    return planted(subject, change, folder).path, change


def test_the_catalogue_has_defects_of_every_class_and_healthy_variants() -> None:
    assert len(DEFECTS) >= 40
    assert set(BY_CLASS) == set(DefectClass)
    assert min(BY_CLASS.values()) >= 4, BY_CLASS
    assert len(VARIANTS) >= 10
    names = [*map(_name, DEFECTS), *map(_name, VARIANTS)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("defect", SOUND, ids=_name)
def test_what_a_defect_is_called_is_a_cause_that_the_diagnosis_knows(defect: Defect) -> None:
    assert defect.causes
    assert set(defect.causes) <= set(BY_NAME)


@pytest.mark.parametrize("kind", ["tiny_f32", "tiny_q4_1"])
@pytest.mark.parametrize("defect", SOUND, ids=_name)
def test_a_defect_changes_what_it_says_and_nothing_else(
    defect: Defect, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    file = request.getfixturevalue(kind)
    made = _plant(defect, file, tmp_path)
    if isinstance(made, str):
        assert made
        return
    path, change = made
    before, after = _tensors(file), _tensors(path)
    changed = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
    assert changed == set(change.tensors)
    one, two = gguf.read(file), gguf.read(path)
    assert two.findings == []
    keys = {k for k in one.metadata.keys() | two.metadata.keys()
            if one.metadata.get(k) != two.metadata.get(k)}  # fmt: skip
    assert keys == set(change.metadata)
    assert changed or keys


@pytest.mark.parametrize("defect", DEFECTS, ids=_name)
def test_the_same_defect_is_the_same_file(defect: Defect, tiny_q4_1: Path, tmp_path: Path) -> None:
    digests = set()
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        made = _plant(defect, tiny_q4_1, folder)
        if isinstance(made, str):
            return
        digests.add(hashlib.sha256(made[0].read_bytes()).hexdigest())
    assert len(digests) == 1
    assert digests != {hashlib.sha256(tiny_q4_1.read_bytes()).hexdigest()}


@pytest.mark.parametrize(
    "defect", [d for d in DEFECTS if d.category is DefectClass.INTEGRITY], ids=_name
)
@pytest.mark.parametrize("kind", ["tiny_f32", "tiny_q4_1"])
def test_inspection_refuses_every_defect_of_integrity(
    defect: Defect, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    made = _plant(defect, request.getfixturevalue(kind), tmp_path)
    assert not isinstance(made, str), made
    assert [f for f in inspect(made[0], "gguf").findings if f.severity == "error"]


def test_most_defects_apply_to_a_plain_llama(tiny_f32: Path, tiny_q4_1: Path) -> None:
    applied = {
        d.name for file in (tiny_f32, tiny_q4_1) for d in DEFECTS
        if not isinstance(applicable(d, subject_of(file)), Inapplicable)
    }  # fmt: skip
    assert {d.name for d in DEFECTS} - applied == {"softcap", "tied-by-mistake"}


@pytest.mark.parametrize(
    "defect",
    [d for d in SOUND if d.category in {DefectClass.VALUES, DefectClass.LAYOUT, DefectClass.HYPER}],
    ids=_name,
)
def test_a_defect_of_a_folder_changes_what_it_says_and_nothing_else(
    defect: Defect, tiny_folder: Path, tmp_path: Path
) -> None:
    made = _plant(defect, tiny_folder, tmp_path)
    if isinstance(made, str):
        assert made
        return
    path, change = made
    one, two = subject_of(tiny_folder), subject_of(path)
    changed = {n for n in one.shapes.keys() | two.shapes.keys() if _raw(one, n) != _raw(two, n)}
    assert changed == set(change.tensors)
    keys = {k for k in one.metadata.keys() | two.metadata.keys()
            if one.metadata.get(k) != two.metadata.get(k)}  # fmt: skip
    assert keys == set(change.metadata)


def _raw(subject: Subject, name: str) -> bytes | None:
    from pytest_modelqa.artifacts import safetensors

    stored = {t.name: t for t in safetensors.read_folder(subject.path).tensors}
    tensor = stored.get(subject.stored.get(name, ""))
    if tensor is None:
        return None
    return tensor.file.read_bytes()[tensor.offset : tensor.offset + tensor.bytes]


def test_defects_of_gguf_files_say_that_they_do_not_apply_to_a_folder(tiny_folder: Path) -> None:
    truncated = applicable(selected(["truncated"])[0], subject_of(tiny_folder))
    merges = applicable(selected(["reversed-merges"])[0], subject_of(tiny_folder))
    assert isinstance(truncated, Inapplicable)
    assert "GGUF" in truncated.reason
    assert isinstance(merges, Inapplicable)


def test_defects_can_be_planted_one_upon_the_other(tiny_f32: Path, tmp_path: Path) -> None:
    both = selected(["sign-flipped", "norm-epsilon"])
    made = planted_in_turn(subject_of(tiny_f32), list(both), tmp_path)
    assert not isinstance(made, Inapplicable)
    now = subject_of(made.path)
    assert now.hyper("attention.layer_norm_rms_epsilon") == pytest.approx(1e-3)
    name = now.tensor("attn_output")
    before, after = layout_of(tiny_f32), layout_of(made.path)
    assert (_floats(after, name) == -_floats(before, name)).all()


def _floats(layout: Layout, name: str) -> Floats:
    tensor = layout.tensors[name]
    return dequantised(layout.raw(tensor), tensor.type)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v.name in REWRITTEN], ids=_name)
def test_a_healthy_copy_keeps_every_tensor_bit_by_bit(
    variant: Variant, tiny_q4_1: Path, tmp_path: Path
) -> None:
    made = variant.make(subject_of(tiny_q4_1), tmp_path)
    assert not isinstance(made, Inapplicable)
    assert _tensors(made.path) == _tensors(tiny_q4_1)
    assert not [f for f in inspect(made.path, "gguf").findings if f.severity == "error"]


def test_a_healthy_copy_is_what_it_says(tiny_f32: Path, tmp_path: Path) -> None:
    by_name = {v.name: v for v in VARIANTS}
    files = {}
    for name in REWRITTEN:
        folder = tmp_path / name
        folder.mkdir()
        made = by_name[name].make(subject_of(tiny_f32), folder)
        assert not isinstance(made, Inapplicable)
        files[name] = gguf.read(made.path)
    before = gguf.read(tiny_f32)
    assert [t.name for t in files["tensors-reordered"].tensors] == [
        t.name for t in reversed(before.tensors)
    ]
    assert files["aligned-64"].alignment == 64
    assert files["renamed"].metadata["general.name"] != before.metadata["general.name"]
    assert before.metadata.items() <= files["metadata-added"].metadata.items()
    assert files["resaved"].metadata == before.metadata
    assert files["template-respelt"].metadata["tokenizer.chat_template"] != tiny_template(before)


def tiny_template(header: gguf.Header) -> str:
    return str(header.metadata["tokenizer.chat_template"])


def test_a_sharded_variant_keeps_the_values(tiny_folder: Path, tmp_path: Path) -> None:
    variant = next(v for v in VARIANTS if v.name == "sharded")
    made = variant.make(subject_of(tiny_folder), tmp_path)
    assert not isinstance(made, Inapplicable)
    one, two = subject_of(tiny_folder), subject_of(made.path)
    assert len(list(made.path.glob("*.safetensors"))) == 3
    assert one.shapes == two.shapes
    assert all(_raw(one, name) == _raw(two, name) for name in one.shapes)


def test_defects_are_selected_by_name_and_by_class() -> None:
    chosen = selected(["outlier", "class:template"])
    assert {d.name for d in chosen if d.category is not DefectClass.TEMPLATE} == {"outlier"}
    assert len(chosen) == 1 + BY_CLASS[DefectClass.TEMPLATE]
    assert selected([]) == DEFECTS
    with pytest.raises(UsageError, match="class:layuot") as error:
        selected(["class:layuot"])
    assert "class:layout" in error.value.remedy


def test_no_defect_is_planted_into_a_file_that_is_not_sound(tiny_f32: Path, tmp_path: Path) -> None:
    file = tmp_path / "half.gguf"
    file.write_bytes(tiny_f32.read_bytes()[: tiny_f32.stat().st_size // 2])
    with pytest.raises(Refused, match="GGUF-TRUNCATED"):
        subject_of(file)
