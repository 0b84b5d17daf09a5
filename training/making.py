"""Stages made once and kept in the cache, each by what it depends on: for fixtures and playbooks.

Heavy work runs in processes of its own, so that whoever asks never loads a model; a process that is
there for it alone may do it itself.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from pytest_modelqa.artifacts.adapter import WEIGHTS
from pytest_modelqa.artifacts.folders import publish
from pytest_modelqa.artifacts.hashing import measured
from pytest_modelqa.core.errors import ExitCode, ModelQAError, OutputError, Refused, UsageError
from pytest_modelqa.core.ids import content_key
from training.bases import base_of, find
from training.config import TrainingConfig, load, require_files
from training.conversion import converted
from training.loop.job import LIBRARIES, values_of
from training.loop.run import train
from training.merge.run import Request, merge

CI_LIGHT = Path(__file__).parent / "configs" / "ci-light.json"
_MODELQA = """\
import sys, traceback
try:
    from pytest_modelqa.cli import main
    code = main(sys.argv[1:])
except Exception:
    traceback.print_exc()
    code = 3
sys.exit(code)
"""
"""A defect of ours ends with 3, where Python says 1: that means that a check does not hold."""
_APART = {
    "ci_light", "memory", "modelfile", "web4_agent",
    "cli.py", "conversion.py", "fixtures.py", "measure.py", "served.py",
}  # fmt: skip
"""Parts of this package that no run or merge depends on: builders, planning, what comes after."""
_ERRORS: Mapping[int, type[ModelQAError]] = {
    ExitCode.FAILED: Refused,
    ExitCode.MODEL_LOAD: Refused,
    ExitCode.USAGE: UsageError,
    ExitCode.OUTPUT: OutputError,
}
"""What a command's exit code means to whoever asked for the stage that it makes."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The stages of one configuration; each is made when it is first asked for.

    `run`, `merge` and `file` are stages that are there already: a finished run's folder, the folder
    of a merged model, a GGUF file. `apart` is false in a process that may load models.
    """

    config: Path
    cache: Path
    say: Say
    run: Path | None = None
    merge: Path | None = None
    file: Path | None = None
    apart: bool = True

    def base(self) -> Path:
        """The base model's folder of safetensors."""
        if self.run is not None:
            return base_of(self.run, None, self.say).folder
        return find(load(self.config).model, self.say).folder

    def adapter(self) -> Path:
        """The folder of a finished run."""
        if self.run is not None:
            return self.run
        config = load(self.config)
        require_files(config)
        target = self.cache / "trained" / f"{self.config.stem}-{self._key(config)}"
        publish(target, lambda part: self._train(config, target, part))
        return target / "run"

    def merged(self) -> Path:
        """The merged model's folder, verified."""
        if self.merge is not None:
            return self.merge
        adapter = self.adapter()
        name = (
            adapter.parent.name if self.run is None else f"run-{measured(adapter / WEIGHTS)[:32]}"
        )
        target = self.cache / "merged" / name
        publish(target, lambda part: self._merge(adapter, part / "model"))
        return target / "model"

    def gguf(self, quantisation: str) -> Path:
        """The merged model as GGUF, with its template and vocabulary."""
        return self.file or converted(self.merged(), quantisation, self.cache)

    def _train(self, config: TrainingConfig, target: Path, part: Path) -> None:
        """Into `part`; the configuration differs in where it writes alone."""
        file = part / "config.json"
        write_config(config, file, part / "run")
        self.say(f"training {target.name}")
        if self.apart:
            self._run("train", "run", str(file))
        else:
            train(load(file), self.say)

    def _merge(self, adapter: Path, output: Path) -> None:
        if self.apart:
            self._run("merge", str(adapter), "-o", str(output))
        else:
            merge(Request(adapter=adapter, output=output), self.say)

    def _key(self, config: TrainingConfig) -> str:
        """Of what the result depends on: configuration, data, base, libraries and our source."""
        values = {k: v for k, v in values_of(config).items() if k != "output"}
        files = [*config.dataset.train, *([config.dataset.eval] if config.dataset.eval else [])]
        data = [measured(Path(file.file)) for file in files]
        base = find(config.model, self.say).sha256
        return content_key(values, data, base, dict(_versions()), sources_hash())

    def _run(self, *arguments: str) -> None:
        """One command in a process of its own. Raises the error that its exit code stands for."""
        done = subprocess.run(
            [sys.executable, "-c", _MODELQA, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            kind = _ERRORS.get(done.returncode, ModelQAError)
            raise kind(
                f"modelqa {' '.join(arguments[:2])} ended with {done.returncode}: "
                f"{done.stderr[-2000:]}",
                where=str(self.config),
                remedy=f"modelqa train run {self.config} shows all it says",
            )


def write_config(config: TrainingConfig, file: Path, run: Path) -> None:
    """The configuration as JSON, but that the run is written to the folder `run`."""
    values = values_of(config)
    values["dataset"] = {k: v for k, v in values["dataset"].items() if v}
    values["output"] = {"directory": str(run), "timestamped": False}
    file.write_text(json.dumps(values, indent=2), encoding="utf-8")


def sources_hash() -> str:
    """Of the Python files that a run is made by."""
    root = Path(__file__).parent
    files = [p for p in sorted(root.rglob("*.py")) if p.relative_to(root).parts[0] not in _APART]
    text = "".join(f"{p.relative_to(root)} {measured(p)}\n" for p in files)
    return hashlib.sha256(text.encode()).hexdigest()


def _versions() -> Mapping[str, str]:
    return {name: version(name) for name in LIBRARIES}
