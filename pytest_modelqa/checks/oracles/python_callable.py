"""Python callable: a function of the user judges the completion, in the process of pytest."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar

from pytest_modelqa.checks.oracles.text import judged_text, unjudgeable
from pytest_modelqa.core.answer import Generation
from pytest_modelqa.core.verdict import Verdict, corroborated, falsified, inconclusive


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonCallable:
    """`package.module:function` is called as `function(prompt, answer, **parameters)`.

    Both are texts. It returns True, False, or a pair of that and a reason in words. Anything else,
    and an exception, is inconclusive: never a pass. The module is imported when the playbook is
    loaded, and the function runs in the process of pytest, without sandbox or time limit: name none
    that you would not run yourself. It must not depend on anything but its arguments, or a resumed
    run may judge differently.
    """

    name: ClassVar[str] = "python_callable"

    callable: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        function = _loaded(self.callable)
        try:
            inspect.signature(function).bind("", "", **self.parameters)
        except TypeError as error:
            raise ValueError(
                f"callable: {self.callable} does not take (prompt, answer, **parameters): {error}"
            ) from None
        except ValueError:  # some builtins tell no signature: the first call tells
            return

    def problem_with(self, prompt: str) -> str | None:  # noqa: ARG002 - the protocol's
        """None: the function was found when the playbook was loaded."""
        return None

    def judge(self, prompt: str, answer: Generation) -> Verdict:
        """Corroborated where the function says True."""
        if bad := unjudgeable(answer):
            return bad
        try:
            said = _loaded(self.callable)(prompt, judged_text(answer), **self.parameters)
        except Exception as error:  # noqa: BLE001 - the user's code may raise anything
            return self._undecided(f"raised {type(error).__name__}: {error}")
        match said:
            case bool() as passed:
                reason = f"{self.callable} says {passed}"
            case (bool() as passed, str() as reason) if reason:
                pass
            case _:
                return self._undecided(f"returned {said!r:.80}, not a bool or (bool, reason)")
        return corroborated(reason, tested=1) if passed else falsified(reason)

    def _undecided(self, what: str) -> Verdict:
        return inconclusive(f"{self.callable} {what}", tested=1, remedy="repair that function")


def _loaded(path: str) -> Callable[..., Any]:
    """Import it. Raises ValueError with what is wrong."""
    module, _, attributes = path.partition(":")
    if not module or not attributes:
        raise ValueError(f"callable: {path!r} is not of the form package.module:function")
    try:
        found: Any = import_module(module)
    except Exception as error:
        raise ValueError(
            f"callable: {module} does not import: {type(error).__name__}: {error}"
        ) from error
    for attribute in attributes.split("."):
        found = getattr(found, attribute, None)
    if not inspect.isroutine(found) and not callable(found):
        raise ValueError(f"callable: {module} has no function {attributes}")
    if inspect.iscoroutinefunction(found):
        raise ValueError(f"callable: {path} is async; a plain function is expected")
    made: Callable[..., Any] = found
    return made
