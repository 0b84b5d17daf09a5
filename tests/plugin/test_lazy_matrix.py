"""Cells without a file run on what is made of another: real conversions, real engines."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_modelqa.runtime.store import read
from tests.plugin.conftest import Run

BOOK = """\
version: "1.0"
model:
  id: test/lazy
  artifacts:
    - {{format: gguf, quantization: q4_1, source: "file:{file}"}}
test_matrix:
  modalities: [chat]
  backends: [cpu]
  formats: [gguf, apr]
  quantizations: {{gguf: [q8_0], apr: [f16]}}
scenarios:
  - {{name: sky, prompt: "What colour is the sky?", oracle: length, min: 3, max_tokens: 8}}
"""


def test_missing_quantisations_and_apr_are_made_and_answer(
    qualify_apart: Run, smollm2: Path, tmp_path: Path
) -> None:
    book = tmp_path / "book.yaml"
    book.write_text(BOOK.format(file=smollm2))
    result = qualify_apart(book, "--modelqa-report", str(tmp_path / "out"), "-k", "G0 or G1 or sky")
    result.assert_outcomes(passed=6)
    lines = list(read([tmp_path / "out"]))
    made = {x["artifact"]["key"]: x["artifact"] for x in lines if x["type"] == "artifact"}
    assert {key: a["source"] for key, a in made.items()} == {
        "gguf-q8_0": "derive:gguf-q4_1",
        "apr-f16": "derive:gguf-q4_1",
    }
    engines = {
        x["cell"]: x["engine"]["name"]
        for x in lines
        if x["type"] == "answer" and "sky" in json.dumps(x["request"])
    }
    assert engines == {"gguf-q8_0-cpu-chat": "llamacpp", "apr-f16-cpu-chat": "transformers"}
