"""`modelqa fetch` and `modelqa lock add`: what they print, write and return."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from pytest_modelqa import cli
from pytest_modelqa.cli import fetch
from pytest_modelqa.core.errors import ExitCode
from tests.artifacts.hub import Hub, serving
from tests.artifacts.locking import entry_of, locked

FILES = {"a.gguf": b"GGUF" * 100}
Run = Callable[..., int]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("no_proxy", "*")
    with serving(FILES) as hub:
        yield hub


@pytest.fixture
def modelqa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Hub) -> Run:
    """The command, in a folder whose lockfile has one entry of tier full and one of integration."""
    monkeypatch.setenv("MODELQA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MODELQA_FETCH_ATTEMPTS", "1")
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.add_typer(fetch.app)
    monkeypatch.setattr(cli, "app", app)
    (tmp_path / "b.gguf").write_bytes(b"local")
    here = entry_of("file:b.gguf", {"b.gguf": b"local"}, id="two", tier="integration")
    locked(tmp_path, entry_of(f"{hub.endpoint}/a.gguf", FILES), here)
    return lambda *argv: cli.main([*argv])


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    out, err = capsys.readouterr()
    assert "\x1b" not in err, "no bars where there is no terminal"
    assert out.count("\n") == 1, "one line: the object alone"
    found: dict[str, Any] = json.loads(out)
    return found


def test_json_is_alone_on_stdout_and_says_what_was_done(
    modelqa: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert modelqa("fetch", "--all", "--json") == ExitCode.OK
    first = printed(capsys)
    assert [m["state"] for m in first["models"]] == ["fetched", "present"]
    assert first["failures"] == []
    for model in first["models"]:
        assert Path(model["path"]).stat().st_size == model["bytes"]
    assert modelqa("fetch", "--all", "--verify", "--json") == ExitCode.OK
    again = printed(capsys)
    assert [m["state"] for m in again["models"]] == ["present", "present"]
    assert [m["sha256"] for m in again["models"]] == [m["sha256"] for m in first["models"]]


@pytest.mark.parametrize(
    ("argv", "ids"),
    [
        (["--id", "one"], ["one"]),
        (["--tier", "integration"], ["two"]),
        (["--tier", "integration", "--tier", "full"], ["one", "two"]),
        (["--tier", "ci-light"], []),
    ],
)
def test_entries_are_chosen_by_id_and_tier(
    modelqa: Run, capsys: pytest.CaptureFixture[str], argv: list[str], ids: list[str]
) -> None:
    assert modelqa("fetch", *argv, "--json") == ExitCode.OK
    assert [m["id"] for m in printed(capsys)["models"]] == ids


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        ([], "nothing was asked for"),
        (["--id", "onne"], "did you mean 'one'?"),
        (["--tier", "huge"], "'huge' is no tier"),
    ],
)
def test_a_wrong_question_is_a_usage_error(
    modelqa: Run, capsys: pytest.CaptureFixture[str], argv: list[str], what: str
) -> None:
    assert modelqa("fetch", *argv) == ExitCode.USAGE
    said = capsys.readouterr()
    assert what in said.err
    assert said.out == ""


def test_one_failure_does_not_stop_the_others_and_decides_the_code(
    modelqa: Run, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    hub.moods.append("other")
    assert modelqa("fetch", "--all", "--json") == ExitCode.MODEL_LOAD
    said = printed(capsys)
    assert [m["id"] for m in said["models"]] == ["two"]
    assert [(f["id"], f["exit_code"]) for f in said["failures"]] == [("one", 10)]
    hub.moods.append("status:404")
    assert modelqa("fetch", "--all") == ExitCode.NOTHING_RAN
    assert "HTTP 404" in capsys.readouterr().err


def test_a_local_file_that_is_another_is_refused(
    modelqa: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.gguf").write_bytes(b"lokal")
    assert modelqa("fetch", "--id", "two") == ExitCode.MODEL_LOAD
    assert "the pin says" in capsys.readouterr().err
    (tmp_path / "b.gguf").unlink()
    assert modelqa("fetch", "--id", "two") == ExitCode.NOTHING_RAN


def test_offline_asks_nobody(modelqa: Run, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    assert modelqa("fetch", "--all", "--offline") == ExitCode.NOTHING_RAN
    assert "modelqa fetch --id one" in capsys.readouterr().err
    assert not hub.asked


def test_a_cache_that_cannot_be_written_has_its_code(
    modelqa: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache").write_text("a file")
    assert modelqa("fetch", "--id", "one") == ExitCode.OUTPUT
    assert "set MODELQA_CACHE" in capsys.readouterr().err


def test_a_licence_is_accepted_by_option(modelqa: Run, tmp_path: Path, hub: Hub) -> None:
    locked(tmp_path, entry_of(f"{hub.endpoint}/a.gguf", FILES, accept=True))
    assert modelqa("fetch", "--all") == ExitCode.NOTHING_RAN
    assert not hub.asked
    assert modelqa("fetch", "--all", "--accept-licence", "one") == ExitCode.OK


def test_lock_add_writes_what_fetch_finds(
    modelqa: Run, tmp_path: Path, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models.lock.json").unlink()
    source = f"{hub.endpoint}/a.gguf"
    assert modelqa("lock", "add", source) == ExitCode.USAGE
    assert "--licence" in capsys.readouterr().err
    assert modelqa("lock", "add", source, "--licence", "MIT", "--must-accept") == ExitCode.OK
    assert capsys.readouterr().out == "a\n"
    asked = len(hub.asked)
    assert modelqa("fetch", "--id", "a", "--offline") == ExitCode.OK
    assert len(hub.asked) == asked
    assert modelqa("lock", "add", source, "--licence", "MIT") == ExitCode.USAGE
    assert modelqa("lock", "add", source, "--licence", "MIT", "--replace") == ExitCode.OK
    assert modelqa("lock", "add", "s3:x", "--licence", "MIT") == ExitCode.USAGE
    assert modelqa("lock", "add", source, "--tier", "huge") == ExitCode.USAGE
