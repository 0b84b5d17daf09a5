"""The plugin's options, read once into one frozen value."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What this pytest run was asked for. Under xdist all processes share `folder` and `run_id`."""

    playbooks: tuple[Path, ...]
    model: str
    folder: Path
    run_id: str
    strict: bool
    explode: bool
    resume: tuple[Path, ...]
    collect_only: bool
    is_xdist_worker: bool

    @classmethod
    def of(cls, config: pytest.Config) -> Options:
        """Read the command line, or what the xdist controller passed on."""
        shared: dict[str, Any] = getattr(config, "workerinput", {}).get("modelqa", {})
        run_id = shared.get("run_id") or secrets.token_hex(4)
        here = config.invocation_params.dir
        return cls(
            playbooks=tuple((here / p).resolve() for p in config.getoption("modelqa_playbooks")),
            model=config.getoption("modelqa_model", ""),
            folder=Path(shared.get("folder") or _folder(config, run_id)),
            run_id=run_id,
            strict=bool(config.getoption("modelqa_strict")),
            explode=bool(config.getoption("modelqa_explode")),
            resume=tuple((here / p).resolve() for p in config.getoption("modelqa_resume")),
            collect_only=bool(config.getoption("collectonly")),
            is_xdist_worker=hasattr(config, "workerinput"),
        )

    def shared(self) -> dict[str, str]:
        """What xdist workers need to know, as plain data."""
        return {"run_id": self.run_id, "folder": str(self.folder)}


def _folder(config: pytest.Config, run_id: str) -> Path:
    if given := config.getoption("modelqa_report"):
        return Path(config.invocation_params.dir / given).resolve()
    started = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return config.rootpath / ".modelqa" / "runs" / f"{started}-{run_id}"
