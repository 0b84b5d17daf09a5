"""What is in the cache is verified on every use, repaired when it is wrong, and stored once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_modelqa.artifacts import build
from pytest_modelqa.artifacts.fetching.fetch import Got, obtain
from pytest_modelqa.artifacts.fetching.settings import Settings
from pytest_modelqa.artifacts.hashing import record
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.errors import OutputError, Refused, Unavailable
from pytest_modelqa.core.model import ArtifactSpec
from tests.artifacts.hub import Hub, serving
from tests.artifacts.locking import assert_no_bad_file, entry

FILES = {"config.json": b"{}", "model.safetensors": b"weights" * 1000, "sub/b.json": b"{}"}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("no_proxy", "*")
    with serving(FILES) as hub:
        yield hub


def fetched(hub: Hub, folder: Path, *, verify: bool = False, offline: bool = False) -> Got:
    one = entry(folder, f"{hub.endpoint}/", FILES)
    return obtain(one, folder / "cache", Settings(attempts=1, verify=verify, offline=offline))


def test_equal_bytes_are_stored_and_fetched_once(tmp_path: Path, hub: Hub) -> None:
    got = fetched(hub, tmp_path)
    assert {n: (got.path / n).read_bytes() for n in FILES} == FILES
    assert [a.path for a in hub.asked] == ["/config.json", "/model.safetensors"]
    assert len(list((tmp_path / "cache" / "blobs").glob("[0-9a-f]" * 64))) == 2


def test_another_entry_with_the_same_bytes_asks_nobody(tmp_path: Path, hub: Hub) -> None:
    fetched(hub, tmp_path)
    asked = len(hub.asked)
    other = entry(tmp_path, f"{hub.endpoint}/config.json", {"config.json": b"{}"})
    assert obtain(other, tmp_path / "cache", Settings()).path.read_bytes() == b"{}"
    assert len(hub.asked) == asked


def test_a_file_that_was_changed_is_fetched_again(tmp_path: Path, hub: Hub) -> None:
    path = fetched(hub, tmp_path).path / "config.json"
    path.write_bytes(b"[]")
    os.utime(path, ns=(1, 1))
    got = fetched(hub, tmp_path)
    assert got.state == "fetched"
    assert (got.path / "config.json").read_bytes() == b"{}"
    assert_no_bad_file(tmp_path / "cache")


def test_a_file_too_many_or_too_few_is_repaired(tmp_path: Path, hub: Hub) -> None:
    folder = fetched(hub, tmp_path).path
    (folder / "tokenizer.json").write_text("slipped in")
    assert fetched(hub, tmp_path).state == "fetched"
    assert not (folder / "tokenizer.json").exists()
    (folder / "sub" / "b.json").unlink()
    assert fetched(hub, tmp_path).state == "fetched"
    assert (folder / "sub" / "b.json").read_bytes() == b"{}"
    assert len(hub.asked) == 2, "the bytes were still there"


def test_a_link_in_place_of_a_file_is_replaced(tmp_path: Path, hub: Hub) -> None:
    path = fetched(hub, tmp_path).path / "config.json"
    path.unlink()
    (tmp_path / "elsewhere").write_bytes(b"{}")
    path.symlink_to(tmp_path / "elsewhere")
    assert fetched(hub, tmp_path).state == "fetched"
    assert not path.is_symlink()


def test_verify_finds_what_the_cheap_look_cannot(tmp_path: Path, hub: Hub) -> None:
    """Rotten bytes under an unchanged size and time; sound ones stay as they are."""
    path = fetched(hub, tmp_path).path / "model.safetensors"
    assert fetched(hub, tmp_path, verify=True).state == "present"
    stat, sha256 = path.stat(), entry(tmp_path, "file:x", FILES).hashes["model.safetensors"]
    path.write_bytes(b"Weights" + FILES["model.safetensors"][7:])
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    record(path, sha256, tmp_path / "cache")
    assert fetched(hub, tmp_path).state == "present"
    assert fetched(hub, tmp_path, verify=True).state == "fetched"
    assert path.read_bytes() == FILES["model.safetensors"]


def test_offline_names_the_command_and_takes_what_is_here(tmp_path: Path, hub: Hub) -> None:
    with pytest.raises(Unavailable, match="offline") as caught:
        fetched(hub, tmp_path, offline=True)
    assert "modelqa fetch --id one" in caught.value.remedy
    assert not hub.asked
    fetched(hub, tmp_path)
    assert fetched(hub, tmp_path, offline=True).state == "present"


def test_a_cache_that_cannot_be_written_is_an_output_error(tmp_path: Path, hub: Hub) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="cannot write the cache") as caught:
        fetched(hub, tmp_path)
    assert "MODELQA_CACHE" in caught.value.remedy


def test_a_file_system_without_hard_links_gets_copies(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    got = fetched(hub, tmp_path)
    assert (got.path / "config.json").stat().st_nlink == 1
    assert fetched(hub, tmp_path).state == "present"
    assert_no_bad_file(tmp_path / "cache")


# What is built here.

BUILDER = """\
import sys
from pathlib import Path
sys.stderr.write("planted: at work\\n")
Path(sys.argv[1], "config.json").write_text("{}")
"""


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, info = tmp_path / "site" / "planted_oven", tmp_path / "site" / "oven-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text(BUILDER)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: oven\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{build.GROUP}]\noven = planted_oven\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setattr(build, "LIBRARIES", ("numpy",))


def test_a_model_is_built_once_and_offline_too(tmp_path: Path, builder: None) -> None:
    oven = entry(tmp_path, "build:oven", {})
    said: list[str] = []
    settings = Settings(offline=True, say=said.append)
    got = obtain(oven, tmp_path / "cache", settings)
    assert (got.state, said) == ("built", ["planted: at work"])
    assert obtain(oven, tmp_path / "cache", settings) == Got(path=got.path, state="present")


def test_a_build_is_pinned_only_where_the_lockfile_lists_hashes(
    tmp_path: Path, builder: None
) -> None:
    spec = ArtifactSpec(model="m", format="safetensors", quantization="f32", source="build:oven")
    for files, pinned in (({}, False), ({"config.json": b"{}"}, True)):
        entry(tmp_path, "build:oven", files)
        artifact = provision(spec, {}, folder=tmp_path, cache=tmp_path / "cache")
        assert artifact.pinned is pinned
    entry(tmp_path, "build:oven", {"config.json": b"[]"})
    with pytest.raises(Refused, match=r"sha256 of config\.json as built here"):
        provision(spec, {}, folder=tmp_path, cache=tmp_path / "cache")


def test_a_playbook_finds_what_was_fetched(tmp_path: Path, hub: Hub) -> None:
    folder = fetched(hub, tmp_path).path
    spec = ArtifactSpec(
        model="m", format="safetensors", quantization="f32", source=f"{hub.endpoint}/"
    )
    asked = len(hub.asked)
    artifact = provision(spec, {}, folder=tmp_path, cache=tmp_path / "cache")
    assert (artifact.path, artifact.pinned) == (folder, True)
    assert len(hub.asked) == asked
