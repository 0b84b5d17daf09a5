"""`models:`: one playbook for several models, each of which is read, and one of which is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.playbook.load import validate
from tests.playbook.conftest import Load, Problems
from tests.playbook.stubs import STUBS

MATRIX = "test_matrix: {modalities: [run], backends: [cpu], formats: [gguf]}\n"
MODELS = f"""\
version: "1.0"
models:
  base: {{id: org/base, artifacts: [{{format: gguf, quantization: q8_0, source: "file:b.gguf"}}]}}
  tuned: {{id: org/tuned, source: "file:sub/t.gguf"}}
{MATRIX}"""


def test_the_name_chooses_the_model(loaded: Load, tmp_path: Path) -> None:
    base, tuned = (loaded(MODELS, whole=True, model=name) for name in ("base", "tuned"))
    assert (base.candidate, base.model.id) == ("base", "org/base")
    assert (tuned.candidate, tuned.model.id) == ("tuned", "org/tuned")
    assert [a.key for a in base.model.artifacts] == ["gguf-q8_0"]
    assert base.matrix.quantizations == {"gguf": ("q8_0",)}
    assert tuned.model.artifacts[0].source == f"file:{(tmp_path / 'sub/t.gguf').resolve()}"
    assert tuned.matrix.quantizations == {"gguf": ("q4_k_m",)}
    assert base.sha256 != tuned.sha256


def test_a_default_is_chosen_where_no_name_is_given(loaded: Load) -> None:
    text = f"{MODELS}default_model: tuned\n"
    assert loaded(text, whole=True).candidate == "tuned"
    assert loaded(text, whole=True, model="base").candidate == "base"


def test_a_single_model_has_no_name(loaded: Load) -> None:
    assert loaded("").candidate == ""


@pytest.mark.parametrize(
    ("text", "model", "told"),
    [
        (MODELS, "", "2 models, and none is chosen\n  try: --model NAME, one of: base, tuned"),
        (MODELS, "tund", "--model: 'tund' is not a model of this playbook; did you mean 'tuned'?"),
        (f'version: "1.0"\nmodel: {{id: a/b}}\n{MATRIX}', "base", "one `model`, and no `models`"),
    ],
)
def test_a_name_that_chooses_nothing_is_a_usage_error(
    loaded: Load, text: str, model: str, told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(text, whole=True, model=model)
    assert told in str(caught.value)
    assert "book.yaml" in str(caught.value)


def test_validating_needs_no_name(tmp_path: Path) -> None:
    path = tmp_path / "book.yaml"
    path.write_text(MODELS)
    validate(path, STUBS)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("id: org/base", "id: a/b/c", "models.base.id: must be ORG/NAME"),
        ("id: org/base", "idd: x", "models.base.id: is missing"),
        ("q8_0", "q8_1", "models.base.artifacts[0].quantization: 'q8_1' is not a quantization"),
        ("file:b.gguf", "derive:gguf-q8_0", "models.base.artifacts[0].source: gguf-q8_0 derives"),
        ("  tuned:", "  'a b':", "models.a b: "),
        ("test_matrix", "model: {id: a/b}\ntest_matrix", "models: stands beside `model`"),
        ("test_matrix", "default_model: bse\ntest_matrix", "default_model: 'bse' is not a model"),
        ("test_matrix", "parity: {reference: gguf-f16}\ntest_matrix", "parity.reference: 'gguf-"),
    ],
)  # fmt: skip
def test_the_mistakes_of_every_model_are_told_where_they_stand(
    problems: Problems, old: str, new: str, told: str
) -> None:
    found = [f"{p.path}: {p.message}" for p in problems(MODELS.replace(old, new, 1), whole=True)]
    assert any(line.startswith(told) for line in found), found
    assert not any(line.startswith("model:") for line in found)


@pytest.mark.parametrize(
    ("models", "told"),
    [
        ("models: {}", "models: needs at least 1 entry"),
        ("models: [base]", "models: must be a mapping"),
        ("models: {base: 3}", "models.base: must be a mapping"),
        ("default_model: base\nmodel: {id: a/b}", "default_model: chooses among `models`"),
        ("name: x", "model: is missing, and required"),
    ],
)
def test_what_is_no_list_of_models_is_told(problems: Problems, models: str, told: str) -> None:
    found = [
        f"{p.path}: {p.message}"
        for p in problems(f'version: "1.0"\n{models}\n{MATRIX}', whole=True)
    ]
    assert any(line.startswith(told) for line in found), found
    assert len(found) == 1
