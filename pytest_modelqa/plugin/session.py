"""One pytest run with playbooks: collection, the qualifiers, reports and summary at the end."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.check import Case
from pytest_modelqa.core.errors import ExitCode, ModelQAError, OutputError, UsageError
from pytest_modelqa.core.result import CaseResult, RunRecord
from pytest_modelqa.core.score import Judged
from pytest_modelqa.decision.judging import is_blocked, judged, left_out
from pytest_modelqa.plan import Plan, make
from pytest_modelqa.playbook.load import load
from pytest_modelqa.plugin.items import RESULT, CaseItem, PlaybookFile
from pytest_modelqa.plugin.options import Options
from pytest_modelqa.plugin.subtests import subtest_reports
from pytest_modelqa.qualify import Qualifier
from pytest_modelqa.receiving import received
from pytest_modelqa.reports.files import write_reports
from pytest_modelqa.reports.junit import properties
from pytest_modelqa.reports.shipping.beside import folders_of
from pytest_modelqa.reports.shipping.write import write_decisions
from pytest_modelqa.reports.terminal import render
from pytest_modelqa.runtime.answers import Progress
from pytest_modelqa.runtime.merge import records
from pytest_modelqa.runtime.store import read

_NO_FAILURE = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


class Qualification:
    """The plugin object of a run with `--playbook`; its methods are the hooks."""

    def __init__(self, config: pytest.Config, options: Options, plans: dict[Path, Plan]) -> None:
        self.options = options
        self._config = config
        self._plans = plans
        self._qualifiers: dict[Path, Qualifier] = {}
        self._selected: dict[Path, list[Case]] = {}
        self._interrupted = False
        self._records: list[RunRecord] = []
        self._judged: list[Judged] = []
        self._paths: dict[str, Path] = {}

    @classmethod
    def from_config(cls, config: pytest.Config) -> Qualification:
        """Load every playbook: a mistake in one ends the run before anything is collected."""
        options = Options.of(config)
        try:
            table = oracle_table()
            plans = {path: make(load(path, table, options.model)) for path in options.playbooks}
        except ModelQAError as error:
            raise pytest.UsageError(str(error)) from error
        if config.args_source is not pytest.Config.ArgsSource.ARGS:
            config.args = []
        config.args += [str(p) for p in plans if str(p) not in config.args]
        return cls(config, options, plans)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """xdist: every process writes to the same folder, as the same run."""
        node.workerinput["modelqa"] = self.options.shared()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """xdist: cells of one artifact stay on one worker, which loads it once."""
        if config.getoption("dist") != "load":
            return None
        from pytest_modelqa.plugin.scheduling import ByArtifact  # noqa: PLC0415 - needs xdist

        return ByArtifact(config, log, self._plans)

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> PlaybookFile | None:
        """Playbooks of the command line, and no other YAML file."""
        plan = self._plans.get(file_path)
        if plan is None:
            return None
        node: PlaybookFile = PlaybookFile.from_parent(parent, path=file_path)
        node.plan, node.qualification = plan, self
        return node

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What is selected is final: batches are made of these items alone."""
        for item in session.items:
            if isinstance(item, CaseItem):
                self._selected.setdefault(item.path, []).append(item.case)
        if self.options.collect_only:
            return
        for path, cases in self._selected.items():
            self._qualifiers[path] = self._guarded_qualifier(path, cases)
        if self._qualifiers:
            gc.freeze()  # plans, items and earlier evidence live to the end: no need to walk them

    def result(self, path: Path, case: Case) -> CaseResult:
        """The result of a case, running its batch if nobody has."""
        try:
            return self._qualifiers[path].result(case)
        except OutputError as error:
            pytest.exit(str(error), returncode=ExitCode.OUTPUT)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A case lasts as long as its own answers took; a skip is located in its playbook."""
        report = yield
        if isinstance(item, CaseItem) and report.when == "call" and RESULT in item.stash:
            report.duration = item.stash[RESULT].seconds
            if report.skipped and isinstance(report.longrepr, tuple):
                report.longrepr = (str(item.path), 1, report.longrepr[2])
            if item.part is None and not item.case.role:  # a gate may clear with some answers wrong
                parts = item.stash[RESULT].verdict.parts
                for part in subtest_reports(report, parts, strict=self.options.strict):
                    item.ihook.pytest_runtest_logreport(report=part)
        return report

    def pytest_keyboard_interrupt(self) -> None:
        """Ctrl-C: what was answered so far is kept and reported."""
        self._interrupted = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End the workers; then, once a run, read the evidence back and report on it."""
        if self.options.collect_only:
            return
        gc.unfreeze()
        try:
            for qualifier in self._qualifiers.values():
                qualifier.close(interrupted=self._interrupted)
            if not self.options.is_xdist_worker:
                self._report()
        except ModelQAError as error:
            session.exitstatus = error.exit_code
            self._config.get_terminal_writer().line(f"\nmodelqa: {error}")
        decided = self.options.is_xdist_worker or self._something_was_decided()
        if session.exitstatus in _NO_FAILURE and not decided:
            session.exitstatus = ExitCode.NOTHING_RAN
        blocked = self._left_out() or any(map(is_blocked, self._judged))
        if session.exitstatus == pytest.ExitCode.OK and blocked:
            session.exitstatus = ExitCode.BLOCKED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The section at the end of the run."""
        if self.options.is_xdist_worker or self.options.collect_only:
            return
        terminalreporter.section("modelqa")
        if not self._records:
            terminalreporter.line(self._nothing_ran())
            return
        writer = self._config.get_terminal_writer()
        text = render(
            self._judged,
            {kind: self._near(path) for kind, path in self._paths.items()},
            width=max(80, writer.fullwidth),
            color=writer.hasmarkup,
        )
        terminalreporter.write(text + "\n")
        if not self._something_was_decided():
            terminalreporter.line("Nothing was decided: no case of this playbook could run here.")
        for name in self._left_out():
            terminalreporter.line(f"{name}: BLOCKED, for nothing of its ship gates was selected.")

    def _guarded_qualifier(self, path: Path, cases: list[Case]) -> Qualifier:
        try:
            qualifier = Qualifier(
                self._plans[path],
                self.options.folder,
                run_id=self.options.run_id,
                strict=self.options.strict,
                resume=self.options.resume,
                progress=self._progress(),
            )
        except (OutputError, UsageError) as error:
            pytest.exit(str(error), returncode=error.exit_code)
        qualifier.select(cases)
        return qualifier

    def _report(self) -> None:
        folder = self.options.folder
        if not folder.exists():
            return
        lines = list(read([folder]))
        self._records = records(lines, self.options.run_id)
        self._judged = [judged(record) for record in self._records]
        self._paths = write_reports(folder, self._judged)
        self._paths |= self._receipts(lines)
        self._paths |= write_decisions(folder, self._judged, self._beside())
        for plugin in self._config.pluginmanager.get_plugins():
            if hasattr(plugin, "add_global_property"):  # pytest's own JUnit writer
                for each in self._judged:
                    for name, value in properties(each, each.record.run.playbook).items():
                        plugin.add_global_property(name, value)

    def _receipts(self, lines: list[dict[str, Any]]) -> dict[str, Path]:
        """Of the cells that were compared with a reference, by what it is and the cell."""
        plans = {plan.playbook.sha256: plan for plan in self._plans.values()}
        found: dict[str, Path] = {}
        for record in self._records:
            plan = plans[record.run.playbook_sha256]
            made = received(self.options.folder, plan, record, lines)
            for cell, (_, files) in made.items():
                found |= {f"{kind} {cell}": path for kind, path in files.items()}
        return found

    def _beside(self) -> dict[str, tuple[Path, ...]]:
        """Where the making of a model that is BLOCKED may be told of, by the playbook's hash."""
        blocked = {j.record.run.playbook_sha256 for j in self._judged if is_blocked(j)}
        books = [p.playbook for p in self._plans.values() if p.playbook.sha256 in blocked]
        return {b.sha256: folders_of(b.model.artifacts, b.path.parent) for b in books}

    def _left_out(self) -> list[str]:
        if self.options.is_xdist_worker:
            return []
        return left_out((plan.playbook for plan in self._plans.values()), self._judged)

    def _near(self, path: Path) -> Path:
        """As a person would type it from where pytest was started."""
        here = self._config.invocation_params.dir
        return path.relative_to(here) if path.is_relative_to(here) else path

    def _something_was_decided(self) -> bool:
        results = (r for record in self._records for r in record.results)
        return any(not r.verdict.outcome.undecided for r in results)

    def _nothing_ran(self) -> str:
        total = sum(len(plan.cases) for plan in self._plans.values())
        files = ", ".join(p.name for p in self._plans)
        return (
            f"No case ran: {files} has {total} cases, and the selection (-k, -m, --lf) left none."
        )

    def _progress(self) -> Progress | None:
        """On a terminal, one line that is rewritten while a batch runs; elsewhere nothing."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        if reporter is None or not reporter.isatty:
            return None

        def show(cell: str, done: int, total: int, tokens_per_s: float) -> None:
            text = f"  {cell}: {done}/{total} answers, {tokens_per_s:.0f} tokens/s"
            with capture.global_and_fixture_disabled() if capture else nullcontext():
                reporter.rewrite(text if done < total else "", erase=True)

        return show
