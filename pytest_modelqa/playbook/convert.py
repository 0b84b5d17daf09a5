"""Validated documents to the frozen values that the rest of the house knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_modelqa.core.check import Severity
from pytest_modelqa.core.model import ArtifactSpec, Format
from pytest_modelqa.playbook.blocks import CATEGORIES, Expectations, enabled_blocks
from pytest_modelqa.playbook.gates import USUAL_GATES, default_gate
from pytest_modelqa.playbook.positions import Key
from pytest_modelqa.playbook.schema import ArtifactDoc, MatrixDoc, ModelDoc, PlaybookDoc
from pytest_modelqa.playbook.values import Block, Limits, Matrix, Model

DEFAULT_QUANTIZATION: Mapping[Format, str] = {
    "gguf": "q4_k_m",
    "safetensors": "f32",
    "apr": "q4_k_m",
    "adapter": "f32",
}
"""Where neither the matrix nor an artifact says: what most GGUF files are, and the safe float."""

Folder = Callable[[tuple[Key, ...]], Path]
"""Tells the folder of the file in which a key stands: `file:` sources are relative to it."""


def format_of_source(source: str) -> Format:
    """What a source without a declared format holds: by suffix, else a safetensors folder."""
    suffix = source.rpartition(".")[2].lower()
    if suffix == "gguf":
        return "gguf"
    return "apr" if suffix == "apr" else "safetensors"


def model(doc: PlaybookDoc, folder: Folder) -> Model:
    """The model with its artifacts: sources resolved, hashes in lower case."""
    return Model(
        id=doc.model.id,
        revision=doc.model.revision or "",
        artifacts=tuple(_artifacts(doc.model, doc.test_matrix, folder)),
        reference=doc.model.reference or "",
    )


def _artifacts(model: ModelDoc, matrix: MatrixDoc, folder: Folder) -> Iterator[ArtifactSpec]:
    default = model.source or ""
    if default and not model.artifacts:
        form = format_of_source(default)
        quantization = _given(matrix, form) or (DEFAULT_QUANTIZATION[form],)
        only = ArtifactDoc.model_construct(format=form, quantization=quantization[0])
        yield _artifact(model, only, resolved(default, folder(("model", "source"))))
    for i, doc in enumerate(model.artifacts):
        if doc.source:
            source = resolved(doc.source, folder(("model", "artifacts", i, "source")))
        else:
            source = resolved(default, folder(("model", "source")))
        yield _artifact(model, doc, source)


def _artifact(model: ModelDoc, doc: ArtifactDoc, source: str) -> ArtifactSpec:
    return ArtifactSpec(
        model=model.id,
        format=doc.format,
        quantization=doc.quantization,
        source=source,
        revision=_revision(model, doc, source),
        sha256=(doc.sha256 or "").lower(),
        engine=doc.engine or "",
    )


def _revision(model: ModelDoc, doc: ArtifactDoc, source: str) -> str:
    """The model's own revision means nothing in another repository, such as one of GGUF files."""
    if not source.startswith("hf:"):
        return ""
    own = source.split(":")[1] == model.id
    return doc.revision or (model.revision if own else None) or "main"


def resolved(source: str, folder: Path) -> str:
    """`file:x.gguf` as `file:/absolute/x.gguf`; other sources as they are."""
    if not source.startswith("file:"):
        return source
    path = Path(source.removeprefix("file:")).expanduser()
    return f"file:{(folder / path).resolve()}"


def matrix(doc: MatrixDoc, artifacts: tuple[ArtifactSpec, ...]) -> Matrix:
    """The lists of the product, with quantizations for every format."""
    return Matrix(
        modalities=doc.modalities,
        backends=doc.backends,
        formats=doc.formats,
        quantizations={
            form: _given(doc, form) or _of_artifacts(artifacts, form) for form in doc.formats
        },
    )


def _given(doc: MatrixDoc, form: Format) -> tuple[str, ...]:
    if isinstance(doc.quantizations, dict):
        return doc.quantizations.get(form, ())
    return doc.quantizations or ()


def _of_artifacts(artifacts: tuple[ArtifactSpec, ...], form: Format) -> tuple[str, ...]:
    declared = tuple(a.quantization for a in artifacts if a.format == form)
    return declared or (DEFAULT_QUANTIZATION[form],)


def disabled_gates(doc: PlaybookDoc) -> frozenset[str]:
    """Gates that the playbook turns off."""
    return frozenset(gate for gate, body in doc.gates.items() if not body.enabled)


def severities(doc: PlaybookDoc) -> dict[str, Severity]:
    """What the playbook declares; gates that it does not grade keep their default."""
    return {gate: body.severity for gate, body in doc.gates.items() if body.severity}


def blocks(doc: PlaybookDoc) -> Iterator[Block]:
    """Enabled blocks, without gates that are turned off; expected sizes are a block too."""
    off = disabled_gates(doc)
    for block in (*enabled_blocks(doc), *_expectations(doc.model)):
        kept = tuple(g for g in block.gates if g not in off)
        named = block.gates or USUAL_GATES.get(block.name, (default_gate(block.name),))
        if set(named) - off:
            yield Block(
                name=block.name, gates=kept, category=block.category, parameters=block.parameters
            )


def _expectations(doc: ModelDoc) -> Iterator[Block]:
    sizes: dict[str, Any] = {
        name: size for name in Expectations.model_fields if (size := getattr(doc, name)) is not None
    }
    if sizes:
        name = "model_expectations"
        yield Block(name=name, gates=(), category=CATEGORIES[name], parameters=sizes)


def limits(doc: PlaybookDoc) -> Limits:
    """Bounds of the run."""
    return Limits(**doc.limits.model_dump())
