"""What the gate F-BATCHING sees of sound batches and of planted ones; writes docs/batching.md.

    python -m benchmarks.batching

Each row is a run of the real command over 40 chat prompts in mode fast; the planted engines are
those of tests/engines/planted.py.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks import models
from benchmarks.measuring import ROOT, NotMeasured, module, timed, use_two_cores
from benchmarks.ours import Asked, command, playbook
from benchmarks.run import described
from benchmarks.table import with_section
from tests.engines.planted_site import planted_site

PAGE = ROOT / "docs" / "batching.md"
COUNT = 40
SEQUENCES = 32
PLANTED = {
    "swapped": "two sequences get each other's logits",
    "offbyone": "a refilled sequence starts one position late",
    "unclean": "a place is used again without emptying it",
    "gapped": "positions after a padded prompt are one too high",
}


def gate(asked: Asked, engine: str = "") -> tuple[str, str]:
    """Outcome and reason of the gate in a run. Raises NotMeasured where there is none."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site = planted_site(folder / "site")
        file, report = folder / "bench.yaml", folder / "report"
        text = playbook(asked)
        named = f'"engine": "{engine}", "source"' if engine else '"source"'
        file.write_text(text.replace('"source"', named), encoding="utf-8")
        paths = os.pathsep.join((str(site), str(ROOT)))
        run = ["-k", "batching or q0", "--junitxml", str(folder / "junit.xml")]
        red_is_fine = ["bash", "-c", '"$@" || [ $? = 1 ]', "run", *command(file, report, *run)]
        timed(red_is_fine, cwd=folder, more={"PYTHONPATH": paths})
        said = json.loads((report / "report.json").read_text("utf-8"))["reports"]
    for result in (r for each in said for r in each["record"]["results"]):
        if result["case"]["name"] == "batching":
            return result["verdict"]["outcome"], result["verdict"]["reason"]
    raise NotMeasured("no batch gate ran")


def gates() -> list[str]:
    """A row per sound engine and file, and per planted defect."""
    q4, folder = models.gguf("q4_1"), models.safetensors()
    file = Asked(path=q4, format="gguf", quantization="q4_1", mode="fast", count=COUNT)
    tree = Asked(path=folder, format="safetensors", quantization="f32", mode="fast", count=COUNT)
    sound = {
        f"llama.cpp, {q}": replace(file, path=models.gguf(q), quantization=q)
        for q in models.QUANTISATIONS
    }
    sound |= {f"transformers, {q}": replace(tree, quantization=q) for q in ("f32", "bf16")}
    rows = ["| batches | verdict | what it says |", "|---|---|---|"]
    rows += [_row(name, *gate(asked)) for name, asked in sound.items()]
    for engine, what in PLANTED.items():
        asked = tree if engine == "gapped" else file
        rows.append(_row(f"planted: {what}", *gate(asked, engine)))
    return rows


def layouts() -> list[str]:
    """Of each file, how many texts of a batch are those of one sequence, by cache layout."""
    rows = ["| file | one stream per sequence | one unified cache |", "|---|---:|---:|"]
    for quantisation in models.QUANTISATIONS:
        path = models.gguf(quantisation)
        texts: Mapping[str, list[str]] = {
            name: module(
                "bare_llamacpp", model=path, layout=layout, sequences=count, count=COUNT, threads=2
            )["texts"]
            for name, layout, count in (
                ("alone", "streams", 1),
                ("streams", "streams", SEQUENCES),
                ("unified", "unified", SEQUENCES),
            )
        }
        equal = [
            sum(a == b for a, b in zip(texts["alone"], texts[layout], strict=True))
            for layout in ("streams", "unified")
        ]
        rows.append(f"| {quantisation} | " + " | ".join(f"{n} of {COUNT}" for n in equal) + " |")
    return rows


def _row(name: str, outcome: str, reason: str) -> str:
    print(f"  {name}: {outcome}", file=sys.stderr, flush=True)
    return f"| {name} | {outcome} | " + re.sub(r"\s+", " ", reason).replace("|", "\\|") + " |"


def main() -> int:
    """Measure and write."""
    use_two_cores()
    page = PAGE.read_text("utf-8")
    for name, part in {"gates": gates, "layouts": layouts}.items():
        page = with_section(page, name, f"{described()}\n" + "\n".join(part()))
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
