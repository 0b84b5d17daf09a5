"""The lazy matrix: a cell whose artifact has no source of its own is derived from one that has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from pytest_modelqa.artifacts.convert.kinds import Kind, kind_of
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.convert.tools import route
from pytest_modelqa.core.errors import ModelQAError, Refused, Unavailable, UsageError
from pytest_modelqa.core.model import Artifact, ArtifactSpec, Format

DERIVE = "derive:"
_LOCAL_ENGINES = ("", "llamacpp", "transformers")
"""Engines that open a model's file; what others are given (a script, an address) is no model."""

_BITS = {"f32": 32, "bf16": 16, "f16": 16}


class Provision(Protocol):
    """`provision.provision`, handed in so that neither module needs the other."""

    def __call__(
        self,
        spec: ArtifactSpec,
        siblings: Mapping[str, ArtifactSpec],
        /,
        *,
        folder: Path,
        cache: Path | None = None,
    ) -> Artifact:
        """Find or fetch an artifact and compare it with its pin."""


def derivable_from(spec: ArtifactSpec, siblings: Mapping[str, ArtifactSpec]) -> str | None:
    """The key of the artifact to derive `spec` from, or None where none leads to it.

    The one with the most bits a weight is taken, then the one with the shortest chain: deriving
    from a quantised file adds its losses to the target's.
    """
    ways = []
    for key, parent in siblings.items():
        if key == spec.key or not _has_model(parent):
            continue
        try:
            length = len(route(_kind(parent), _kind(spec)))
        except Unavailable:
            continue
        ways.append((-nominal_bits(parent.quantization), length, key))
    return min(ways)[2] if ways else None


def derived(
    spec: ArtifactSpec,
    siblings: Mapping[str, ArtifactSpec],
    parent_key: str,
    folder: Path,
    cache: Path,
    provision: Provision,
) -> Artifact:
    """Make an artifact out of its parent, once, whoever asks; it is pinned as the parent is.

    Raises UsageError (no such parent), Unavailable (no chain leads here, or a tool is missing),
    Refused (the parent is not fit, a tool declined it, or the result is not what the pin says).
    """
    parent_spec = siblings.get(parent_key)
    if parent_spec is None or not _has_model(parent_spec):
        raise UsageError(
            f"{spec.source or parent_key!r} names no artifact with a model file of its own",
            where=spec.key,
        )
    parent = provision(parent_spec, siblings, folder=folder, cache=cache)
    try:
        result = convert(parent.path, _kind(spec), cache)
    except UsageError as error:  # the parent's bytes are not of its format: no mistake of a person
        raise Refused(error.what, where=spec.key, remedy=error.remedy) from error
    except ModelQAError as error:
        error.where = f"{spec.key}: {error.where}" if error.where else spec.key
        raise
    made = result.made
    if spec.sha256 and spec.sha256 != made.sha256:
        raise Refused(
            f"sha256 of the derived artifact is {made.sha256}, its pin says {spec.sha256}",
            where=spec.key,
            remedy="remove the pin: it holds for one version of the tools alone",
        )
    return Artifact(
        spec=spec,
        path=made.path,
        sha256=made.sha256,
        bytes=made.bytes,
        pinned=parent.pinned,
        parent_sha256=parent.sha256,
    )


def for_engine(artifact: Artifact, cache: Path) -> tuple[Path, Format]:
    """What an engine opens in an artifact's place, and its format.

    No engine reads APR: such a file is verified tensor by tensor, and unpacked bit by bit once.
    """
    if artifact.spec.format != "apr":
        return artifact.path, artifact.spec.format
    stored = kind_of(artifact.path).quantization
    result = convert(artifact.path, Kind("safetensors", stored), cache)
    return result.made.path, "safetensors"


def _has_model(spec: ArtifactSpec) -> bool:
    given = bool(spec.source) and not spec.source.startswith(DERIVE)
    return given and spec.engine in _LOCAL_ENGINES


def _kind(spec: ArtifactSpec) -> Kind:
    return Kind(spec.format, spec.quantization)


def nominal_bits(quantization: str) -> int:
    """How many bits a weight by its name: `q4_k_m` 4; 0 where it names none."""
    if quantization in _BITS:
        return _BITS[quantization]
    digits = "".join(c for c in quantization[:4] if c.isdigit())
    return int(digits[:1] or 0)
