"""The batch gate on real models: planted batching defects turn it red, healthy batches stay green.

The defects stand in `tests/engines/planted.py`, in engines that a playbook names like any other.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_modelqa.checks.oracles import oracle_table
from pytest_modelqa.core.result import CaseResult
from pytest_modelqa.core.verdict import Outcome
from pytest_modelqa.plan import make
from pytest_modelqa.playbook.load import load
from pytest_modelqa.qualify import Qualifier
from tests.engines.planted_site import planted_site

ROOT = Path(__file__).parents[2]

BOOK = """\
version: "1.0"
model:
  id: test/batches
  artifacts:
    - {{format: gguf, quantization: q4_1, source: "file:{file}", engine: {gguf}}}
    - {{format: safetensors, quantization: f32, source: "derive:gguf-q4_1", engine: {folder}}}
test_matrix:
  modalities: [chat]
  backends: [cpu]
  formats: [{format}]
failure_policy: collect_all
limits: {{request_timeout_s: 120, n_ctx: 1024}}
scenarios:
"""

TOPICS = (
    "sea", "books", "rain", "bread", "trains", "music", "moon", "chess", "bees", "winter", "glass",
    "clocks", "rivers", "maps", "salt",
)  # fmt: skip


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution that brings the planted engines."""
    site = planted_site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", f"{site}:{ROOT}")


def batching(folder: Path, file: Path, form: str, engine: str) -> CaseResult:
    lines = [
        json.dumps(
            {"name": f"s{i}", "prompt": f"Write about {topic}.", "oracle": "length", "min": 0,
             "mode": "fast", "max_tokens": 12, "allow_garbage": True}
        )
        for i, topic in enumerate(TOPICS)
    ]  # fmt: skip
    head = BOOK.format(
        file=file,
        format=form,
        gguf=engine if form == "gguf" else "llamacpp",
        folder=engine if form != "gguf" else "transformers",
    )
    path = folder / "book.yaml"
    path.write_text(head + "".join(f"  - {line}\n" for line in lines))
    plan = make(load(path, oracle_table()))
    qualifier = Qualifier(plan, folder / "out", run_id="r1")
    try:
        cases = [c for c in plan.cases if not c.is_gateway]
        qualifier.select(cases)
        return qualifier.result(cases[-1])
    finally:
        qualifier.close()


@pytest.mark.parametrize(
    ("form", "engine", "what"),
    [
        ("gguf", "swapped", "the batch chose|became"),
        ("gguf", "offbyone", "became"),
        pytest.param("gguf", "unclean", "became", marks=pytest.mark.nightly),
        pytest.param("safetensors", "gapped", "became", marks=pytest.mark.nightly),
    ],
)
@pytest.mark.usefixtures("registered")
def test_a_planted_batching_defect_is_found(
    tmp_path: Path, smollm2: Path, form: str, engine: str, what: str
) -> None:
    result = batching(tmp_path, smollm2, form, engine)
    assert result.verdict.outcome is Outcome.FALSIFIED, result.verdict
    assert "sampled answers are not those of the model" in result.verdict.reason
    assert any(word in result.verdict.detail for word in what.split("|"))


@pytest.mark.parametrize(
    ("form", "engine"),
    [
        ("gguf", "healthy"),
        ("gguf", "llamacpp"),
        pytest.param("safetensors", "transformers", marks=pytest.mark.nightly),
    ],
)
@pytest.mark.usefixtures("registered")
def test_healthy_batches_pass(tmp_path: Path, smollm2: Path, form: str, engine: str) -> None:
    result = batching(tmp_path, smollm2, form, engine)
    assert result.verdict.outcome is Outcome.CORROBORATED, result.verdict
    assert result.verdict.tested == 8
