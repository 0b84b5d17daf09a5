"""A page of text for a terminal: headings, sentences, tables, and lines to copy.

Plain text is pure ASCII without trailing space; what is to be copied is never wrapped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO

from rich.console import Console
from rich.text import Text

from pytest_modelqa.reports.summary import NOT_RUN
from pytest_modelqa.reports.text import ascii_only, printable


class Page:
    """A console that prints to a string, in the few ways that this report needs."""

    def __init__(self, width: int, color: bool) -> None:
        self._plain = not color
        self._console = Console(
            file=StringIO(),
            width=width,
            force_terminal=color,
            color_system="standard" if color else None,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def text(self) -> str:
        """All that was written, without a newline at its end."""
        file = self._console.file
        assert isinstance(file, StringIO)
        lines = file.getvalue().splitlines()
        return "\n".join(line.rstrip() if self._plain else line for line in lines)

    def safe(self, text: str, style: str = "") -> Text:
        """Text of a model or file, made harmless."""
        shown = printable(text)
        return Text(ascii_only(shown) if self._plain else shown, style=style)

    def heading(self, text: str) -> None:
        """A new section."""
        self._console.print()
        self._console.print(self.safe(text, "bold"))

    def line(self, text: str, style: str = "", *, indent: int = 2, mark: str = "") -> None:
        """A sentence, wrapped to the page; `mark` stands before its first line."""
        room = self._console.width - indent - len(mark)
        for number, part in enumerate(self.safe(text, style).wrap(self._console, room)):
            part.rstrip()
            lead = " " * len(mark) if number else mark
            line = Text(" " * indent + lead, style=style).append_text(part)
            self._console.print(line, soft_wrap=True)

    def whole(self, *parts: tuple[str, str], indent: int = 2) -> None:
        """Text and style pairs on one line, however long: something to copy."""
        line = Text(" " * indent)
        for text, style in parts:
            line.append_text(self.safe(text, style))
        self._console.print(line, soft_wrap=True)

    def columns(
        self, rows: Sequence[Sequence[str]], header: Sequence[str] = (), right: Iterable[int] = ()
    ) -> None:
        """A table without lines; each row stays on one line, and cells tell their own colour."""
        lines = [*([header] if header else []), *rows]
        shown = [[self.safe(cell, _style(cell)) for cell in line] for line in lines]
        widths = [max(cell.cell_len for cell in column) for column in zip(*shown, strict=True)]
        to_the_right = set(right)
        for number, cells in enumerate(shown):
            for i, cell in enumerate(cells):
                cell.align("right" if i in to_the_right else "left", widths[i])
            row = Text("  ").join(cells)
            row.stylize("dim" if header and number == 0 else "")
            self._console.print(Text("  ").append_text(row), soft_wrap=True)


def _style(cell: str) -> str:
    if cell in ("FALSIFIED", "CRASHED", "TIMEOUT", "NOT PINNED", "BLOCKED"):
        return "bold red"
    if cell in ("unclear", "unavail.", "below", NOT_RUN):
        return "yellow"
    return "green" if cell in ("ok", "pinned", "cleared") else ""
