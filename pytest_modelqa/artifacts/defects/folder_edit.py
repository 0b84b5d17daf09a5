"""A safetensors folder written again with some of it changed, by GGUF's names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts import safetensors
from pytest_modelqa.artifacts.convert.floats import decode, encode
from pytest_modelqa.artifacts.convert.tensors import Entry, raw, write
from pytest_modelqa.artifacts.defects.gguf_edit import Edit
from pytest_modelqa.artifacts.defects.subject import CONFIG_KEYS, Subject, json_of

_TEMPLATE = "tokenizer.chat_template"


def unmapped(subject: Subject, metadata: Mapping[str, Any]) -> str:
    """The first key that a folder has no place for, or nothing."""
    known = {subject.key(k) for k in CONFIG_KEYS} | {_TEMPLATE}
    return next((k for k in metadata if k not in known), "")


def rewrite_folder(
    subject: Subject,
    dst: Path,
    metadata: Mapping[str, Any | None],
    tensors: Mapping[str, Edit],
) -> None:
    """Write a changed copy of the subject's folder as one file of tensors. Raises OSError."""
    dst.mkdir(parents=True)
    for file in subject.path.iterdir():
        if file.is_file() and file.suffix != ".safetensors" and file.name != safetensors.INDEX:
            shutil.copyfile(file, dst / file.name)
    _configure(subject, dst, metadata)
    present = {t.name: t for t in safetensors.read_folder(subject.path).tensors}
    plan = list(_planned(subject, tensors, present))
    entries = [Entry(name, t.type, t.shape, t.bytes) for name, t, _ in plan]
    write(dst / safetensors.SINGLE, entries, (_edited(t, edit) for _, t, edit in plan))


def _planned(
    subject: Subject, edits: Mapping[str, Edit], present: Mapping[str, safetensors.Tensor]
) -> Iterator[tuple[str, safetensors.Tensor, Edit]]:
    for ours, theirs in subject.stored.items():
        edit = edits.get(ours, Edit())
        if not edit.remove:
            source = subject.stored[edit.source] if edit.source else theirs
            yield edit.name or theirs, present[source], edit
    for ours in edits.keys() - subject.stored.keys():
        yield "lm_head.weight", present[subject.stored[edits[ours].source]], edits[ours]


def _edited(tensor: safetensors.Tensor, edit: Edit) -> NDArray[Any]:
    held = raw(tensor)
    if edit.raw is not None:
        return edit.raw(held.reshape(tensor.shape[0], -1))
    if edit.values is None:
        return held
    values = decode(np.ascontiguousarray(held), tensor.type).reshape(tensor.shape)
    return encode(edit.values(values.copy()), tensor.type, tensor.name)


def _configure(subject: Subject, dst: Path, metadata: Mapping[str, Any | None]) -> None:
    hyper = {subject.key(k): v for k, v in CONFIG_KEYS.items()}
    config = json_of(dst / "config.json")
    for key, value in metadata.items():
        if key == _TEMPLATE:
            _template(dst, value)
        elif hyper[key] in config.get("rope_parameters", {}):
            config["rope_parameters"][hyper[key]] = value
        else:
            config[hyper[key]] = value
    if metadata:
        (dst / "config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")


def _template(dst: Path, value: str | None) -> None:
    separate, file = dst / "chat_template.jinja", dst / "tokenizer_config.json"
    if separate.is_file():
        separate.unlink()
    config = json_of(file)
    config.pop("chat_template", None)
    if value is not None:
        config["chat_template"] = value
    file.write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
