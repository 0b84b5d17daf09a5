"""A playbook with one harness and two canaries, answered by scripts or by a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCRIPTS = """\
version: "1.0"
model:
  id: test/scripted
  artifacts:
    - {format: gguf, quantization: f16, source: "file:f16.json", engine: scripted}
    - {format: gguf, quantization: q8_0, source: "file:q8.json", engine: scripted}
test_matrix: {modalities: [chat], backends: [cpu], formats: [gguf], quantizations: [q8_0]}
limits: {request_timeout_s: 5}
"""

HARNESS: dict[str, Any] = {
    "kind": "ship", "threshold": 0.95, "prompts": "prompts.jsonl", "examples": "examples.jsonl",
    "oracle": "contains", "expected": "Paris",
}  # fmt: skip
CANARIES: dict[str, Any] = {
    "stages": ["gguf-f16", "gguf-q8_0"],
    "tasks": [
        {"name": name, "group": "cities", "prompt": f"The {name} one?", "oracle": "contains",
         "expected": "Paris", "max_tokens": 48}
        for name in ("first", "second")
    ],
}  # fmt: skip
GOOD = "The answer to this question is Paris, a city on the river Seine."
BAD = "I cannot say which of these many towns could be meant here."
Rules = list[dict[str, str]]


def ship_book(
    folder: Path,
    *,
    rules: Rules | None = None,
    before: Rules | None = None,
    prompts: int = 20,
    examples: Mapping[str, bool] | None = None,
    ship: Mapping[str, Any] | None = None,
    harness: Mapping[str, Any] | None = None,
    head: str = SCRIPTS,
    extra: str = "",
) -> Path:
    """Write it all; a key of `harness` that is None is left out.

    `rules` are those of what ships, `before` those of the F16 file.
    """
    for name, own in (("q8", rules), ("f16", before)):
        (folder / f"{name}.json").write_text(json.dumps({"text": GOOD, "rules": own or []}))
    asked = [{"id": f"p{i:03}", "prompt": f"Which city, number {i}?"} for i in range(prompts)]
    (folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, asked)))
    known = {"It is Paris.": True, "It is London.": False} if examples is None else examples
    lines = [{"answer": a, "passes": p, "why": "known"} for a, p in known.items()]
    (folder / "examples.jsonl").write_text("\n".join(map(json.dumps, lines)))
    gate = {k: v for k, v in {**HARNESS, **(harness or {})}.items() if v is not None}
    blocks = {
        "ship_gates": {**(ship or {}), "harnesses": {"cities": gate}},
        "canaries": CANARIES,
    }
    body = "\n".join(f"{name}: {json.dumps(block)}" for name, block in blocks.items())
    path = folder / "book.yaml"
    path.write_text(f"{head}{body}\n{extra}")
    return path


def wrong(*numbers: int) -> Rules:
    """These prompts are answered wrongly."""
    return [{"match": f"number {n}?", "text": BAD} for n in numbers]
