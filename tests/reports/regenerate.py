"""Write the committed schemas and samples anew: `python -m tests.reports.regenerate`.

Look at what changed before committing it: the tests only say whether the files are current.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest_modelqa
from pytest_modelqa.decision.judging import judged
from pytest_modelqa.reports.json_report import to_json
from pytest_modelqa.reports.schemas import evidence_schema, receipt_schema, report_schema
from pytest_modelqa.reports.terminal import render
from tests.reports.evidence_lines import jsonl
from tests.reports.records import mixed
from tests.reports.shipping_records import EVERY, blocked

SCHEMAS = Path(pytest_modelqa.__file__).with_name("schemas")
FOLDER = Path(__file__).with_name("samples")


def current() -> dict[Path, str]:
    """Every committed file, with what it should hold."""
    files = {
        SCHEMAS / "report.schema.json": json.dumps(report_schema(), indent=2) + "\n",
        SCHEMAS / "evidence.schema.json": json.dumps(evidence_schema(), indent=2) + "\n",
        SCHEMAS / "receipt.schema.json": json.dumps(receipt_schema(), indent=2) + "\n",
        FOLDER / "run.evidence.jsonl": jsonl(),
    }
    for name, make in EVERY.items():
        record = make()
        files[FOLDER / f"{name}.report.json"] = to_json([judged(record)])
    for name, record in (("mixed", mixed()), ("blocked", blocked())):
        text = render([judged(record)], {}, width=100, color=False)
        files[FOLDER / f"{name}.terminal.txt"] = text + "\n"
    return files


if __name__ == "__main__":
    for path, text in current().items():
        path.write_text(text, encoding="utf-8")
