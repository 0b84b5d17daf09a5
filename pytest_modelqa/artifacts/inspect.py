"""Static inspection: a sound header, and a configuration that agrees with the tensors.

Header findings make a file `unsafe`: no native loader sees it. The rest is the claim of gateway G0.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pytest_modelqa.artifacts import gguf, safetensors
from pytest_modelqa.artifacts.lint import lint_folder, lint_gguf
from pytest_modelqa.artifacts.values import Values, row_peaks
from pytest_modelqa.core.answer import Finding, Inspection

_EMBEDDINGS = ("token_embd.weight", "model.embed_tokens.weight")
_OUTLIER = 100.0
"""A row this many times the median row is a defect; SmolLM2's largest is 2.9 times its median."""

_MAX_FINDINGS = 100
_MAX_TEXT = 300


def inspect(path: Path, form: str) -> Inspection:
    """Inspect an artifact of format gguf or safetensors; bad files give findings, no exception.

    Names in a file are its author's: they come out short, on one line, and printable. Beyond 100
    findings the rest is counted in a last one, of code MORE.
    """
    try:
        if form == "gguf":
            return _bounded(_gguf(path))
        if form == "safetensors":
            return _bounded(_safetensors(path))
    except OSError as error:
        return _failed(form, Finding(code="IO", where=path.name, message=str(error)))
    return _failed(form, Finding(code="FORMAT", where=path.name, message=f"no reader for {form}"))


def _bounded(seen: Inspection) -> Inspection:
    findings = [
        replace(f, where=_printable(f.where), message=_printable(f.message))
        for f in seen.findings[:_MAX_FINDINGS]
    ]
    if more := len(seen.findings) - len(findings):
        findings.append(_finding("MORE", "file", f"{more:,} more findings of this file", -1))
    return replace(seen, architecture=_printable(seen.architecture), findings=tuple(findings))


def _printable(text: str) -> str:
    short = text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)


def _gguf(path: Path) -> Inspection:
    header = gguf.read(path)
    findings = list(header.findings)
    checked = header.checked
    if not findings:
        facts, found = lint_gguf(header)
        places = [(t.name, t.type, path, t.offset, t.bytes, t.shape[-1]) for t in header.tensors]
        scanned, dead = _scan(places)
        findings, checked = found + dead, checked + facts + scanned
    return Inspection(
        format="gguf",
        architecture=str(header.metadata.get("general.architecture", "")),
        tensors=len(header.tensors),
        parameters=sum(t.weights for t in header.tensors),
        checked=checked,
        findings=tuple(findings),
        unsafe=bool(header.findings),
    )


def _safetensors(folder: Path) -> Inspection:
    header = safetensors.read_folder(folder)
    findings = list(header.findings)
    checked = header.checked
    architecture = ""
    if not findings:
        architecture, facts, found = lint_folder(folder, header)
        places = [
            (t.name, t.type, t.file, t.offset, t.bytes, (t.shape or (1,))[0])
            for t in header.tensors
        ]
        scanned, dead = _scan(places)
        findings, checked = found + dead, checked + facts + scanned
    return Inspection(
        format="safetensors",
        architecture=architecture,
        tensors=len(header.tensors),
        parameters=sum(t.bytes // safetensors.DTYPES[t.type] for t in header.tensors),
        checked=checked,
        findings=tuple(findings),
        unsafe=bool(header.findings),
    )


def _scan(places: list[tuple[str, str, Path, int, int, int]]) -> tuple[int, list[Finding]]:
    """How many tensors were scanned, and what is wrong with their values."""
    findings = []
    scanned = 0
    mapped: dict[Path, Values] = {}
    for name, kind, file, offset, count, rows in places:
        values = mapped.get(file) or mapped.setdefault(file, Values(file))
        if not count or (seen := values.scan(kind, offset, count)) is None:
            continue
        scanned += 1
        bad, dead = seen
        if bad:
            message = f"{bad:,} values are not finite (NaN or Inf)"
            findings.append(_finding("TENSOR-NONFINITE", name, message, offset))
        elif dead and not name.endswith("bias"):
            findings.append(_finding("TENSOR-ZERO", name, "all values are zero", offset))
        elif name in _EMBEDDINGS:
            findings += _outlier_rows(name, kind, file, offset, count, rows)
    return scanned, findings


def _outlier_rows(
    name: str, kind: str, file: Path, offset: int, count: int, rows: int
) -> list[Finding]:
    """A row that dwarfs all others decides every token: a flood of PAD, or of nothing."""
    peaks = row_peaks(file, kind, offset, count, rows)
    if peaks is None or not (used := peaks[peaks > 0]).size:
        return []
    typical = float(np.median(used))
    return [
        _finding(
            "TENSOR-OUTLIER-ROW",
            name,
            f"row {row} is {peaks[row] / typical:.0f} times as large as the median row",
            offset + row * (count // rows),
        )
        for row in np.flatnonzero(peaks > _OUTLIER * typical)[:10].tolist()
    ]


def _failed(form: str, finding: Finding) -> Inspection:
    return Inspection(
        format=form,
        architecture="",
        tensors=0,
        parameters=0,
        checked=1,
        findings=(finding,),
        unsafe=True,
    )


def _finding(code: str, where: str, message: str, offset: int) -> Finding:
    return Finding(code=code, where=where, message=message, offset=offset)
