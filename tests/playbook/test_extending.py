"""Playbooks on top of templates."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pytest_modelqa.core.errors import PlaybookError
from pytest_modelqa.playbook.load import load
from tests.playbook.stubs import MINIMAL, STUBS

BASE = """\
limits: {n_ctx: 512, max_tokens: 64}
parity: {steps: 8}
scenarios:
  - {name: base, prompt: "1", oracle: sum}
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_mappings_merge_and_lists_replace(tmp_path: Path) -> None:
    base = write(tmp_path, "base.yaml", BASE)
    text = (
        f"{MINIMAL}extends: base.yaml\nlimits: {{n_ctx: 1024}}\n"
        "scenarios: [{name: own, prompt: '1', oracle: sum}]\n"
    )
    path = write(tmp_path, "own.yaml", text)
    book = load(path, STUBS)
    assert (book.limits.n_ctx, book.limits.max_tokens) == (1024, 64)
    assert [s.name for s in book.scenarios] == ["own"]
    assert book.blocks[0].parameters["steps"] == 8
    both = path.read_bytes() + base.read_bytes()
    assert book.sha256 == hashlib.sha256(both).hexdigest()


def test_templates_may_extend_templates_in_other_folders(tmp_path: Path) -> None:
    write(tmp_path, "a/base.yaml", BASE)
    write(tmp_path, "a/middle.yaml", "extends: base.yaml\nseed: 5\n")
    path = write(tmp_path, "own.yaml", f"{MINIMAL}extends: a/middle.yaml\n")
    book = load(path, STUBS)
    assert (book.seed, book.limits.n_ctx) == (5, 512)


def test_a_mistake_in_a_template_names_the_templates_file(tmp_path: Path) -> None:
    base = write(tmp_path, "base.yaml", "\nparity: {step: 8}\n")
    path = write(tmp_path, "own.yaml", f"{MINIMAL}extends: base.yaml\nseed: x\n")
    with pytest.raises(PlaybookError) as caught:
        load(path, STUBS)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"{path}:5:7: seed: must be a whole number")
    assert lines[1].startswith(
        f"{base}:2:10: parity.step: unknown key 'step'; did you mean 'steps'?"
    )
    assert len(lines) == len(caught.value.problems) == 2


def test_files_of_a_template_are_relative_to_it(tmp_path: Path) -> None:
    artifact = '{format: gguf, quantization: f16, source: "file:m.gguf"}'
    write(tmp_path, "a/base.yaml", f"model: {{id: x/y, artifacts: [{artifact}]}}\n")
    text = MINIMAL.replace("model: {id: org/name}\n", "extends: a/base.yaml\n")
    book = load(write(tmp_path, "own.yaml", text), STUBS)
    assert book.model.artifacts[0].source == f"file:{(tmp_path / 'a/m.gguf').resolve()}"


def test_a_circle_is_refused_with_its_way(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", "extends: b.yaml\n")
    write(tmp_path, "b.yaml", "extends: a.yaml\n")
    path = write(tmp_path, "own.yaml", f"{MINIMAL}extends: a.yaml\n")
    with pytest.raises(PlaybookError, match=r"extends itself: a.yaml -> b.yaml -> a.yaml"):
        load(path, STUBS)


def test_a_template_that_is_no_yaml_is_told_under_its_name(tmp_path: Path) -> None:
    base = write(tmp_path, "base.yaml", "a: [")
    path = write(tmp_path, "own.yaml", f"{MINIMAL}extends: base.yaml\n")
    with pytest.raises(PlaybookError) as caught:
        load(path, STUBS)
    assert str(caught.value).startswith(f"{base}:")


def test_a_template_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    write(tmp_path, "big.yaml", "#" * (1 << 20) + "\n")
    path = write(tmp_path, "own.yaml", f"{MINIMAL}extends: big.yaml\n")
    with pytest.raises(PlaybookError, match="larger than 1,048,576 bytes"):
        load(path, STUBS)
