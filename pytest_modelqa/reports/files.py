"""Reports as files: one folder, fixed names, written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_modelqa.core.errors import OutputError
from pytest_modelqa.core.score import Judged
from pytest_modelqa.reports.json_report import to_json
from pytest_modelqa.reports.junit import junit_xml


def write_reports(folder: Path, judged: Sequence[Judged]) -> dict[str, Path]:
    """Write report.json and junit.xml; their paths by kind, the evidence's folder among them."""
    json_file, junit_file = folder / "report.json", folder / "junit.xml"
    write_text(json_file, to_json(judged))
    write_text(junit_file, junit_xml(judged))
    return {"report": json_file, "junit": junit_file, "evidence": folder}


def write_text(file: Path, text: str) -> None:
    """Replace the file's content in one step. Raises OutputError."""
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    except OSError as error:
        raise OutputError(
            f"cannot write the report: {error.strerror or error}",
            where=str(file),
            remedy="choose another folder",
        ) from error
