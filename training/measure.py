"""What training, merging and conversion come to, for a playbook: `modelqa.measurements`.

The stages of a configuration are made once, in the cache, or are there already; every check of them
is a row of numbers, which the block `training` judges.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pytest_modelqa.artifacts.convert.kinds import Kind
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.hashing import cache_root, sha256_of
from pytest_modelqa.core.errors import Refused, UsageError
from training import adapters
from training.bases import Base, base_of
from training.config import load
from training.data.leakage import leaks
from training.data.load import Data
from training.data.load import load as load_data
from training.findings import Finding, Value, counted, failed, held, judged, too_few
from training.loop.reading import read_run
from training.loop.stopping import Stopped
from training.loop.verify import verify as verify_run
from training.making import CI_LIGHT, Stages
from training.merge.verify import verify as verify_merge
from training.records import DataError
from training.served import verify as verify_served

Row = dict[str, Value]
STAGES = ("data", "run", "merge", "gguf")


def measure(artifact: Path, options: Mapping[str, str | int | float | bool]) -> list[Row]:
    """A row for each check of `stage`: `name`, `value`, `least`, `most`, `tested` and `reason`.

    `config` is the configuration's file, the shipped ci-light where it is not given; `quantization`
    that of the GGUF. `run`, `merged` and `gguf` are stages that are there already. `artifact` is
    the model that the playbook is about: the run's base has to be that one. A stage that its own
    checks stop is a row that does not hold.

    Raises:
        UsageError: a stage that is none, a configuration with mistakes.
        ModelQAError: a stage could not be made for a reason that is none of the model's.
    """
    stage = str(options.get("stage", "run"))
    if stage not in STAGES:
        raise UsageError(f"{stage!r} is no stage", remedy=f"one of {', '.join(STAGES)}")
    stages = Stages(
        config=Path(str(options.get("config") or CI_LIGHT)),
        cache=cache_root(),
        say=_silently,
        run=_path(options, "run"),
        merge=_path(options, "merged"),
        file=_path(options, "gguf"),
        apart=False,
    )
    try:
        found = _findings(stages, stage, artifact, str(options.get("quantization") or "f16"))
    except (Refused, Stopped, DataError) as error:
        found = [failed(f"{stage}-made", str(error))]
    return [_row(finding) for finding in found]


def _path(options: Mapping[str, str | int | float | bool], name: str) -> Path | None:
    given = options.get(name)
    return Path(str(given)) if given else None


def _row(finding: Finding) -> Row:
    values = finding.values
    return {"name": values.pop("check"), **values}


def _findings(stages: Stages, stage: str, artifact: Path, quantisation: str) -> list[Finding]:
    if stage == "data":
        return _of_data(_data_of(stages))
    run = stages.adapter()
    if stage == "run":
        base = base_of(run, None, _silently)
        return [_same_base(base, artifact, stages.cache), *verify_run(run, _silently)]
    merged = stages.merged()
    if stage == "merge":
        return verify_merge(base_of(run, None, _silently).folder, adapters.read(run), merged)
    return verify_served(stages.base(), merged, stages.gguf(quantisation), quantisation)


def _data_of(stages: Stages) -> Data:
    """What the configuration names; of a run that is there, what its own configuration named."""
    if stages.run is None:
        return load_data(load(stages.config))
    values = dict(read_run(stages.run).config)
    values["dataset"] = {key: value for key, value in values["dataset"].items() if value}
    with tempfile.TemporaryDirectory(prefix="modelqa-training-") as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(values), encoding="utf-8")
        return load_data(load(file))


def _of_data(data: Data) -> list[Finding]:
    count = sum(len(part.records) for part in data.files)
    read = held("records", f"{count:,} records in {len(data.files)} sets", count)
    if data.eval is None:
        return [read, too_few("leakage", "there is no hold-out: leakage was not checked")]
    found = leaks(data.train, data.eval)
    tested = len(data.eval.records)
    reason = f"{len(found):,} of {tested:,} held-out records are trained on"
    said = f"{reason}; {found[0]}" if found else reason
    return [read, counted("leakage", len(found), tested, said)]


def _same_base(base: Base, artifact: Path, cache: Path) -> Finding:
    """Whether what was trained on is the playbook's model, or made of its file."""
    folder = artifact
    if not artifact.is_dir():
        folder = convert(artifact, Kind("safetensors", "f32"), cache, _silently).made.path
    found = sha256_of(folder, cache)
    reason = f"trained on {base.source} ({base.sha256[:16]}), the playbook's model is {found[:16]}"
    return judged("base", base.sha256 == found, reason)


def _silently(_: str) -> None: ...
