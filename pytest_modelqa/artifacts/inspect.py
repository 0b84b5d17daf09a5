"""Static inspection: a sound header, and a configuration that agrees with the tensors.

Header findings make a file `unsafe`: no native loader sees it. The rest is the claim of gateway G0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from pytest_modelqa.artifacts import adapter, apr, gguf, safetensors
from pytest_modelqa.artifacts.fingerprint import Place
from pytest_modelqa.artifacts.formats import recognise
from pytest_modelqa.artifacts.lint import lint_apr, lint_folder, lint_gguf
from pytest_modelqa.artifacts.mix import Mix, mix_of
from pytest_modelqa.artifacts.values import Values, row_peaks
from pytest_modelqa.core.answer import Finding, Inspection

T = TypeVar("T")

_EMBEDDINGS = ("token_embd.weight", "model.embed_tokens.weight")
_OUTLIER = 100.0
"""A row this many times the median row is a defect; SmolLM2's largest is 2.9 times its median."""

_MAX_FINDINGS = 100
_MAX_TEXT = 300


class Model(NamedTuple):
    """What an inspection saw, and where the tensors lie: for statistics and fingerprints."""

    seen: Inspection
    places: tuple[Place, ...]
    mix: Mix | None = None


def inspect(path: Path, form: str) -> Inspection:
    """Inspect an artifact of a format; bad files give findings.

    Names in a file are its author's: they come out short, on one line, and printable. Errors come
    before warnings. Beyond 100 findings the rest is counted in a last one, of code MORE.
    """
    return model(path, form).seen


def model(path: Path, form: str = "") -> Model:
    """Inspect an artifact, by its content where no format is named."""
    readers = {"gguf": _gguf, "safetensors": _safetensors, "apr": _apr, "adapter": _adapter}
    try:
        form = form or recognise(path)
        if form in readers:
            made = readers[form](path)
            return made._replace(seen=_bounded(made.seen))
    except OSError as error:
        return Model(_failed(form, Finding(code="IO", where=path.name, message=str(error))), ())
    code, message = "FORMAT", f"no reader for {form or 'what it holds'}"
    if form == "pickle":
        code, message = "PICKLE", "a pickle runs code when it is opened; safetensors is needed"
    return Model(_failed(form, Finding(code=code, where=path.name, message=message, offset=0)), ())


def _bounded(seen: Inspection) -> Inspection:
    ordered = sorted(seen.findings, key=lambda f: f.severity != "error")
    findings = [
        replace(f, where=_printable(f.where), message=_printable(f.message))
        for f in ordered[:_MAX_FINDINGS]
    ]
    if more := len(seen.findings) - len(findings):
        findings.append(_finding("MORE", "file", f"{more:,} more findings of this file", -1))
    return replace(seen, architecture=_printable(seen.architecture), findings=tuple(findings))


def _printable(text: str) -> str:
    short = text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in short)


def _unsafe(findings: Sequence[Finding]) -> bool:
    return any(f.severity == "error" for f in findings)


def _gguf(path: Path) -> Model:
    header = gguf.read(path)
    findings = list(header.findings)
    checked = header.checked
    places = tuple(
        Place(t.name, t.type, tuple(reversed(t.shape)), path, t.offset, t.bytes)
        for t in header.tensors
    )
    if not findings:
        (facts, found), (scanned, dead) = _both(lambda: lint_gguf(header), places)
        findings, checked = found + dead, checked + facts + scanned
    seen = Inspection(
        format="gguf",
        architecture=str(header.metadata.get("general.architecture", "")),
        tensors=len(header.tensors),
        parameters=sum(t.weights for t in header.tensors),
        checked=checked,
        findings=tuple(findings),
        unsafe=_unsafe(header.findings),
    )
    return Model(seen, places, mix_of(header.tensors, header.metadata.get("general.file_type")))


def _safetensors(path: Path) -> Model:
    """A folder, or with `model.safetensors` inside its folder, all of it; else one file alone."""
    whole = path.is_dir()
    header = safetensors.read_folder(path) if whole else safetensors.read_file(path)
    findings = list(header.findings)
    checked = header.checked
    architecture = ""
    places = tuple(
        Place(t.name, t.type, t.shape, t.file, t.offset, t.bytes) for t in header.tensors
    )
    if not findings:
        lint = (lambda: lint_folder(path, header)) if whole else (lambda: ("", 0, []))
        (architecture, facts, found), (scanned, dead) = _both(lint, places)
        findings, checked = found + dead, checked + facts + scanned
    seen = Inspection(
        format="safetensors",
        architecture=architecture,
        tensors=len(header.tensors),
        parameters=sum(t.bytes // safetensors.DTYPES[t.type] for t in header.tensors),
        checked=checked,
        findings=tuple(findings),
        unsafe=_unsafe(header.findings),
    )
    return Model(seen, places)


def _adapter(path: Path) -> Model:
    """The adapter's own tensors, and the base's header."""
    header = adapter.read(path)
    places = tuple(
        Place(t.name, t.type, t.shape, t.file, t.offset, t.bytes) for t in header.tensors
    )
    findings, checked = list(header.findings), header.checked
    if not findings:
        scanned, dead = _scan(places)
        findings, checked = dead, checked + scanned
    seen = Inspection(
        format="adapter",
        architecture="lora",
        tensors=len(header.tensors),
        parameters=sum(t.bytes // safetensors.DTYPES[t.type] for t in header.tensors),
        checked=checked,
        findings=tuple(findings),
        unsafe=_unsafe(header.findings),
    )
    return Model(seen, places)


def _apr(path: Path) -> Model:
    header = apr.read(path)
    findings = list(header.findings)
    checked = header.checked
    places = tuple(Place(t.name, t.type, t.shape, path, t.offset, t.bytes) for t in header.tensors)
    if not _unsafe(findings):
        (facts, found), (scanned, dead) = _both(lambda: lint_apr(header), places)
        findings, checked = findings + found + dead, checked + facts + scanned
    seen = Inspection(
        format="apr",
        architecture=str(header.metadata.get("architecture") or ""),
        tensors=len(header.tensors),
        parameters=sum(t.weights for t in header.tensors),
        checked=checked,
        findings=tuple(findings),
        unsafe=_unsafe(header.findings),
    )
    return Model(seen, places)


def _both(lint: Callable[[], T], places: Sequence[Place]) -> tuple[T, tuple[int, list[Finding]]]:
    """Lint while values are scanned: a chat template takes a process of its own, and waits."""
    with ThreadPoolExecutor(1) as other:
        linted = other.submit(lint)
        scanned = _scan(places)
        return linted.result(), scanned


def _scan(places: Sequence[Place]) -> tuple[int, list[Finding]]:
    """How many tensors were scanned, and what is wrong with their values."""
    findings = []
    scanned = 0
    mapped: dict[Path, Values] = {}
    for place in places:
        if not place.bytes:
            continue
        values = mapped.get(place.file) or mapped.setdefault(place.file, Values(place.file))
        if (seen := values.scan(place.type, place.offset, place.bytes)) is None:
            continue
        scanned += 1
        bad, dead = seen
        if bad:
            message = f"{bad:,} values are not finite (NaN or Inf)"
            findings.append(_finding("TENSOR-NONFINITE", place.name, message, place.offset))
        elif dead and not place.name.endswith("bias"):
            findings.append(
                _finding("TENSOR-ZERO", place.name, "all values are zero", place.offset)
            )
        elif place.name in _EMBEDDINGS:
            findings += _outlier_rows(place)
    return scanned, findings


def _outlier_rows(place: Place) -> list[Finding]:
    """A row that dwarfs all others decides every token: a flood of PAD, or of nothing."""
    stored = row_peaks(place.file, place.type, place.offset, place.bytes, place.rows)
    if stored is None:
        return []
    peaks = stored.astype(np.float64)  # a sum or a ratio of two float32 may leave float32
    if not (used := peaks[peaks > 0]).size:
        return []
    typical = float(np.median(used))
    return [
        _finding(
            "TENSOR-OUTLIER-ROW",
            place.name,
            f"row {row} is {peaks[row] / typical:.0f} times as large as the median row",
            place.offset + row * (place.bytes // place.rows),
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
