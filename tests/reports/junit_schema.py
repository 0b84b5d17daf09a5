"""Validate JUnit XML, ours or pytest's own `--junitxml`, with one schema."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any


@cache
def _schema() -> Any:
    from xmlschema import XMLSchema

    return XMLSchema(Path(__file__).with_name("junit.xsd"))


def junit_problems(xml: str) -> list[str]:
    """Why the document is not valid; empty when it is. Raises ParseError when it is no XML."""
    return [f"{e.path}: {e.reason}" for e in _schema().iter_errors(xml)]
