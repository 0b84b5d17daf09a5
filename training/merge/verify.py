"""All checks of a merged model against its base and its adapter, read from disk."""

from __future__ import annotations

from pathlib import Path

from pytest_modelqa.artifacts.convert.kinds import SIDE_FILES
from pytest_modelqa.artifacts.hashing import file_names, measured
from training.adapters import Adapter
from training.bases import settings_of
from training.findings import Finding, failed, held
from training.merge.judge import judge_logits, judge_modules, judge_untouched
from training.quiet import quiet


def verify(base: Path, adapter: Adapter, merged: Path) -> list[Finding]:
    """Weights, logits and files. Raises Refused where the merged model has no sound header."""
    from training.merge.measure import deltas, untouched  # noqa: PLC0415 - loads torch
    from training.merge.weights import divergence  # noqa: PLC0415

    half = settings_of(merged).get("dtype") != "float32"
    seen = untouched(base, adapter, merged)
    found = [
        *judge_modules(list(deltas(base, adapter, merged))),
        judge_untouched(seen),
        carried(base, merged),
    ]
    if seen.missing or seen.added:
        return found  # it cannot be loaded as what it should be
    with quiet():
        return [*found, *judge_logits(divergence(base, adapter, merged), half=half)]


def carried(base: Path, merged: Path) -> Finding:
    """Tokenizer, template and generation settings are the base's, byte by byte."""
    names = [n for n in file_names(base) if n in SIDE_FILES and n != "config.json"]
    for name in names:
        if not (merged / name).is_file():
            return failed("carried-over", f"{name} is missing")
        if measured(merged / name) != measured(base / name):
            return failed("carried-over", f"{name} differs from the base's")
    return held("carried-over", f"{len(names)} files: {', '.join(names)}", len(names))
