"""Stages made once and kept in the cache, each by what it depends on: for fixtures and playbooks.

Heavy work runs in processes of its own, so that whoever asks never loads a model.
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

from pytest_modelqa.artifacts.folders import publish
from pytest_modelqa.artifacts.hashing import measured
from pytest_modelqa.core.errors import ModelQAError
from pytest_modelqa.core.ids import content_key
from training.bases import find
from training.config import TrainingConfig, load, require_files
from training.conversion import converted
from training.loop.job import LIBRARIES, values_of

CI_LIGHT = Path(__file__).parent / "configs" / "ci-light.json"
_MODELQA = "import sys; from pytest_modelqa.cli import main; sys.exit(main(sys.argv[1:]))"
_APART = ("ci_light", "memory")
"""Parts of this package that no run depends on: the builder of the base, and planning."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The stages of one configuration; each is made when it is first asked for."""

    config: Path
    cache: Path
    say: Say

    def base(self) -> Path:
        """The base model's folder of safetensors."""
        return find(load(self.config).model, self.say).folder

    def adapter(self) -> Path:
        """The folder of a finished run."""
        config = load(self.config)
        require_files(config)
        target = self.cache / "trained" / f"{self.config.stem}-{self._key(config)}"
        publish(target, lambda part: self._train(config, target, part))
        return target / "run"

    def merged(self) -> Path:
        """The merged model's folder, verified."""
        adapter = self.adapter()
        target = self.cache / "merged" / adapter.parent.name
        publish(target, lambda part: self._run("merge", str(adapter), "-o", str(part / "model")))
        return target / "model"

    def gguf(self, quantisation: str) -> Path:
        """The merged model as GGUF, with its template and vocabulary."""
        return converted(self.merged(), quantisation, self.cache)

    def _train(self, config: TrainingConfig, target: Path, part: Path) -> None:
        """Into `part`; the configuration differs in where it writes alone."""
        values = values_of(config)
        values["dataset"] = {k: v for k, v in values["dataset"].items() if v}
        values["output"] = {"directory": str(part / "run"), "timestamped": False}
        file = part / "config.json"
        file.write_text(json.dumps(values, indent=2), encoding="utf-8")
        self.say(f"training {target.name}")
        self._run("train", "run", str(file))

    def _key(self, config: TrainingConfig) -> str:
        """Of what the result depends on: configuration, data, base, libraries and our source."""
        values = {k: v for k, v in values_of(config).items() if k != "output"}
        files = [*config.dataset.train, *([config.dataset.eval] if config.dataset.eval else [])]
        data = [measured(Path(file.file)) for file in files]
        base = find(config.model, self.say).sha256
        return content_key(values, data, base, dict(_versions()), sources_hash())

    def _run(self, *arguments: str) -> None:
        """One command in a process of its own. Raises ModelQAError with what it said."""
        done = subprocess.run(
            [sys.executable, "-c", _MODELQA, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ModelQAError(
                f"modelqa {' '.join(arguments[:2])} ended with {done.returncode}: "
                f"{done.stderr[-2000:]}",
                where=str(self.config),
                remedy=f"modelqa train run {self.config} shows all it says",
            )


def sources_hash() -> str:
    """Of the Python files that a run is made by."""
    root = Path(__file__).parent
    files = [p for p in sorted(root.rglob("*.py")) if p.relative_to(root).parts[0] not in _APART]
    text = "".join(f"{p.relative_to(root)} {measured(p)}\n" for p in files)
    return hashlib.sha256(text.encode()).hexdigest()


def _versions() -> Mapping[str, str]:
    return {name: version(name) for name in LIBRARIES}
