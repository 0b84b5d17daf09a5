"""What the documentation says about the oracles is what they do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

from benchmarks.garbage_rates import BEGIN, END, PAGE, report, wilson
from pytest_modelqa.checks.oracles import ORACLES

HEAVY = (
    "sqlglot",
    "tree_sitter",
    "jsonschema",
    "yaml",
    "pydantic",
    "numpy",
    "pytest",
    "markdown_it",
)


def test_the_published_rates_are_the_measured_ones() -> None:
    published = PAGE.read_text("utf-8").split(BEGIN)[1].split(END)[0].strip()
    assert published == report(), "run: python benchmarks/garbage_rates.py --write"


def test_the_page_names_every_oracle_and_every_parameter() -> None:
    page = PAGE.read_text("utf-8")
    named = [o.name for o in ORACLES] + [f.name for o in ORACLES for f in fields(o)]  # type: ignore[arg-type]
    assert [name for name in named if f"`{name}" not in page] == []


def test_wilson_has_its_published_values() -> None:
    low, high = wilson(10, 20)  # Newcombe 1998, method 3: 0.2993 to 0.7007
    assert (round(low, 4), round(high, 4)) == (0.2993, 0.7007)
    assert wilson(0, 10)[0] == 0


def test_heavy_libraries_are_not_imported_before_they_judge() -> None:
    code = (
        "import sys; import pytest_modelqa.checks.oracles; "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    root = Path(__file__).parents[3]
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
