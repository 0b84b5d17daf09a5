"""Which source this tool was installed from, where that can be told."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlparse

_WAIT_S = 10.0


@cache
def commit() -> str:
    """The commit that the tool was installed at, `-dirty` behind it where files differ; or nothing.

    Installers record it (PEP 610); of an editable installation, git tells it.
    """
    try:
        text = distribution("pytest-modelqa").read_text("direct_url.json")
        said = json.loads(text or "{}")
    except (PackageNotFoundError, ValueError):
        return ""
    recorded = said.get("vcs_info", {}).get("commit_id", "")
    if recorded or not said.get("dir_info", {}).get("editable"):
        return str(recorded)
    return _described(Path(unquote(urlparse(said["url"]).path)))


def _described(folder: Path) -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, timeout=_WAIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""  # no repository
    return done.stdout.strip()
