"""A playbook to start from, for `modelqa init MODEL`."""

from __future__ import annotations

import re

from pytest_modelqa.core.errors import UsageError
from pytest_modelqa.playbook.problems import not_a
from pytest_modelqa.playbook.shipped import templates

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)?")

_TEXT = """\
# yaml-language-server: $schema=playbook.schema.json
# Editors complete this file after: modelqa schema > playbook.schema.json
# Check it: modelqa validate FILE     Run it: pytest --playbook FILE
version: "1.0"
extends: {template} # quick, standard or certify: matrix, limits and scenarios that you can replace

model:
  id: {model}
  revision: main # better a commit: what is not pinned may change under you
  artifacts:
    - format: safetensors
      quantization: f32 # the precision it is opened in: f32, f16 or bf16
      source: "{source}"
    # A GGUF file; add gguf to the formats below.
    # - format: gguf
    #   quantization: q4_k_m
    #   source: "file:./model-q4_k_m.gguf" # or hf:ORG/NAME:FILE
    #   sha256: 64 hex digits # sha256sum model-q4_k_m.gguf

test_matrix:
  formats: [safetensors]

# Your own questions replace the template's; every oracle and its fields: docs/oracles.md
scenarios:
  - name: sum
    prompt: What is 2 + 2?
    oracle: arithmetic
    expected: 4
  - name: capital
    prompt: What is the capital of France?
    oracle: contains
    expected: Paris
"""


def starter(model_id: str, template: str = "standard") -> str:
    """The text of a new playbook for a model: `ORG/NAME`, or a folder's name without `/`.

    Raises UsageError where the id is no model id, or the template does not exist.
    """
    if not _ID.fullmatch(model_id):
        raise UsageError(
            f"{model_id!r} is not a model id",
            remedy="write ORG/NAME: letters, digits, `.`, `_` and `-`",
        )
    known = list(templates())
    if template not in known:
        raise UsageError(not_a(template, "template", known))
    source = f"hf:{model_id}" if "/" in model_id else f"file:./{model_id}"
    return _TEXT.format(model=model_id, template=template, source=source)
