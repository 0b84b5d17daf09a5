"""A planted defect, loaded with `-p suites.chaos.impatient`: deadlines read the wall clock."""

from __future__ import annotations

import time
from types import SimpleNamespace

from pytest_modelqa.runtime import process, turn

_WALL = SimpleNamespace(monotonic=time.time)

for _module in (process, turn):
    vars(_module)["time"] = _WALL
