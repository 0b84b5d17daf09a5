"""From the recipe to the merged model, and from that to one with a planted regression.

What takes hours, the adapter, lies in the cache under a name made of configuration, data, base and
libraries: an interrupted build goes on with it, another build of the same takes it as it is.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts.adapter import SETTINGS, WEIGHTS
from pytest_modelqa.artifacts.folders import locked
from pytest_modelqa.artifacts.hashing import cache_root, measured
from pytest_modelqa.core.errors import Refused, UsageError
from pytest_modelqa.core.ids import content_key
from training.bases import find
from training.config import TrainingConfig, load
from training.config.values import DataFile, DatasetSection
from training.data.leakage import leaks
from training.data.load import Data
from training.data.load import load as load_data
from training.findings import insist
from training.loop import output
from training.loop.job import LIBRARIES, values_of
from training.loop.reading import read_run
from training.loop.run import train
from training.loop.verify import verify
from training.making import write_config
from training.merge.run import Request, merge
from training.records import Record
from training.synth import drawn, sizes
from training.web4_agent.damage import DAMAGES, lesson
from training.written import RUN

Say = Callable[[str], None]

RECIPE = Path(__file__).parents[1] / "configs" / "web4-agent.json"
GROUNDWORK = RECIPE.with_name("web4-agent-groundwork.json")
"""What the model of `RECIPE` learnt first: most of it all."""
BUILDER = "web4-agent"
STEPS = 24
"""Of a damage: enough to unlearn one thing."""
RATE = 0.25
"""Of a damage, as a share of the recipe's: at all of it, other things are unlearnt as well."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is built: by `recipe`, on `base` where it is another than the recipe's.

    `damage` is a name of `DAMAGES`, or nothing; `steps` replaces the number of steps. `run` is a
    finished run of the same, made elsewhere, that is taken over into the cache. `unmerged` asks for
    the adapter instead of the model that it is merged into.
    """

    recipe: Path = RECIPE
    base: str = ""
    damage: str = ""
    steps: int = 0
    run: Path | None = None
    unmerged: bool = False


def build(folder: Path, order: Order, say: Say) -> None:
    """Train or go on training, merge, and fill `folder` with the model and `build.json`.

    Raises what `load`, `train` and `merge` raise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    work = cache_root() / "building"
    work.mkdir(parents=True, exist_ok=True)
    config = _ordered(order, work)
    data = load_data(config)
    run = trained(config, data, work / (order.damage or BUILDER), say, order.run)
    for file in _adapter(run) if order.unmerged else _merged(run, say):
        _link(file, folder / file.name)
    text = json.dumps(_record(config, data, run), indent=2) + "\n"
    (folder / "build.json").write_text(text, encoding="utf-8")
    say(f"written to {folder}")


def _merged(run: Path, say: Say) -> Iterator[Path]:
    """The files of the merged model, made once."""
    model = run.with_name("merged")
    with locked(model.with_suffix(".lock")):
        if not model.is_dir():
            merge(Request(adapter=run, output=model), say)
    yield from model.iterdir()


def _adapter(run: Path) -> tuple[Path, Path]:
    """Settings, which name the base's folder, and weights."""
    return run / SETTINGS, run / WEIGHTS


def trained(
    config: TrainingConfig, data: Data, stem: Path, say: Say, given: Path | None = None
) -> Path:
    """The folder of the finished run: made now, finished where it was interrupted, or `given`.

    Raises Refused where that one was not made of the same.
    """
    base = find(config.model, say).sha256
    values = _made_of(values_of(config), data.sha256)
    key = content_key(values, base, {name: version(name) for name in LIBRARIES})
    work = stem.with_name(f"{stem.name}-{key}")
    run = work / "run"
    with locked(work.with_suffix(".lock")):
        if run.is_dir():
            return run
        work.mkdir(exist_ok=True)
        if given is not None:
            _take_over(given, run, {**values, "base": base})
            return run
        file, part = work / "config.json", output.part_of(run)
        begun = (part / RUN).is_file()
        if not begun:
            shutil.rmtree(part, ignore_errors=True)  # it ended before its first step
        write_config(config, file, run)
        train(load(file), say, resume=begun)
    return run


def _made_of(values: Mapping[str, Any], data: str) -> dict[str, Any]:
    """A configuration's values but for where it writes, with the hash of its data for its data."""
    return {key: value for key, value in values.items() if key != "output"} | {"dataset": data}


def _take_over(given: Path, run: Path, wanted: Mapping[str, Any]) -> None:
    facts = read_run(given).facts
    found = _made_of(facts["config"], facts["data"]["sha256"]) | {"base": facts["base"]["sha256"]}
    other = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
    if other:
        raise Refused(
            f"was made of another {', '.join(other)}",
            where=str(given),
            remedy="leave out --run; then it is trained now",
        )
    insist(verify(given, lambda _: None), str(given), f"modelqa train verify {given}")
    part = run.with_name(".taken")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(given, part, ignore=shutil.ignore_patterns(output.CHECKPOINTS))
    part.rename(run)


def _ordered(order: Order, folder: Path) -> TrainingConfig:
    """The recipe, on another base or with fewer steps where that is asked for."""
    recipe = load(order.recipe)
    model, loop, data = recipe.model, recipe.training, recipe.dataset
    if order.damage:
        model = dataclasses.replace(model, source=f"build:{BUILDER}", revision="")
        rate = RATE * loop.learning_rate
        loop = dataclasses.replace(loop, max_steps=STEPS, warmup_steps=0, learning_rate=rate)
        data = DatasetSection(train=(_damaged(recipe, order.damage, folder),))
    if order.base:
        model = dataclasses.replace(model, source=order.base, revision="")
    if order.steps:
        warmup = min(loop.warmup_steps, order.steps - 1)
        loop = dataclasses.replace(loop, max_steps=order.steps, warmup_steps=warmup)
    return dataclasses.replace(recipe, model=model, training=loop, dataset=data)


def _damaged(recipe: TrainingConfig, damage: str, folder: Path) -> DataFile:
    """Of the recipe's sets, drawn anew, the lesson, as a file of that content's name."""
    records = lesson(_drawn(recipe), DAMAGES[damage])
    lines = "".join(f"{record.line()}\n" for record in records).encode()
    file = folder / f"{damage}-{hashlib.sha256(lines).hexdigest()[:16]}.jsonl"
    if not file.is_file():
        part = file.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(lines)
        part.rename(file)
    return DataFile(file=str(file), samples=len(records))


def _drawn(recipe: TrainingConfig) -> list[Record]:
    made = recipe.dataset.synthetic
    if made is None:
        raise UsageError(
            "a damage needs records of the generator; this recipe names files",
            where=str(recipe.path),
            remedy="give it `dataset.synthetic`",
        )
    counts: Mapping[str, int] = {each.set: each.records for each in made.sets}
    counts = counts or dict(sizes(made.size))
    sets = drawn(counts, made.seed + 1)  # other records than those of the recipe
    return [record for part in sets.train for record in part.records]


def _record(config: TrainingConfig, data: Data, run: Path) -> dict[str, Any]:
    """What the model was made of, and how it learnt; no clock, no path, so that it is the same."""
    held = data.eval
    found = leaks(data.train, held) if held else ()
    read = read_run(run)
    return {
        "recipe": _made_of(values_of(config), data.sha256),
        "sets": dict(data.hashes),
        "versions": dict(read.facts["versions"]),
        "adapter_sha256": measured(run / WEIGHTS),
        "losses": [round(loss, 6) for loss in read.losses],
        "leakage": {"tested": len(held.records) if held else 0, "leaked": len(found)},
    }


def _link(file: Path, target: Path) -> None:
    """The same bytes under another name; a copy where the file system has no links."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)
