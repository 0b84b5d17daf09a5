"""What training, merging and conversion come to, for a playbook: `modelqa.measurements`.

The stages of a configuration are made once, in the cache, and every check of them is a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_modelqa.artifacts.hashing import cache_root
from pytest_modelqa.core.errors import UsageError
from training import adapters
from training.bases import base_of
from training.conversion import carried
from training.findings import Finding
from training.loop.verify import verify as verify_run
from training.making import CI_LIGHT, Stages
from training.merge.verify import verify as verify_merge

Row = dict[str, str | int | float | bool | None]
STAGES = ("run", "merge", "gguf")


def measure(artifact: Path, options: Mapping[str, str | int | float | bool]) -> list[Row]:
    """A row for each check of `stage` ("run", "merge" or "gguf"): `name`, `holds` and `reason`.

    `config` is the configuration's file, the shipped ci-light where it is not given; `quantization`
    that of the GGUF. The configuration names its own base: `artifact` is not looked at.

    Raises:
        UsageError: a stage that is none.
        ModelQAError: a stage could not be made.
    """
    del artifact
    stage = str(options.get("stage", "run"))
    if stage not in STAGES:
        raise UsageError(f"{stage!r} is no stage", remedy=f"one of {', '.join(STAGES)}")
    stages = Stages(
        config=Path(str(options.get("config") or CI_LIGHT)), cache=cache_root(), say=_silently
    )
    findings = _findings(stages, stage, str(options.get("quantization", "f16")))
    return [{"name": f.check, "holds": f.passed, "reason": f.reason} for f in findings]


def _findings(stages: Stages, stage: str, quantisation: str) -> list[Finding]:
    run = stages.adapter()
    if stage == "run":
        return verify_run(run, _silently)
    merged = stages.merged()
    if stage == "merge":
        base = base_of(run, None, _silently)
        return verify_merge(base.folder, adapters.read(run), merged)
    return carried(merged, stages.gguf(quantisation))


def _silently(_: str) -> None: ...
