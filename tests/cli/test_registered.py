"""Commands that other packages register: found by name, imported late, never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelqa.cli import main
from pytest_modelqa.core.errors import ExitCode

Captured = pytest.CaptureFixture[str]

COMMANDS = """
import typer

app = typer.Typer()

@app.command()
def left(count: int = 1) -> None:
    "Go left."
    typer.echo(f"left {count}")

@app.command()
def right() -> None:
    "Go right."
    typer.echo("right")

def wave(hand: str) -> None:
    "Wave a hand."
    typer.echo(f"waved {hand}")
"""


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that registers a group, a function, a broken one, a name of ours."""
    (tmp_path / "waving_commands.py").write_text(COMMANDS)
    metadata = tmp_path / "waving-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: waving\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[modelqa.commands]\n"
        "turn = waving_commands:app\n"
        "wave = waving_commands:wave\n"
        "broken = no_such_module:app\n"
        "validate = no_such_module:app\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_a_function_is_one_command_and_a_typer_a_group(capsys: Captured) -> None:
    assert main(["wave", "left"]) == ExitCode.OK
    assert main(["turn", "left", "--count", "3"]) == ExitCode.OK
    assert main(["turn", "right"]) == ExitCode.OK
    assert capsys.readouterr().out.split("\n") == ["waved left", "left 3", "right", ""]


def test_what_cannot_be_imported_says_so_and_hides_nothing(capsys: Captured) -> None:
    assert main(["broken", "--with", "options"]) == ExitCode.NOTHING_RAN
    told = capsys.readouterr().err
    assert "modelqa broken cannot be imported from no_such_module:app" in told
    assert "pip install" in told
    assert main(["--help"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "Wave a hand." in shown
    assert "(unavailable: No module named 'no_such_module')" in shown


def test_a_registered_command_never_hides_one_of_ours(capsys: Captured) -> None:
    assert main(["validate", "--help"]) == ExitCode.OK
    assert "Check playbooks" in capsys.readouterr().out


def test_an_unknown_command_is_wrong_usage(capsys: Captured) -> None:
    assert main(["waive"]) == ExitCode.USAGE
    assert "waive" in capsys.readouterr().err
