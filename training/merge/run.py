"""Merging an adapter into its base: checked before the result gets its name.

Weights are merged in float32 and then rounded once to the type that is asked for; tokenizer,
template and generation settings are the base's files, byte by byte.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError

from pytest_modelqa.artifacts.adapter import WEIGHTS
from pytest_modelqa.artifacts.folders import flush
from pytest_modelqa.artifacts.hashing import cache_root, sha256_of
from pytest_modelqa.core.errors import OutputError, UsageError
from training import adapters
from training.adapters import Adapter
from training.bases import Base, base_of, require_float, shapes_of
from training.findings import Finding, insist
from training.merge.verify import verify
from training.quiet import quiet
from training.written import write_json

Say = Callable[[str], None]
Dtype = Literal["float32", "bfloat16"]
MERGE = "merge.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is merged into what. `base` None: the one that the run names."""

    adapter: Path
    output: Path
    base: Path | None = None
    dtype: Dtype = "float32"
    dequantise: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A merged model, verified. `sha256` is that of its folder."""

    folder: Path
    sha256: str
    findings: tuple[Finding, ...]


def merge(request: Request, say: Say) -> Merged:
    """Merge, verify, and only then name the result.

    Raises Refused (adapter and base do not fit, the base is in 4 bits, or a check does not hold),
    UsageError (the output exists), OutputError.
    """
    if request.output.exists():
        raise UsageError("exists already", where=str(request.output), remedy="choose another -o")
    adapter = adapters.read(request.adapter)
    base = base_of(adapter.folder, request.base, say)
    require_float(base, dequantise=request.dequantise)
    part = request.output.with_name(f".{request.output.name}.{os.getpid()}.part")
    scratch = part.with_suffix(".base")
    try:
        part.mkdir(parents=True)
        with quiet():
            findings = _made(request, adapter, base, (part, scratch), say)
        for path in (*part.rglob("*"), part):
            flush(path)
        part.rename(request.output)
        flush(request.output.parent)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"cannot be written: {error}",
            where=str(request.output),
            remedy="free space, or choose another -o",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(scratch, ignore_errors=True)
    sha256 = sha256_of(request.output, cache_root())
    return Merged(folder=request.output, sha256=sha256, findings=tuple(findings))


def _made(
    request: Request, adapter: Adapter, base: Base, folders: tuple[Path, Path], say: Say
) -> Sequence[Finding]:
    """Fill `folders[0]`; a base that is dequantised lies in `folders[1]` meanwhile."""
    from training.merge.weights import dequantised, merged_into  # noqa: PLC0415 - loads torch

    part, scratch = folders
    if request.dequantise:
        say("dequantising the base")
        base = dataclasses.replace(base, folder=dequantised(base.folder, scratch))
    adapters.require_fit(adapter, shapes_of(base.folder))
    say(f"merging {len(adapter.modules)} modules into {base.source}")
    merged_into(base.folder, adapter, part, request.dtype)
    findings = verify(base.folder, adapter, part)
    insist(findings, str(request.adapter), "see docs/training_run.md, Merge; nothing was written")
    write_json(part / MERGE, _record(request, adapter, base, findings))
    return findings


def _record(
    request: Request, adapter: Adapter, base: Base, findings: Sequence[Finding]
) -> dict[str, Any]:
    """What the merged model was made of, and what was found of it."""
    return {
        "base": {"source": base.source, "sha256": base.sha256, "dequantised": request.dequantise},
        "adapter_sha256": sha256_of(adapter.folder / WEIGHTS, cache_root()),
        "r": adapter.r,
        "alpha": adapter.alpha,
        "dtype": request.dtype,
        "findings": [f.values for f in findings],
    }
