"""Where a derived artifact comes from: an in-toto Statement with SLSA provenance, for each stage.

It holds nothing that differs between two runs of the same tools on the same bytes: no time, no
path, no machine. Schema: `pytest_modelqa/schemas/derivation.schema.json`; the formats are
in-toto's Statement v1 and SLSA's Provenance v1 as they publish them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.convert.tools import Stage
from pytest_modelqa.artifacts.hashing import file_names, measured
from pytest_modelqa.core.ids import canonical, digest

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:pytest-modelqa:convert:v1"
BUILDER = "urn:pytest-modelqa:modelqa-convert"


def statement(stage: Stage, parent: str, packages: Mapping[str, str], made: Path) -> dict[str, Any]:
    """The record of `made`, a file or folder; `parent` is the SHA-256 of what it was made from."""
    files = _digests(made)
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": sha256}} for name, sha256 in files],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "tool": stage.tool.name,
                    "arguments": {"to": stage.target.format, "quant": stage.target.quantization},
                    "source": str(stage.source),
                    "artifact": {"sha256": _artifact(made, files), "bytes": _bytes(made, files)},
                },
                "resolvedDependencies": [
                    {"name": "parent", "digest": {"sha256": parent}},
                    *({"uri": f"pkg:pypi/{p}@{v}"} for p, v in sorted(packages.items())),
                ],
            },
            "runDetails": {
                "builder": {"id": BUILDER, "version": {stage.tool.name: str(stage.tool.revision)}}
            },
        },
    }


def _digests(made: Path) -> list[tuple[str, str]]:
    if made.is_file():
        return [(made.name, measured(made))]
    return [(name, measured(made / name)) for name in file_names(made)]


def _artifact(made: Path, files: list[tuple[str, str]]) -> str:
    """As `hashing.sha256_of` has it: a file's hash, a folder's hash of its names and hashes."""
    return files[0][1] if made.is_file() else digest(canonical([list(f) for f in files]))


def _bytes(made: Path, files: list[tuple[str, str]]) -> int:
    if made.is_file():
        return made.stat().st_size
    return sum((made / name).stat().st_size for name, _ in files)
