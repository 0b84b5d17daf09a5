"""Playbooks as pytest nodes: file, cells, cases. A verdict becomes pass, fail or skip."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest

from pytest_modelqa.core.check import Case
from pytest_modelqa.core.result import CaseResult
from pytest_modelqa.core.verdict import Verdict
from pytest_modelqa.plan import Plan
from pytest_modelqa.reports.junit import case_properties

if TYPE_CHECKING:
    from pytest_modelqa.plugin.session import Qualification

RESULT = pytest.StashKey[CaseResult]()


class CaseFailed(AssertionError):
    """Carries a verdict to `repr_failure`; an assertion, for tools that tell them from errors."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


class PlaybookFile(pytest.File):
    """A playbook; its children are the cells."""

    plan: Plan
    qualification: Qualification

    def collect(self) -> Iterable[CellNode]:
        """One node a cell, in plan order; `model` for what belongs to no cell."""
        for scope, cases in groupby(self.plan.cases, key=lambda case: case.scope):
            node = CellNode.from_parent(self, name=scope)
            node.cases = tuple(cases)
            yield node


class CellNode(pytest.Collector):
    """A cell of the matrix; its children are the cases."""

    cases: tuple[Case, ...]

    def collect(self) -> Iterable[CaseItem]:
        """One item a case; with --modelqa-explode, one for each example of a family."""
        assert isinstance(self.parent, PlaybookFile)
        explode = self.parent.qualification.options.explode
        for case in self.cases:
            if explode and case.examples:
                for part in range(case.examples):
                    name = f"{case.check.name}[{part:03}]"
                    yield CaseItem.from_parent(self, name=name, case=case, part=part)
            else:
                yield CaseItem.from_parent(self, name=case.check.name, case=case)


class CaseItem(pytest.Item):
    """One case, or the example number `part` of one."""

    def __init__(self, *, case: Case, part: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case
        self.part = part
        for marker in _markers(case.tier, case.check.category.lower(), case.is_gateway):
            self.keywords[marker.name] = marker  # what add_marker does, many thousand times
            self.own_markers.append(marker.mark)
        if case.cell and hasattr(self.config, "workerinput"):
            group = f"{case.cell.artifact.key}-{case.cell.backend}"
            self.add_marker(pytest.mark.xdist_group(group))  # for an explicit --dist loadgroup
        if self.config.pluginmanager.hasplugin("timeout"):
            # The first case of a batch waits for all; every request has a deadline of its own.
            self.add_marker(pytest.mark.timeout(0))

    @property
    def playbook(self) -> PlaybookFile:
        """The file that this case is of."""
        assert self.parent is not None
        assert isinstance(self.parent.parent, PlaybookFile)
        return self.parent.parent

    def runtest(self) -> None:
        """Get the case's result; raise or skip as its outcome says."""
        qualification = self.playbook.qualification
        result = qualification.result(self.path, self.case)
        if RESULT not in self.stash:  # pytest-rerunfailures comes here again
            self.user_properties += case_properties(result).items()
        self.stash[RESULT] = result
        verdict = result.verdict
        if self.part is not None and verdict.parts:
            verdict = verdict.parts[self.part].verdict
        if verdict.outcome.failed or (verdict.outcome.undecided and qualification.options.strict):
            raise CaseFailed(verdict)
        if verdict.outcome.undecided:
            pytest.skip(skip_text(verdict))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The reason, what to do, and what the native code said: no traceback of ours."""
        if not isinstance(excinfo.value, CaseFailed):
            return super().repr_failure(excinfo, style)
        verdict = excinfo.value.verdict
        parts = [f"{verdict.outcome}: {verdict.reason}"]
        if verdict.remedy:
            parts.append(f"try: {verdict.remedy}")
        if verdict.detail:
            parts.append(verdict.detail)
        return "\n".join(parts)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """The playbook and the case's id."""
        return self.path, None, f"{self.case.scope}::{self.name}"


def skip_text(verdict: Verdict) -> str:
    """Why it was not decided, and the command that makes it run."""
    remedy = f"; try: {verdict.remedy}" if verdict.remedy else ""
    return f"{verdict.outcome}: {verdict.reason}{remedy}"


@cache
def _markers(tier: int, category: str, is_gateway: bool) -> tuple[pytest.MarkDecorator, ...]:
    names = [f"tier{tier}", category, *(["gateway"] if is_gateway else [])]
    return tuple(getattr(pytest.mark, name) for name in names)
