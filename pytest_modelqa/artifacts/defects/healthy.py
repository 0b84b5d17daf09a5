"""Healthy relatives of an artifact: whatever calls one of them broken cries wolf."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts import safetensors
from pytest_modelqa.artifacts.convert.kinds import Kind, kind_of
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.convert.tensors import Entry, raw, write
from pytest_modelqa.artifacts.defects.defect import Change, Inapplicable, Made, Variant
from pytest_modelqa.artifacts.defects.planting import planted
from pytest_modelqa.artifacts.defects.resaving import resave
from pytest_modelqa.artifacts.defects.subject import Subject
from pytest_modelqa.artifacts.defects.templates import KEY
from pytest_modelqa.core.errors import ModelQAError

_Make = Callable[[Subject, Path], Made | Inapplicable]
_ONLY_GGUF = Inapplicable("it is a way of writing GGUF files")


def _changed(change: Callable[[Subject], Change | Inapplicable]) -> _Make:
    def make(subject: Subject, folder: Path) -> Made | Inapplicable:
        if subject.format != "gguf":
            return _ONLY_GGUF
        wanted = change(subject)
        return wanted if isinstance(wanted, Inapplicable) else planted(subject, wanted, folder)

    return make


def _copy(subject: Subject, folder: Path) -> Made:
    path = folder / subject.path.name
    copy: Any = shutil.copytree if subject.path.is_dir() else shutil.copyfile
    copy(subject.path, path)
    return Made(path, subject.format, subject.quantization)


def _respelt(subject: Subject) -> Change | Inapplicable:
    """A comment before and behind: what is rendered is the same."""
    if not subject.template:
        return Inapplicable("there is no chat template")
    spelt = f"{{# turns, one by one #}}{subject.template}{{# end #}}"
    return Change(metadata={KEY: spelt})


def _odd_rows(subject: Subject) -> int:
    """A width that K-quants cannot have: llama.cpp then stores other types, which is a finding."""
    widths = (shape[-1] for shape in subject.shapes.values() if len(shape) > 1)
    return next((width for width in widths if width % _K_BLOCK), 0)


_K_BLOCK = 256


def _converted(*kinds: Kind) -> _Make:
    """By llama.cpp's own tools, one kind after the other, in a cache that goes with the folder."""

    def make(subject: Subject, folder: Path) -> Made | Inapplicable:
        if kinds[0] == (subject.format, subject.quantization):
            return Inapplicable(f"it is {kinds[0]} already")
        if kinds[-1].quantization.endswith(("_k", "_k_m")) and (odd := _odd_rows(subject)):
            return Inapplicable(f"rows of {odd} do not divide into the blocks of K-quants")
        path = subject.origin or subject.path
        try:
            for number, kind in enumerate(kinds):
                path = convert(path, kind, folder / str(number)).made.path
        except ModelQAError as error:
            return Inapplicable(error.what)
        return Made(path, *kinds[-1])

    return make


def _resaved(subject: Subject, folder: Path) -> Made | Inapplicable:
    if subject.format != "gguf":
        return _ONLY_GGUF
    path = folder / "resaved.gguf"
    resave(subject.path, path)
    return Made(path, subject.format, subject.quantization)


def _sharded(subject: Subject, folder: Path) -> Made | Inapplicable:
    """As a safetensors folder of three files and an index."""
    source = subject.origin or subject.path
    if not source.is_dir():
        made = _converted(Kind("safetensors", "f32"))(subject, folder)
        if isinstance(made, Inapplicable):
            return made
        source = made.path
    target = folder / "sharded"
    _shard(source, target)
    return Made(target, "safetensors", kind_of(target).quantization)


def _shard(source: Path, target: Path, count: int = 3) -> None:
    target.mkdir()
    for file in source.iterdir():
        if file.is_file() and file.suffix != ".safetensors" and file.name != safetensors.INDEX:
            shutil.copyfile(file, target / file.name)
    tensors = safetensors.read_folder(source).tensors
    weight_map = {}
    for number in range(count):
        name = f"model-{number + 1:05}-of-{count:05}.safetensors"
        part = tensors[number::count]
        weight_map.update({t.name: name for t in part})
        entries = [Entry(t.name, t.type, t.shape, t.bytes) for t in part]
        write(target / name, entries, map(raw, part))
    index = {"metadata": {"total_size": sum(t.bytes for t in tensors)}, "weight_map": weight_map}
    (target / safetensors.INDEX).write_text(json.dumps(index), encoding="utf-8")


VARIANTS = (
    Variant(name="copy", what="The same bytes.", exact=True, make=_copy),
    Variant(name="metadata-added", what="Keys that no engine reads were added.", exact=True,
            make=_changed(lambda _: Change(metadata={
                "general.description": "the same model", "modelqa.note": 1}))),
    Variant(name="renamed", what="Its general.name is another one.", exact=True,
            make=_changed(lambda _: Change(metadata={"general.name": "Another name"}))),
    Variant(name="tensors-reordered", what="Tensors are stored in reverse order.", exact=True,
            make=_changed(lambda _: Change(order=lambda names: list(reversed(names))))),
    Variant(name="aligned-64", what="Tensors begin at multiples of 64 bytes.", exact=True,
            make=_changed(lambda _: Change(alignment=64))),
    Variant(name="resaved", what="Read and written by the gguf package.", exact=True,
            make=_resaved),
    Variant(name="template-respelt", what="Its chat template has comments.", exact=True,
            make=_changed(_respelt)),
    Variant(name="sharded", what="A safetensors folder of three files.", exact=True,
            make=_sharded),
    Variant(name="safetensors-f32", what="Dequantised to a safetensors folder.", exact=True,
            make=_converted(Kind("safetensors", "f32"))),
    Variant(name="apr-round-trip", what="Through an APR file and back, in float32.", exact=True,
            make=_converted(Kind("apr", "f32"), Kind("gguf", "f32"))),
    Variant(name="f32", what="Stored as F32.", exact=True, make=_converted(Kind("gguf", "f32"))),
    Variant(name="f16", what="Stored as F16.", exact=False, make=_converted(Kind("gguf", "f16"))),
    Variant(name="bf16", what="Stored as BF16.", exact=False,
            make=_converted(Kind("gguf", "bf16"))),
    Variant(name="q8_0", what="Quantised to Q8_0.", exact=False,
            make=_converted(Kind("gguf", "q8_0"))),
    Variant(name="q6_k", what="Quantised to Q6_K.", exact=False,
            make=_converted(Kind("gguf", "q6_k"))),
    Variant(name="q5_k_m", what="Quantised to Q5_K_M.", exact=False,
            make=_converted(Kind("gguf", "q5_k_m"))),
)  # fmt: skip
