"""Which files a run by tiers can do without: those that mark none of the tiers asked for.

Importing all of the tests takes longer than tier 1 may; so a file is known by its text, and every
test of a tier is marked in its own file (a test holds that to be so).
"""

from __future__ import annotations

import re
from pathlib import Path

SUITES = Path(__file__).parent
TESTS = SUITES.parent / "tests"
_TIERS = re.compile(r"tier[123]( or tier[123])*")


def needless(path: Path, expression: str) -> bool:
    """Whether `-m expression` names tiers alone, and nothing in this file or folder marks one."""
    if not _TIERS.fullmatch(expression) or not _is_ours(path):
        return False
    wanted = tuple(f"mark.{tier}" for tier in expression.split(" or "))
    files = path.rglob("test_*.py") if path.is_dir() else [path]
    return not any(_says(file, wanted) for file in files)


def _is_ours(path: Path) -> bool:
    within = any(path.is_relative_to(tree) for tree in (SUITES, TESTS))
    return within and (path.is_dir() or path.name.startswith("test_")) and "__" not in path.name


def _says(file: Path, wanted: tuple[str, ...]) -> bool:
    text = file.read_text(encoding="utf-8")
    return any(mark in text for mark in wanted)
