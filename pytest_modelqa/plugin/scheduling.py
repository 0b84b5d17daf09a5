"""Which items xdist keeps on one worker: those that need the same model loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from pytest_modelqa.plan import Plan


class ByArtifact(LoadScopeScheduling):  # type: ignore[misc]
    """Cells of one artifact and backend go to one worker, other items wherever there is room.

    Node ids stay as they are; `--dist loadgroup` would append the group to each.
    """

    def __init__(self, config: pytest.Config, log: Any, plans: Mapping[Path, Plan]) -> None:
        super().__init__(config, log)
        self._groups = {
            (path, case.scope): f"{case.cell.artifact.key}-{case.cell.backend}"
            for path, plan in plans.items()
            for case in plan.cases
            if case.cell
        }

    def _split_scope(self, nodeid: str) -> str:
        file, _, rest = nodeid.partition("::")
        path = (self.config.rootpath / file).resolve()
        group = self._groups.get((path, rest.partition("::")[0]))
        return f"{file}::{group}" if group else nodeid
