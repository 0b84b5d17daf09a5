"""Base models: found, built or converted; which one an adapter belongs to, and whether it fits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts import safetensors
from pytest_modelqa.artifacts.convert.kinds import Kind, format_of
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.hashing import cache_root, sha256_of
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.errors import Refused, UsageError
from pytest_modelqa.core.model import ArtifactSpec
from training import adapters
from training.config.values import ModelSection
from training.written import RUN


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A model that is here. `sha256` is that of its folder's files."""

    source: str
    folder: Path
    sha256: str


def find(model: ModelSection, say: Callable[[str], None]) -> Base:
    """Find, build or convert the base; relative `file:` paths are of the working directory.

    Raises what `provision` and `convert` raise, and Refused where its header is not sound.
    """
    cache = cache_root()
    spec = ArtifactSpec(
        model="base",
        format="safetensors",
        quantization="f32",
        source=model.source,
        revision=model.revision,
    )
    path = provision(spec, {}, folder=Path.cwd(), cache=cache).path
    if format_of(path) != "safetensors":
        path = convert(path, Kind("safetensors", "f32"), cache, say).made.path
    return of_folder(path, model.source)


def of_folder(folder: Path, source: str = "") -> Base:
    """A safetensors folder as a base. Raises Refused where its tensors cannot be read."""
    if not folder.is_dir():
        raise Refused("is no folder of safetensors", where=str(folder))
    header = safetensors.read_folder(folder)
    if header.findings:
        first = header.findings[0]
        raise Refused(
            f"{first.code} {first.where}: {first.message}",
            where=str(folder),
            remedy=f"modelqa inspect {folder}; get a sound copy",
        )
    named = source or f"file:{folder}"
    return Base(source=named, folder=folder, sha256=sha256_of(folder, cache_root()))


def settings_of(folder: Path) -> dict[str, Any]:
    """The model's config.json. Raises Refused where it is none."""
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"config.json cannot be read: {error}", where=str(folder)) from error
    if not isinstance(found, dict):
        raise Refused("config.json is no JSON object", where=str(folder))
    return found


def shapes_of(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor, from the header alone."""
    return {t.name: t.shape for t in safetensors.read_folder(folder).tensors}


def base_of(adapter: Path, given: Path | None, say: Callable[[str], None]) -> Base:
    """The base that is given, else the run's own, found or made again.

    Raises Refused where it is not the one that the adapter was trained on.
    """
    trained_on = _trained_on(adapter)
    if given is not None:
        base = of_folder(given)
    elif trained_on:
        base = _again(trained_on, say)
    else:
        base = _named(adapter)
    if trained_on and base.sha256 != trained_on["sha256"]:
        raise Refused(
            f"base and adapter are of different models: trained on {trained_on['source']} "
            f"(sha256 {trained_on['sha256'][:16]}), this base has {base.sha256[:16]}",
            where=str(base.folder),
            remedy="leave out --base, or name the folder that it was trained on",
        )
    return base


def require_float(base: Base, *, dequantise: bool) -> None:
    """Raise Refused for a base in 4 or 8 bits: an adapter is lost in its rounding."""
    quantised = settings_of(base.folder).get("quantization_config")
    if quantised and not dequantise:
        method = quantised.get("quant_method", "unknown")
        raise Refused(
            f"the base is quantised ({method}): merged into it, the adapter is rounded away",
            where=str(base.folder),
            remedy="--dequantise, or name the base in float32 or bfloat16 with --base",
        )


def _again(trained_on: Mapping[str, Any], say: Callable[[str], None]) -> Base:
    folder = Path(trained_on["folder"])
    if folder.is_dir():
        return of_folder(folder, trained_on["source"])
    return find(ModelSection(source=trained_on["source"]), say)


def _named(adapter: Path) -> Base:
    """Of an adapter that another tool trained: the folder that its settings name."""
    name = str(adapters.read(adapter).settings.get("base_model_name_or_path") or "")
    if not Path(name).is_dir():
        raise UsageError(
            f"the adapter does not say which folder its base is in ({name!r})",
            where=str(adapter),
            remedy="name it with --base",
        )
    return of_folder(Path(name))


def _trained_on(adapter: Path) -> dict[str, Any]:
    """What `run.json` says of the base; empty where the adapter is of another tool."""
    path = adapter / RUN
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["base"]
        return {key: str(found[key]) for key in ("source", "folder", "sha256")}
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"does not say what the base was: {error!r}", where=str(path)) from error
