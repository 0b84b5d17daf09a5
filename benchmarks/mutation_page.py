"""docs/mutation_run.md: the score of the mutation run, and every survivor with its reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.mutation_survivors import reason

PROMISED = ("scoring", "statistics", "planner")
KILL_RATE = 0.9
"""Promised for the areas in PROMISED."""

HEAD = """\
# Mutation run
How many small changes of our own code its tests find. Made by `python -m benchmarks.mutation`
(with {tool}); `--area NAME` renews one area. Why this tool: `docs/decisions/0008-mutmut.md`.

mutmut changes one thing inside a function at a time: an operator, a number, a text, an argument, a
branch. It leaves alone what stands outside of functions (tables of constants:
`suites/property/test_constants.py` asserts those) and functions with decorators, so properties too.
At least {promised:.0%} must be found in {areas}.

"""
LOOKED_AT = (
    "Each was looked at. *Equal*: no input tells the two apart. "
    "The others are tests that we lack, or that are not worth their time."
)


def page(body: Mapping[str, Any]) -> str:
    """The page of a results file; an area that is expected and not there is named."""
    head = HEAD.format(tool=body["tool"], promised=KILL_RATE, areas=", ".join(PROMISED))
    measured = {area["name"] for area in body["areas"]}
    missing = [name for name in body["expected"] if name not in measured]
    return head + "".join(f"{line}\n" for line in _lines(body["areas"], missing))


def _lines(areas: list[Mapping[str, Any]], missing: list[str]) -> Iterator[str]:
    yield "| area | files | mutants | tested | found | share of tested | measured |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for area in areas:
        yield (
            f"| {area['name']} | {len(area['files'])} | {area['mutants']:,} | {area['tested']:,} "
            f"| {area['killed']:,} | {_share(area)} | {area['made']} |"
        )
    if missing:
        yield ""
        yield f"Not measured: {', '.join(missing)}."
    yield ""
    yield "## Survivors"
    yield LOOKED_AT
    for area in areas:
        yield ""
        yield f"### {area['name']}: {len(area['survivors'])} of {area['mutants']:,}"
        yield from _survivors(area["survivors"])


def _share(area: Mapping[str, Any]) -> str:
    return f"{area['killed'] / area['tested']:.1%}" if area["tested"] else "none"


def _survivors(survivors: list[Mapping[str, str]]) -> Iterator[str]:
    if not survivors:
        yield "None."
        return
    yield "| function | before | after | why it lives |"
    yield "| --- | --- | --- | --- |"
    told = Counter((_function(s["mutant"]), s["before"], s["after"], reason(s)) for s in survivors)
    for function, before, after, why in told:
        yield f"| `{function}` | {_code(before)} | {_code(after)} | {why} |"


def _function(mutant: str) -> str:
    """`pytest_modelqa.stats.x_wilson__mutmut_58` is `wilson` in `pytest_modelqa.stats`."""
    module, _, name = mutant.partition("__mutmut_")[0].rpartition(".")
    plain = name.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    return f"{module.removeprefix('pytest_modelqa.')}.{plain}"


def _code(text: str) -> str:
    return f"`{text.replace('|', '¦')}`" if text else "(nothing)"
