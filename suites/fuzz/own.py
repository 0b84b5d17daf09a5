"""Readers over a model's own file: what a playbook's `fuzz:` block fuzzes.

Each function makes a `Reader` for the artifact at a path: a GGUF file or a folder of safetensors.
Its weights are never read: files keep the header, and a hole of the right size where weights were.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from pytest_modelqa.artifacts import gguf, safetensors
from pytest_modelqa.artifacts.codes import CODES
from pytest_modelqa.artifacts.lint import lint_folder, lint_gguf
from pytest_modelqa.artifacts.special import template_of
from pytest_modelqa.core.answer import Finding
from pytest_modelqa.core.errors import Refused, UsageError
from suites.fuzz import gguf_files, limits, probes, template_files, tree_edits
from suites.fuzz.files import Files
from suites.fuzz.reader import REFUSED, Held, Reader

_ITEMS = 64
"""An array of a header is cut to so many items: 49,152 tokens would make each file slow to read."""
_CONFIG = "config.json"
_HEADER = "header.bin"
_SHARD = "model.safetensors"


def header(artifact: str) -> Reader:
    """Mutated headers of the model's file; of a folder also mutated configurations."""
    path = Path(artifact)
    return _folder_header(path) if path.is_dir() else _gguf_header(path)


def _known(held: Held, findings: list[Finding]) -> None:
    for finding in findings:
        held.must("findings_known", finding.code in CODES, finding.code)


def _gguf_header(path: Path) -> Reader:
    model, hole = _parts(path)

    def probe(folder: Path, held: Held) -> str:
        file = folder / gguf_files.NAME
        os.truncate(file, file.stat().st_size + hole)
        read = gguf.read(file)
        _known(held, read.findings)
        if read.findings:
            return REFUSED
        held.must("tensors_inside", _inside(read.tensors, file.stat().st_size), "a tensor is not")
        _known(held, lint_gguf(read)[1])
        return "sound"

    return Reader(
        name="header",
        seeds=lambda: ({gguf_files.NAME: model.written()},),
        mutated=partial(gguf_files.mutated, models=(model,)),
        probe=probe,
    )


def _inside(tensors: list[Any], size: int) -> bool:
    end = 0
    for tensor in sorted(tensors, key=lambda t: (t.offset, t.bytes)):
        if tensor.offset < end:
            return False
        end = tensor.offset + tensor.bytes
    return end <= size


def _parts(path: Path) -> tuple[gguf_files.Gguf, int]:
    """The header with short arrays and no chat template; and how many bytes its weights take."""
    read = gguf.read(path)
    if read.findings:
        raise Refused("the model's own header is not sound", where=str(path),
                      remedy=f"modelqa inspect {path}")  # fmt: skip
    made = gguf_files.Gguf(version=read.version, alignment=read.alignment)
    for key, value in read.metadata.items():
        if key != "tokenizer.chat_template":  # has a target of its own; here it costs a process
            made.pairs.append(gguf_files.pair(key, _short(value)))
    numbers = {block.name: number for number, block in gguf.TYPES.items()}
    base = min((t.offset for t in read.tensors), default=0)
    for t in read.tensors:
        entry = gguf_files.Info(t.name.encode(), list(t.shape), numbers[t.type], t.offset - base)
        made.infos.append(entry)
    hole = max((t.offset + t.bytes - base for t in read.tensors), default=0)
    return made, hole


def _short(value: Any) -> Any:
    if isinstance(value, (str, bytes)):
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
    if hasattr(value, "__len__"):
        return [_short(item) for item in list(value)[:_ITEMS]]
    return value


def _folder_header(path: Path) -> Reader:
    files = safetensors.shards(path, safetensors.Header())
    if not files:
        raise Refused("no safetensors file is here", where=str(path),
                      remedy=f"modelqa inspect {path}")  # fmt: skip
    with files[0].open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        entries = json.loads(stream.read(min(length, safetensors.MAX_HEADER_BYTES)))
    hole = files[0].stat().st_size - 8 - length
    sound = {_SHARD: entries, _CONFIG: _configuration(path)}

    def mutated(dice: Random) -> Files:
        trees = dict(sound)
        name = dice.choice((_SHARD, _CONFIG))
        trees[name] = tree_edits.edited(dice, trees[name])
        return _as_files(trees, dice)

    def probe(folder: Path, held: Held) -> str:
        file = folder / _SHARD
        os.truncate(file, file.stat().st_size + hole)
        read = safetensors.read_file(file)
        _known(held, read.findings)
        if read.findings:
            return REFUSED
        held.must("tensors_inside", _inside(read.tensors, file.stat().st_size), "a tensor is not")
        _known(held, lint_folder(folder, read)[2])
        return "sound"

    return Reader(name="header", seeds=lambda: (_as_files(sound),), mutated=mutated, probe=probe)


def _as_files(trees: Mapping[str, Any], dice: Random | None = None) -> Files:
    def text(tree: Any) -> bytes:
        return tree_edits.text(dice, tree) if dice else json.dumps(tree).encode()

    head = text(trees[_SHARD])
    return {_SHARD: struct.pack("<Q", len(head)) + head, _CONFIG: text(trees[_CONFIG])}


_KEYS = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
}
"""GGUF's words for sizes, after the architecture's name; and config.json's."""


def _configuration(path: Path) -> dict[str, Any]:
    """config.json of a folder, or what a GGUF header says in its words."""
    if path.is_dir():
        return _read_configuration(path / _CONFIG)
    read = gguf.read(path)
    family = read.metadata.get("general.architecture")
    made: dict[str, Any] = {"model_type": family}
    for theirs, ours in _KEYS.items():
        if (value := read.metadata.get(f"{family}.{theirs}")) is not None:
            made[ours] = value
    names = {t.name for t in read.tensors}
    made["vocab_size"] = len(read.metadata.get("tokenizer.ggml.tokens", ()))
    made["tie_word_embeddings"] = "output.weight" not in names
    return made


def _read_configuration(file: Path) -> dict[str, Any]:
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        found = f"{type(error).__name__}: {error!s:.200}"
    if not isinstance(found, dict):
        said = f"the model's own {_CONFIG} is no JSON object: {str(found)[:250]}"
        raise Refused(said, where=str(file), remedy=f"modelqa inspect {file.parent}")
    return found


def _plannable(config: Mapping[str, Any], artifact: str) -> None:
    """Raises UsageError where the planner refuses the model itself: of it nothing is counted."""
    from training.memory import plan_memory  # noqa: PLC0415 - known where it is used

    try:
        plan_memory(config, "lora")
    except UsageError as error:
        raise UsageError(f"the model itself cannot be planned: {error.what}", where=artifact,
                         remedy="leave `parameters` out of the block's targets",
                         ) from error  # fmt: skip


def parameters(artifact: str) -> Reader:
    """Mutated sizes of the model through the planner: refused, or counted exactly.

    Raises UsageError where the model's own sizes are not planned.
    """
    config = _configuration(Path(artifact))
    _plannable(config, artifact)

    def mutated(dice: Random) -> Files:
        return {_CONFIG: json.dumps(tree_edits.edited(dice, config), default=str).encode()}

    def probe(folder: Path, held: Held) -> str:
        from suites.fuzz import closed_form  # noqa: PLC0415
        from training.memory import architecture, plan_memory  # noqa: PLC0415

        model = architecture(folder / _CONFIG)
        plan = plan_memory(model, "lora")
        sizes = closed_form.Decoder(
            vocabulary=model.vocab_size, layers=model.num_hidden_layers, hidden=model.hidden_size,
            inner=model.intermediate_size, heads=model.num_attention_heads,
            key_heads=model.key_heads, width=model.width, family=model.family,
            tied=model.tie_word_embeddings, attention_bias=model.attention_bias,
            mlp_bias=model.mlp_bias,
        )  # fmt: skip
        counts = closed_form.parameters(sizes) == plan.base_parameters
        held.must("counted_exactly", counts, str(plan.base_parameters)[:40])
        held.must("parts_add_up", plan.total_bytes == sum(plan.parts.values()), "the total")
        return "planned"

    return Reader(
        name="parameters",
        seeds=lambda: ({_CONFIG: json.dumps(config).encode()},),
        mutated=mutated,
        probe=probe,
    )


def template(artifact: str) -> Reader:
    """Mutated copies of the model's chat template. Raises UsageError where it has none."""
    path = Path(artifact)
    if path.is_dir():
        config = path / "tokenizer_config.json"
        known = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
        found = template_of(path, known)
    else:
        found = gguf.read(path).metadata.get("tokenizer.chat_template")
    if not isinstance(found, str) or not found:
        raise UsageError("the model has no chat template to mutate", where=str(path),
                         remedy="leave `template` out of the block's targets")  # fmt: skip
    return Reader(
        name="template",
        seeds=lambda: ({template_files.NAME: found.encode()},),
        mutated=partial(template_files.mutated, templates=(found,)),
        probe=probes.probe_template,
        growth_kib=limits.PROGRAM_KIB,
    )
