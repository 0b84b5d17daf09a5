"""The commit of the tool: what the installer or git says, else nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_modelqa.runtime import provenance

GIT = shutil.which("git") or "git"
HASH = "0123456789abcdef0123456789abcdef01234567"


class Installed:
    """A distribution with this `direct_url.json`."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def read_text(self, _name: str) -> str | None:
        """As `importlib.metadata` gives it."""
        return self.text


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    provenance.commit.cache_clear()
    yield
    provenance.commit.cache_clear()


def told(text: str | None, patch: pytest.MonkeyPatch) -> str:
    """The commit where the installer recorded this."""
    patch.setattr(provenance, "distribution", lambda _: Installed(text))
    return provenance.commit()


def test_an_installer_that_cloned_recorded_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"url": "https://example.org/x.git", "vcs_info": {"vcs": "git", "commit_id": HASH}}
    assert told(json.dumps(said), monkeypatch) == HASH


@pytest.mark.parametrize("text", [None, "", "no JSON", '{"url": "https://example.org/x.whl"}'])
def test_a_release_has_no_commit(text: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(text, monkeypatch) == ""


def test_an_editable_folder_without_a_repository_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    assert told(json.dumps(said), monkeypatch) == ""


def test_a_machine_without_git_tells_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said = {"url": tmp_path.as_uri(), "dir_info": {"editable": True}}
    assert told(json.dumps(said), monkeypatch) == ""


def test_a_repository_tells_its_commit_and_whether_files_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file.txt"
    file.write_text("one")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    for arguments in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "one")):
        subprocess.run([GIT, "-C", str(tmp_path), *arguments], check=True)
    said = json.dumps({"url": tmp_path.as_uri(), "dir_info": {"editable": True}})
    clean = told(said, monkeypatch)
    assert re.fullmatch("[0-9a-f]{40}", clean)
    file.write_text("two")
    provenance.commit.cache_clear()
    assert told(said, monkeypatch) == f"{clean}-dirty"
