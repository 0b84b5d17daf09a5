"""Tables of measured numbers: printed, and written as JSON and Markdown."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

Row = dict[str, str | int | float | bool | None]


class Tables:
    """Rows under the name of their table, in the order in which they came."""

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = defaultdict(list)

    def add(self, table: str, row: Row) -> None:
        """Add a row; all rows of a table have the same keys."""
        self._rows[table].append(row)

    def names(self) -> list[str]:
        """The tables that have a row."""
        return sorted(self._rows)

    def text(self, table: str) -> str:
        """The table in columns, as wide as their widest cell."""
        lines = self._cells(table)
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "".join(_columns(line, widths) + "\n" for line in lines)

    def write(self, folder: Path) -> list[Path]:
        """Write every table to the folder; NaN and infinity are text in JSON, which has neither."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name in self.names():
            data = folder / f"{name}.json"
            rows = [{k: _plain(v) for k, v in row.items()} for row in self._rows[name]]
            data.write_text(json.dumps({"table": name, "rows": rows}, indent=1) + "\n")
            page = folder / f"{name}.md"
            page.write_text(f"# {name.replace('_', ' ')}\n\n{self._markdown(name)}")
            written += [data, page]
        return written

    def _markdown(self, table: str) -> str:
        head, *body = self._cells(table)
        lines = (head, ["---"] * len(head), *body)
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def _cells(self, table: str) -> list[list[str]]:
        rows = self._rows[table]
        return [list(rows[0]), *([_cell(value) for value in row.values()] for row in rows)]


def _columns(line: Iterable[str], widths: Iterable[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()


def _cell(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    return "-" if value is None else str(value)


def _plain(value: str | float | bool | None) -> str | float | bool | None:
    is_number = isinstance(value, float) and value - value == 0
    return value if is_number or not isinstance(value, float) else str(value)
