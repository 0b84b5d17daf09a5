"""Oracles of other distributions, through real metadata on the path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.errors import UsageError

HAIKU = """
class Haiku:
    name = {name!r}

    def problem_with(self, prompt):
        return None

    def judge(self, prompt, answer):
        raise NotImplementedError
"""


def install(folder: Path, module: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with one oracle entry point."""
    (folder / f"{module}.py").write_text(source, "utf-8")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[modelqa.oracles]\nhaiku = {module}:Haiku\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, module, raising=False)


def test_a_plugin_adds_its_oracle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "haiku_good", HAIKU.format(name="haiku"), monkeypatch)
    assert oracle_table()["haiku"].name == "haiku"


def test_a_plugin_that_does_not_import_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "haiku_broken", "import no_such_library_at_all", monkeypatch)
    with pytest.raises(UsageError, match="No module named 'no_such_library_at_all'") as caught:
        oracle_table()
    assert "haiku-broken" in caught.value.where or "haiku_broken" in caught.value.where


def test_two_oracles_of_one_name_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "haiku_thief", HAIKU.format(name="contains"), monkeypatch)
    with pytest.raises(UsageError, match="two oracles are named 'contains'"):
        oracle_table()


def test_something_that_is_no_oracle_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "haiku_none", "def Haiku(): pass", monkeypatch)
    with pytest.raises(UsageError, match="no oracle class"):
        oracle_table()
