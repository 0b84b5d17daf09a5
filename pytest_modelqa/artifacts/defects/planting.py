"""Making the copies: a change applied to an artifact, one or several in a row."""

from __future__ import annotations

from pathlib import Path

from pytest_modelqa.artifacts.defects.defect import Change, Defect, Inapplicable, Made
from pytest_modelqa.artifacts.defects.folder_edit import rewrite_folder, unmapped
from pytest_modelqa.artifacts.defects.gguf_edit import rewrite
from pytest_modelqa.artifacts.defects.subject import Subject, subject_of


def applicable(defect: Defect, subject: Subject) -> Change | Inapplicable:
    """The change that plants a defect in this artifact, or why none does."""
    change = defect.change(subject)
    if isinstance(change, Inapplicable) or subject.format == "gguf":
        return change
    if change.patch or change.order or change.alignment:
        return Inapplicable("it damages the bytes of a GGUF file")
    if key := unmapped(subject, change.metadata):
        return Inapplicable(f"{key} is GGUF's own")
    return change


def planted(subject: Subject, change: Change, folder: Path) -> Made:
    """A changed copy in an empty folder. Raises Refused, OSError."""
    if subject.format == "gguf":
        path = folder / "planted.gguf"
        keep = change.order or (lambda names: names)
        rewrite(
            subject.path,
            path,
            metadata=change.metadata,
            tensors=change.tensors,
            order=keep,
            alignment=change.alignment,
        )
        if change.patch:
            change.patch(path)
    else:
        path = folder / "planted"
        rewrite_folder(subject, path, change.metadata, change.tensors)
    return Made(path, subject.format, subject.quantization)


def planted_in_turn(subject: Subject, defects: list[Defect], folder: Path) -> Made | Inapplicable:
    """A copy with several defects, each planted into the result of the one before it."""
    made = Made(subject.path, subject.format, subject.quantization)
    for number, defect in enumerate(defects):
        now = subject_of(made.path)
        change = applicable(defect, now)
        if isinstance(change, Inapplicable):
            return Inapplicable(f"{defect.name}: {change.reason}")
        own = folder / str(number)
        own.mkdir()
        made = planted(now, change, own)
    return made
