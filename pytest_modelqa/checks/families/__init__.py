"""Generated scenarios: families of questions that are drawn from a seed, judged and shrunk.

Hypothesis is imported when the first example is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, signature
from typing import Any, cast

from pytest_modelqa.checks.families.drawn import FAMILIES, drawn, family_of
from pytest_modelqa.checks.families.generated import Generated
from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.checks.scenario import Scenario
from pytest_modelqa.core.check import Oracle
from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.core.model import Mode

__all__ = ["FAMILIES", "Generated", "drawn", "generated", "replay"]

_N_CTX = 4096


def generated(
    parameters: Mapping[str, Any], *, seed: int, n_ctx: int, replay: str
) -> tuple[Generated, ...]:
    """One check per family of the block `scenarios_generated`, whose fields `parameters` are.

    `count` is split evenly, what is left over goes to the first; a family that gets none has no
    check. Raises UsageError where an oracle is unknown, needs parameters, or cannot judge a family.
    """
    names: list[str] = list(parameters["families"])
    share, over = divmod(parameters["count"], len(names))
    checks = []
    for position, name in enumerate(names):
        if count := share + (position < over):
            check = Generated(
                name=f"generated-{name}",
                family=name,
                gate=f"F-GENERATED-{name.upper()}",
                category=family_of(name, 1).category,
                seed=seed,
                count=count,
                max_tokens=parameters["max_tokens"],
                n_ctx=n_ctx,
                oracle=_oracle(name, parameters.get("oracles", {}).get(name)),
                mode=cast("Mode", parameters["mode"]),
                replay=replay,
            )
            _require_judgeable(check)
            checks.append(check)
    return tuple(checks)


def replay(params_json: str, *, max_tokens: int = 32, n_ctx: int = _N_CTX) -> Scenario:
    """The scenario of one example without its check; `Generated.scenario` has the check's settings.

    Raises UsageError where the JSON is none of a family's examples.
    """
    check = Generated.of_example(params_json, max_tokens=max_tokens, n_ctx=n_ctx)
    return check.scenario(params_json)


def _oracle(family: str, name: str | None) -> Oracle | None:
    """The oracle that replaces the usual ones, or None where the family's own is meant."""
    if name is None or name == family_of(family, 1).usual:
        return None
    table = oracle_table()
    if name not in table:
        raise UsageError(
            f"no oracle is named {name!r}",
            where=f"scenarios_generated.oracles.{family}",
            remedy=f"one of {', '.join(sorted(table))}",
        )
    if needed := _needed(table[name]):
        raise UsageError(
            f"oracle {name} needs {', '.join(needed)}, which differ from question to question",
            where=f"scenarios_generated.oracles.{family}",
            remedy="leave the family to its usual oracle, or name one without parameters: garbage",
        )
    return table[name]()


def _needed(oracle: type[Oracle]) -> list[str]:
    parameters = signature(oracle).parameters.values()
    return [p.name for p in parameters if p.default is Parameter.empty]


def _require_judgeable(check: Generated) -> None:
    """Only another oracle than the usual ones can be unfit."""
    if check.oracle is None:
        return
    for prompt in check.prompts():
        if problem := check.oracle.problem_with(prompt):
            raise UsageError(
                f"oracle {check.oracle.name} cannot judge {prompt[:60]!a}: {problem}",
                where=f"scenarios_generated.oracles.{check.family}",
                remedy="name another oracle, or none",
            )
