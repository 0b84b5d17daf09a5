"""Benches for faults: a real model, a playbook about it, and a run to which nothing happens."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from suites.conftest import Record

if TYPE_CHECKING:
    from suites.chaos.launching import Bench
    from suites.chaos.observing import Seen

Timed = Callable[[str, str], AbstractContextManager[dict[str, str]]]


@pytest.fixture(scope="session")
def model() -> Path:
    """ci-light as F16 GGUF, from the cache where it is."""
    from pytest_modelqa.artifacts.build import built  # noqa: PLC0415 - only when something runs
    from pytest_modelqa.artifacts.convert.kinds import Kind  # noqa: PLC0415
    from pytest_modelqa.artifacts.convert.run import convert  # noqa: PLC0415
    from pytest_modelqa.artifacts.hashing import cache_root  # noqa: PLC0415

    cache = cache_root()
    return convert(built("ci-light", cache), Kind("gguf", "f16"), cache).made.path


def placed(model: Path, folder: Path) -> Bench:
    """A bench in this folder, with a copy of the model that may be spoilt."""
    from suites.chaos.launching import Bench  # noqa: PLC0415 - only when something runs

    made = Bench(folder=folder)
    shutil.copyfile(model, made.file)
    made.write()
    return made


@pytest.fixture
def bench(model: Path, tmp_path: Path) -> Bench:
    """A bench of the test's own."""
    return placed(model, tmp_path)


@pytest.fixture(scope="session")
def undisturbed(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """A run that nothing happens to; all its cases pass."""
    from suites.chaos.launching import PROMPTS, running  # noqa: PLC0415
    from suites.chaos.observing import look, steady  # noqa: PLC0415

    made = placed(model, tmp_path_factory.mktemp("undisturbed"))
    with running(made, made.folder / "out") as run:
        assert run.ended() == 0, run.said()
    seen = look(made.folder / "out")
    assert set(seen.outcomes().values()) == {"corroborated"}
    assert set(PROMPTS) <= {case.rpartition("::")[2] for case in seen.results}
    assert not steady(seen, seen, mark=run.mark).disturbed
    return seen


@pytest.fixture
def timed(row: Record) -> Timed:
    """Leave a row about a fault and its hypothesis; the block adds what it found."""

    @contextmanager
    def around(fault: str, hypothesis: str) -> Iterator[dict[str, str]]:
        start, found = time.perf_counter(), {"victim": "", "disturbed": ""}
        yield found
        seconds = time.perf_counter() - start
        row("chaos_faults", {"fault": fault, **found, "seconds": seconds, "hypothesis": hypothesis})

    return around
