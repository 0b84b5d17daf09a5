"""What receipts say of artifacts: hashes that follow the bytes, and the header's own words."""

from __future__ import annotations

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from pytest_modelqa.artifacts.hashing import sha256_of
from pytest_modelqa.artifacts.identity import hashed_files, identities, identity
from pytest_modelqa.core.model import Artifact, ArtifactSpec, Format
from pytest_modelqa.core.receipt import ReceivedArtifact

TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


def described(path: Path, form: Format, cache: Path) -> ReceivedArtifact:
    """The identity of a model that a playbook calls f32, whatever it is."""
    spec = ArtifactSpec(model="m", format=form, quantization="f32", source=f"file:{path}")
    found = sha256_of(path, cache)
    artifact = Artifact(spec=spec, path=path, sha256=found, bytes=1, pinned=False)
    return identity(artifact, path, cache)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A safetensors folder with a tokenizer and a template; no engine would open it."""
    made = tmp_path / "model"
    made.mkdir()
    header = json.dumps({"w": {"dtype": "F16", "shape": [1], "data_offsets": [0, 2]}}).encode()
    (made / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    (made / "config.json").write_text("{}")
    (made / "tokenizer.json").write_text('{"model": 1}')
    (made / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    return made


def test_a_folder_is_described_by_its_bytes(folder: Path, tmp_path: Path) -> None:
    found = described(folder, "safetensors", tmp_path)
    assert found.quantization == "f16"
    assert {f.name for f in found.files} == {p.name for p in folder.iterdir()}
    for file in found.files:
        content = (folder / file.name).read_bytes()
        assert (file.sha256, file.bytes) == (sha256(content).hexdigest(), len(content))
    assert found.template_sha256 == sha256(TEMPLATE.encode()).hexdigest()


def test_tokenizer_and_template_have_hashes_of_their_own(folder: Path, tmp_path: Path) -> None:
    before = described(folder, "safetensors", tmp_path)
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    template = described(folder, "safetensors", tmp_path)
    assert template.template_sha256 != before.template_sha256
    assert template.tokenizer_sha256 == before.tokenizer_sha256
    (folder / "tokenizer.json").write_text('{"model": 2}')
    tokenizer = described(folder, "safetensors", tmp_path)
    assert tokenizer.tokenizer_sha256 != before.tokenizer_sha256
    assert tokenizer.template_sha256 == template.template_sha256


def test_what_is_not_there_has_no_hash(folder: Path, tmp_path: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    found = described(folder, "safetensors", tmp_path)
    assert (found.tokenizer_sha256, found.template_sha256) == ("", "")


@pytest.mark.parametrize("text", ["[]", "no JSON", '{"chat_template": null}'])
def test_an_unreadable_configuration_holds_no_template(
    text: str, folder: Path, tmp_path: Path
) -> None:
    (folder / "tokenizer_config.json").write_text(text)
    assert described(folder, "safetensors", tmp_path).template_sha256 == ""


def test_a_gguf_file_says_its_quantisation_and_template(smollm2: Path, tmp_path: Path) -> None:
    found = described(smollm2, "gguf", tmp_path)
    assert found.quantization == "q4_1"
    assert [f.name for f in found.files] == [smollm2.name]
    assert found.files[0].sha256 == found.sha256
    assert len(found.tokenizer_sha256) == len(found.template_sha256) == 64


def test_files_are_hashed_in_the_order_of_their_names(folder: Path, tmp_path: Path) -> None:
    names = [f.name for f in hashed_files(folder, tmp_path)]
    assert names == sorted(names)


def test_what_is_not_here_is_not_described(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELQA_CACHE", str(tmp_path / "cache"))
    moved = shutil.copytree(folder, tmp_path / "other")
    specs = [
        ArtifactSpec(model="m", format="safetensors", quantization=name, source=f"file:{path}")
        for name, path in (("f16", moved), ("f32", tmp_path / "absent"))
    ]
    found = identities(specs, {s.key: s for s in specs}, folder=tmp_path)
    assert set(found) == {"safetensors-f16"}
