"""`--model` of the commands that load a playbook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pytest_modelqa.cli import app
from pytest_modelqa.core.errors import UsageError

BOOK = """\
version: "1.0"
models:
  base: {id: test/base, source: "file:base.gguf"}
  tuned: {id: test/tuned, source: "file:tuned.gguf"}
test_matrix: {modalities: [run], backends: [cpu], formats: [gguf]}
"""


@pytest.fixture
def book(tmp_path: Path) -> str:
    """A playbook with two models."""
    path = tmp_path / "book.yaml"
    path.write_text(BOOK)
    return str(path)


def test_plan_shows_the_model_that_was_chosen(book: str) -> None:
    result = CliRunner().invoke(app, ["plan", book, "--model", "tuned", "--json"])
    assert json.loads(result.stdout)["model"] == "test/tuned"


@pytest.mark.parametrize(
    "command",
    [
        ["plan"],
        ["calibrate"],
        ["mutate", "--no-healthy"],
        ["replay"],
    ],
)
def test_every_command_asks_for_a_name(book: str, command: list[str]) -> None:
    more = ["gguf-q4_k_m-cpu-run", "--example", "{}"] if command == ["replay"] else []
    result = CliRunner().invoke(app, [command[0], book, *command[1:], *more])
    assert isinstance(result.exception, UsageError)
    assert "none is chosen" in str(result.exception)
    assert "--model NAME, one of: base, tuned" in str(result.exception)


def test_validate_reads_all_models(book: str) -> None:
    result = CliRunner().invoke(app, ["validate", book])
    assert result.exit_code == 0
    Path(book).write_text(BOOK.replace("test/base", "a/b/c"))
    broken = CliRunner().invoke(app, ["validate", book])
    assert "models.base.id: must be ORG/NAME" in str(broken.exception)
