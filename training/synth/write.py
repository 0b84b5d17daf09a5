"""The nine sets as JSONL files with a manifest; a file appears whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_modelqa.core.errors import UsageError
from training.records import RecordFile
from training.synth.diversity import diversity
from training.synth.sides import GENERATOR, Sets

MANIFEST = "manifest.json"


def write(sets: Sets, folder: Path, *, seed: int, replace: bool = False) -> Mapping[str, Any]:
    """Write all files and the manifest, which is returned.

    Raises UsageError where a file is there already and is something else, unless `replace`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    texts = {f"{part.name}.jsonl": _text(part) for part in sets.files}
    if not replace:
        _require_free(folder, texts)
    manifest = _manifest(sets, seed)
    texts[MANIFEST] = (json.dumps(manifest, indent=2) + "\n").encode()
    for name, text in texts.items():
        part = folder / f".{name}.{os.getpid()}.part"
        try:
            part.write_bytes(text)
            part.replace(folder / name)
        finally:
            part.unlink(missing_ok=True)
    return manifest


def _text(part: RecordFile) -> bytes:
    return b"".join(record.line().encode() + b"\n" for record in part.records)


def _require_free(folder: Path, texts: Mapping[str, bytes]) -> None:
    there = {name: folder / name for name in texts if (folder / name).exists()}
    other = [name for name, path in there.items() if path.read_bytes() != texts[name]]
    if other:
        raise UsageError(
            f"other files of that name are there: {', '.join(other)}",
            where=str(folder),
            remedy="choose another folder, or add --replace",
        )


def _manifest(sets: Sets, seed: int) -> dict[str, Any]:
    return {
        "synthetic": True,
        "generator": GENERATOR,
        "seed": seed,
        "records": sum(len(part.records) for part in sets.files),
        "sets": {
            part.name: {
                "file": f"{part.name}.jsonl",
                "records": len(part.records),
                "sha256": part.sha256,
                **diversity(part.records),
            }
            for part in sets.files
        },
        "note": "Made by grammars, not by people; the code in it was parsed, never run.",
    }
