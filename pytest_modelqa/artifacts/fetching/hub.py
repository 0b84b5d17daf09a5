"""A model hub: where its files are, and what a repository holds at a revision.

Asked through the resolve addresses that every client of it uses, so that resuming, limits and
mirrors are the same for all sources. `HF_ENDPOINT` and `HF_TOKEN` are what they are to the hub's
own client; the token goes to the endpoint's host alone.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pytest_modelqa.artifacts.fetching.download import Wanted, download
from pytest_modelqa.artifacts.fetching.http import Location
from pytest_modelqa.artifacts.fetching.part import Part
from pytest_modelqa.artifacts.fetching.settings import Settings
from pytest_modelqa.artifacts.sources import is_path
from pytest_modelqa.core.errors import Unavailable

_HEX = re.compile(r"[0-9a-f]{64}")

ENDPOINT = "https://huggingface.co"
PATTERNS = ("*.safetensors", "*.json", "tokenizer.model", "*.jinja")
"""What a snapshot needs: never pickles, never code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A repository at a commit. The hub knows hash and size of large `files` alone."""

    commit: str
    licence: str
    files: tuple[Wanted, ...]


def location(repository: str, revision: str, file: str) -> Location:
    """Where a file of a repository is."""
    return _location(f"{repository}/resolve/{quote(revision, safe='')}/{quote(file)}")


def listing(repository: str, revision: str, settings: Settings) -> Listing:
    """What a repository holds, safe names only. Raises Unavailable, Refused."""
    where = _location(f"api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true")
    with tempfile.TemporaryDirectory() as folder, Part(Path(folder, "listing")) as part:
        download(Wanted(name=f"the list of {repository}"), [where], part, settings)
        text = part.path.read_bytes()
    try:
        said = json.loads(text)
        files = tuple(_wanted(s) for s in said["siblings"] if is_path(s["rfilename"]))
        licence = (said.get("cardData") or {}).get("license") or ""
        return Listing(commit=str(said["sha"]), licence=str(licence), files=files)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unavailable(
            f"the hub's list of {repository} cannot be understood: {error!r}",
            remedy="check HF_ENDPOINT",
        ) from error


def snapshot_files(listed: Listing) -> list[Wanted]:
    """The files of a snapshot, those at the top of the repository alone."""
    return [f for f in listed.files if any(fnmatchcase(f.name, p) for p in PATTERNS)]


def _location(path: str) -> Location:
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or ENDPOINT
    token = os.environ.get("HF_TOKEN", "").strip()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Location(url=f"{endpoint}/{path}", headers=headers)


def _wanted(sibling: dict[str, Any]) -> Wanted:
    large = sibling.get("lfs") or {}
    size = large.get("size", sibling.get("size"))
    sha256 = str(large.get("sha256", "")).lower()
    return Wanted(
        name=str(sibling["rfilename"]),
        sha256=sha256 if _HEX.fullmatch(sha256) else "",  # it becomes a file's name
        bytes=size if isinstance(size, int) else None,
    )
