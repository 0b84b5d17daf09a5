"""The tables that the suites leave: all rows, in text, JSON and Markdown; no number gets lost."""

import json
import math
from pathlib import Path

from suites.tables import Tables


def filled() -> Tables:
    tables = Tables()
    tables.add("errors", {"check": "one", "relative": 1.25e-9, "passes": True, "note": None})
    tables.add("errors", {"check": "two", "relative": math.nan, "passes": False, "note": "red"})
    return tables


def test_text_has_a_heading_and_a_line_for_each_row() -> None:
    lines = filled().text("errors").splitlines()
    assert lines[0].split() == ["check", "relative", "passes", "note"]
    assert lines[1].split() == ["one", "1.25e-09", "yes", "-"]
    assert lines[2].split() == ["two", "nan", "no", "red"]


def test_json_holds_full_precision_and_says_what_is_no_number(tmp_path: Path) -> None:
    written = filled().write(tmp_path / "new")
    assert [path.name for path in written] == ["errors.json", "errors.md"]
    data = json.loads(written[0].read_text(), parse_constant=lambda word: f"bare {word}")
    assert [row["relative"] for row in data["rows"]] == [1.25e-9, "nan"]
    assert data["table"] == "errors"


def test_markdown_is_a_table(tmp_path: Path) -> None:
    page = filled().write(tmp_path)[1].read_text().splitlines()
    assert page[2] == "| check | relative | passes | note |"
    assert page[3] == "| --- | --- | --- | --- |"
    assert len(page) == 6


def test_without_rows_nothing_is_written(tmp_path: Path) -> None:
    assert Tables().write(tmp_path / "none") == []
    assert Tables().names() == []
