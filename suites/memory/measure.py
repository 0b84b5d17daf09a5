"""Planned and measured bytes of an artifact's model: registered under `modelqa.measurements`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from pytest_modelqa.core.errors import Refused, Unavailable, UsageError, missing_extra
from suites.memory.step import peaks
from training.memory import Approach, Architecture, plan_memory
from training.memory.approach import Kind
from training.memory.architecture import FAMILIES, from_mapping
from training.memory.quantised import nf4

Row = dict[str, str | int | float | bool | None]

LAYERS = 4
"""Layers of the model whose step is measured; it has all widths and the whole vocabulary."""

PACKAGES: dict[Kind, dict[str, str]] = {
    "full": {"torch": "hf", "transformers": "hf"},
    "lora": {"torch": "hf", "transformers": "hf", "peft": "train"},
    "qlora": {"torch": "hf", "transformers": "hf", "peft": "train", "bitsandbytes": "train"},
}
"""What an approach is measured with, and the extra that installs it."""

_TOKENS = 64
_FREE = 0.6
"""The share of the free memory that a measured step may take."""


def measure(artifact: Path, options: Mapping[str, str | int | float | bool]) -> list[Row]:
    """Rows of each of `approaches` ("full,lora,qlora"): what is stored, and a step's peak.

    `kind` is "weights" (of the whole model, or of its adapters, by transformers and peft on the
    meta device), "packed" (one layer in NF4 of bitsandbytes, qlora alone) or "peak" (a real step of
    `tokens`, of the model cut to `layers`, in a process of its own; bytes of its resident set).
    Weights are random: sizes do not depend on them.

    Raises:
        UsageError: an option is none.
        Refused: the artifact does not say what it is.
        Unavailable: it is no decoder that is planned, its step does not fit into this machine, or
            a package is not installed.
    """
    chosen = _approaches(str(options.get("approaches", ",".join(get_args(Kind)))))
    _check_packages(chosen)
    model = _architecture(artifact)
    wanted = Approach(tokens=int(options.get("tokens", _TOKENS)))
    small = replace(
        model, num_hidden_layers=min(model.num_hidden_layers, int(options.get("layers", LAYERS)))
    )
    steps = {kind: replace(wanted, kind=kind) for kind in chosen}
    for step in steps.values():
        _check_room(small, step)
    found = peaks([(small, step) for step in steps.values()])
    rows: list[Row] = []
    for (kind, step), seen in zip(steps.items(), found, strict=True):
        rows += _counted(model, small, step)
        layers = f"{small.num_hidden_layers} of {model.num_hidden_layers} layers"
        planned = plan_memory(small, step).peak_bytes
        rows.append(_row(f"{kind}: peak of a step, {layers}", "peak", kind, (planned, seen.peak)))
    return rows


def _check_packages(chosen: Iterable[Kind]) -> None:
    for kind in chosen:
        for package, extra in PACKAGES[kind].items():
            if find_spec(package) is None:
                raise missing_extra(f"memory of {kind}", package, extra)


def _row(name: str, what: str, approach: str, both: tuple[int, int]) -> Row:
    planned, measured = both
    return {
        "name": name,
        "kind": what,
        "approach": approach,
        "planned_bytes": planned,
        "measured_bytes": measured,
    }


def _counted(model: Architecture, small: Architecture, approach: Approach) -> Iterator[Row]:
    """What is counted: the whole model's weights, adapters of few layers, packed weights of one."""
    from suites.memory import real  # noqa: PLC0415 - imports torch

    kind = approach.kind
    if kind == "full":
        made = real.without_weights(model, approach)
        seen = sum(p.numel() * p.element_size() for p in made.parameters())
        yield _row("full: weights", "weights", kind, (plan_memory(model).weight_bytes, seen))
        return
    made = real.without_weights(small, approach)
    seen = sum(p.numel() * p.element_size() for p in made.parameters() if p.requires_grad)
    planned = plan_memory(small, approach).adapter_bytes
    yield _row(f"{kind}: adapters", "weights", kind, (planned, seen))
    if kind == "qlora":
        yield _row("qlora: one layer packed", "packed", kind, _packed(model, approach))


def _packed(model: Architecture, approach: Approach) -> tuple[int, int]:
    import torch  # noqa: PLC0415

    from suites.memory import real  # noqa: PLC0415

    double = approach.double_quantisation
    planned = sum(nf4(matrix.weights, double=double).total for matrix in model.matrices)
    shapes = ((matrix.outputs, matrix.inputs) for matrix in model.matrices)
    held = (real.packed(torch.randn(shape), double=double) for shape in shapes)
    return planned, sum(map(real.packed_bytes, held))


def _approaches(text: str) -> list[Kind]:
    known = {kind: kind for kind in get_args(Kind)}
    wrong = [name for name in text.split(",") if name not in known]
    if wrong:
        raise UsageError(
            f"{wrong[0]!r} is no approach; known: {', '.join(known)}",
            remedy="memory: {approaches: [full, lora, qlora]}",
        )
    return [known[name] for name in dict.fromkeys(text.split(","))]


def _architecture(artifact: Path) -> Architecture:
    """As its config.json says, or the metadata of a GGUF file, as transformers reads them."""
    config = _config(artifact)
    if config.get("model_type") not in FAMILIES:
        raise Unavailable(
            f"the memory of a {config.get('model_type')} is not planned; "
            f"known: {', '.join(FAMILIES)}",
            where=str(artifact),
            remedy="leave out `memory:` for this model",
        )
    try:
        return from_mapping(config, where=str(artifact))
    except UsageError as error:
        raise Refused(error.what, where=error.where, remedy=error.remedy) from error


def _config(artifact: Path) -> Mapping[str, Any]:
    if artifact.is_dir():
        try:
            found = json.loads((artifact / "config.json").read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise Refused(f"config.json cannot be read: {error}", where=str(artifact)) from error
        if not isinstance(found, dict):
            raise Refused("config.json is no JSON object", where=str(artifact))
        return found
    from transformers import AutoConfig  # noqa: PLC0415 - seconds

    try:
        read = AutoConfig.from_pretrained(
            artifact.parent, gguf_file=artifact.name, local_files_only=True
        )
    except (ValueError, KeyError, OSError) as error:
        raise Unavailable(
            f"transformers does not read this architecture: {str(error).splitlines()[0]}",
            where=str(artifact),
            remedy="leave out `memory:` for this model",
        ) from error
    config: Mapping[str, Any] = read.to_dict()
    return config


def _check_room(model: Architecture, approach: Approach) -> None:
    needed = plan_memory(model, approach).total_bytes
    if approach.kind == "qlora":  # the matrices are there whole before they are packed
        needed += model.matrix_weights * approach.width
    lines = Path("/proc/meminfo").read_text().splitlines()
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    if needed > _FREE * free:
        raise Unavailable(
            f"a step of {model.num_hidden_layers} layers takes {needed:,} bytes, and of "
            f"{free:,} free ones {_FREE:.0%} may be taken",
            remedy="a machine with more memory, or fewer `approaches:`",
        )
