"""What the suites share: one thread for tiny tensors, and the tables that they leave.

No module that a test run collects imports torch at its top: `--collect-only` and a run that selects
none of these tests cost nothing. Tests put rows into a table with the fixture `row`; the tables are
printed at the end and, with `--modelqa-report DIR`, written there as JSON and Markdown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from suites.property.seeds import SEED, VARIABLE
from suites.tables import Row, Tables

Record = Callable[[str, Row], None]


class Reporter:
    """Collects the rows of all tests, of xdist's workers too, and hands them on at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.tables = Tables()
        self.searched = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the rows that a test left."""
        self.searched |= "suites/property/" in report.nodeid
        if report.when == "call":
            for key, value in report.user_properties:
                if key.startswith("table:") and isinstance(value, dict):
                    self.tables.add(key.removeprefix("table:"), value)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print every table, and write it where a report folder was given."""
        if self.searched:
            terminalreporter.write_line(f"suites/property searched from {VARIABLE}={SEED}")
        for name in self.tables.names():
            terminalreporter.section(name.replace("_", " "))
            terminalreporter.write(self.tables.text(name))
        folder = self.config.getoption("modelqa_report", None)
        if folder and self.tables.names():
            for path in self.tables.write(Path(self.config.invocation_params.dir, str(folder))):
                terminalreporter.write_line(f"wrote {path}")


def pytest_configure(config: pytest.Config) -> None:
    """Reports are made where all results meet: not in xdist's workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reporter(config), "modelqa-suite-tables")


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Record:
    """Add a row to a named table of the report; it travels with the test's report."""

    def add(table: str, values: Row) -> None:
        request.node.user_properties.append((f"table:{table}", values))

    return add


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """One thread for torch: on tensors of a few dozen numbers more threads only cost."""
    import torch  # noqa: PLC0415 - collecting must not import torch

    from suites.lean import uncompiled  # noqa: PLC0415

    with uncompiled():
        import transformers.modeling_layers  # noqa: F401, PLC0415 - all models need it

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
