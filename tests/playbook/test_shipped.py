"""What comes with the package: playbooks, templates, the starter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from pytest_modelqa import playbook
from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.check import FailurePolicy
from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.playbook import shipped
from pytest_modelqa.playbook.init import starter
from pytest_modelqa.playbook.load import load
from pytest_modelqa.playbook.positions import parse
from pytest_modelqa.playbook.shipped import shipped_folder, templates

FOLDER = shipped_folder()
MODELS = sorted((FOLDER / "models").glob("*.yaml"))
SCHEMA: dict[str, Any] = json.loads(
    (Path(playbook.__file__).parents[1] / "schemas" / "playbook.schema.json").read_text("utf-8")
)
MINIMAL = """\
model:
  id: org/name
  reference: gguf-f16
  artifacts: [{format: gguf, quantization: f16, source: "file:x.gguf"}]
test_matrix: {formats: [gguf]}
"""


def valid_by_schema(text: bytes) -> bool:
    tree, flaws = parse(text, "f.yaml")
    return not flaws and Draft202012Validator(SCHEMA).is_valid(tree.plain())


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_every_committed_playbook_is_valid(path: Path) -> None:
    book = load(path, oracle_table())
    assert book.model.artifacts
    assert book.scenarios
    assert {a.format for a in book.model.artifacts} == set(book.matrix.formats)
    assert valid_by_schema(path.read_bytes())


def test_the_seeds_twelve_models_have_playbooks() -> None:
    sizes = ("0.5b", "1.5b", "3b", "7b", "14b", "32b")
    assert {p.stem for p in MODELS} >= {
        "deepseek-coder-1.3b-instruct",
        "gemma-2-2b-it",
        "llama-3.2-1b-instruct",
        "llama-3.2-3b-instruct",
        "mistral-7b-instruct-v0.3",
        "phi-3-mini-4k-instruct",
        *(f"qwen2.5-coder-{size}-instruct" for size in sizes),
    }


@pytest.mark.parametrize("name", ["quick", "standard", "certify"])
def test_every_template_is_valid_under_a_minimal_model(tmp_path: Path, name: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(f"extends: {name}\n{MINIMAL}")
    book = load(path, oracle_table())
    assert book.tier == ["quick", "standard", "certify"].index(name) + 1
    assert book.scenarios
    own = templates()[name].read_bytes()
    assert valid_by_schema(own if b"\nextends:" in own else own + b"\nextends: none.yaml\n")


def test_the_templates_are_the_three() -> None:
    assert list(templates()) == ["certify", "quick", "standard"]


def test_the_embedded_model_derives_its_second_artifact() -> None:
    book = load(FOLDER / "models" / "smollm2-135m-instruct.yaml", oracle_table())
    assert [a.key for a in book.model.artifacts] == ["gguf-q4_1", "safetensors-f32"]
    assert book.model.artifacts[1].source == "derive:gguf-q4_1"
    assert book.failure_policy is FailurePolicy.STOP_ON_P0
    assert [b.name for b in book.blocks] == ["parity", "profile_ci"]
    assert {s.category.value for s in book.scenarios} == {"QUAL", "EDGE"}


@pytest.mark.parametrize("template", ["quick", "standard", "certify"])
@pytest.mark.parametrize("model", ["org/name", "Qwen/Qwen2.5-0.5B", "my_folder"])
def test_a_starter_is_valid(tmp_path: Path, model: str, template: str) -> None:
    text = starter(model, template)
    path = tmp_path / "own.yaml"
    path.write_text(text)
    assert load(path, oracle_table()).model.id == model
    assert valid_by_schema(text.encode())


@pytest.mark.parametrize("model", ["", "a b", "a/b/c", "../x", "a\nb: c", "a/b\n"])
def test_a_starter_refuses_what_is_no_model_id(model: str) -> None:
    with pytest.raises(UsageError, match="is not a model id"):
        starter(model)


def test_a_starter_refuses_an_unknown_template() -> None:
    with pytest.raises(UsageError, match="did you mean 'standard'"):
        starter("a/b", "standrad")


def test_a_wheels_own_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "pytest_modelqa"
    package.mkdir()
    monkeypatch.setattr(shipped, "_PACKAGE", package)
    assert shipped_folder() == tmp_path / "playbooks"
    (package / "_playbooks").mkdir()
    assert shipped_folder() == package / "_playbooks"
