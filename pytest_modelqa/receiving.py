"""What a run that compared models leaves behind: a receipt and a figure of layers for each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_modelqa.checks.parity.origin import origins
from pytest_modelqa.core.comparison.trace import TraceCompared
from pytest_modelqa.core.receipt import Receipt
from pytest_modelqa.core.result import RunRecord
from pytest_modelqa.core.wire import decode_answer
from pytest_modelqa.plan import Plan
from pytest_modelqa.reports.files import write_text
from pytest_modelqa.reports.layers import svg
from pytest_modelqa.reports.receipts import described, receipts, write_receipts
from pytest_modelqa.runtime.provenance import commit

Line = Mapping[str, Any]


def received(
    folder: Path, plan: Plan, record: RunRecord, lines: Sequence[Line]
) -> dict[str, tuple[Receipt, dict[str, Path]]]:
    """Write them; each cell's receipt, and its files by kind. Raises OutputError.

    A cell whose artifacts are not those of the run any more gets none.
    """
    cases = [case for case in plan.cases if case.cell is not None]
    known = described(cases, plan.playbook.model.artifacts, plan.playbook.path.parent)
    made = receipts(record, cases, lines, known, commit())
    paths = write_receipts(folder, made)
    return {
        receipt.cell.id: (
            receipt,
            {"receipt": paths[receipt.cell.id], **_plotted(receipt, folder)},
        )
        for receipt in made
    }


def traced(receipt: Receipt) -> TraceCompared | None:
    """The layers that were compared, if they were."""
    answers = (decode_answer(e.answer) for e in receipt.exchanges)
    return next((a for a in answers if isinstance(a, TraceCompared)), None)


def _plotted(receipt: Receipt, folder: Path) -> dict[str, Path]:
    """The error of every layer as a figure beside the receipt."""
    seen = traced(receipt)
    if seen is None:
        return {}
    origin = next(iter(origins(seen)), None)
    sides = " against ".join(
        f"{side.format} {side.quantization}" for side in (receipt.candidate, receipt.reference)
    )
    title = f"{sides}: relative error of each layer"
    path = folder / f"layers-{receipt.cell.id}.svg"
    write_text(path, svg(seen, title=title, origin=origin.peak if origin else None))
    return {"layers": path}
