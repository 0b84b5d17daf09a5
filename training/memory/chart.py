"""Plans as bars, one an approach, cut into their parts: on the terminal, and as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from rich.table import Table

from training.memory.plan import MemoryPlan

COLOURS = {
    "weights": "#4477aa",
    "scales": "#66ccee",
    "adapters": "#228833",
    "optimizer": "#ccbb44",
    "gradients": "#ee6677",
    "activations": "#aa3377",
    "logits": "#bbbbbb",
    "workspace": "#777777",
}
"""Of every part; Paul Tol's bright scheme, which is told apart without red or green too."""

_LETTERS = {part: part[0] for part in COLOURS} | {"adapters": "A", "workspace": "k"}
"""What a bar is made of where there is no colour."""

_LABEL, _BAR, _ROW, _LEGEND = 110, 560, 34, 26
_WIDTH = _LABEL + _BAR + 110


def size(count: int) -> str:
    """Bytes for a person, cut, never rounded; GB are 10**9 bytes, as Hugging Face counts."""
    for unit, factor in (("PB", 10**15), ("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if count >= factor:
            whole, rest = divmod(count, factor)
            return f"{whole:,}.{100 * rest // factor:02} {unit}"
    return f"{count:,} B"


class Bar:
    """The parts of a plan, side by side; `longest` bytes fill the width."""

    def __init__(self, plan: MemoryPlan, longest: int) -> None:
        self.plan = plan
        self.longest = longest

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Cells of each part's colour; a letter, so that a log without colours shows it too."""
        for part, cells in lengths(self.plan.parts, self.longest, options.max_width).items():
            style = Style(color="black", bgcolor=COLOURS[part])
            yield Segment(_LETTERS[part] * cells, style)


def lengths(parts: Mapping[str, int], longest: int, width: int) -> dict[str, int]:
    """How many of `width` cells each part gets: sums are rounded, so the whole is rounded once."""
    cells, done, drawn = {}, 0, 0
    for part, count in parts.items():
        done += count
        cells[part] = (2 * done * width + longest) // (2 * longest) - drawn
        drawn += cells[part]
    return cells


def table(plans: Mapping[str, MemoryPlan]) -> Table:
    """A row and a bar for every plan."""
    longest = max(plan.total_bytes for plan in plans.values())
    made = Table("approach", "total", "peak", "", box=None, pad_edge=False, expand=True)
    made.columns[3].ratio = 1
    for name, plan in plans.items():
        made.add_row(name, size(plan.total_bytes), size(plan.peak_bytes), Bar(plan, longest))
    return made


def legend() -> str:
    """The letters of a bar."""
    return "  ".join(f"{letter} {part}" for part, letter in _LETTERS.items())


def svg(title: str, plans: Mapping[str, MemoryPlan]) -> str:
    """The bars as an SVG image: text and rectangles, no script, readable on white and on black."""
    longest = max(plan.total_bytes for plan in plans.values())
    bars = [_svg_bar(row, name, plan, longest) for row, (name, plan) in enumerate(plans.items())]
    height = _LEGEND * 2 + _ROW * len(plans) + _LEGEND
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
            f"<title>{escape(title)}</title>",
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            f'<text x="8" y="18" font-size="14">{escape(title)}</text>',
            *bars,
            _svg_legend(height - 12),
            "</svg>\n",
        )
    )


def _svg_bar(row: int, name: str, plan: MemoryPlan, longest: int) -> str:
    top = _LEGEND + row * _ROW + 8
    drawn = _LABEL
    parts = [f'<text x="8" y="{top + 16}">{escape(name)}</text>']
    for part, length in lengths(plan.parts, longest, _BAR).items():
        said = f"{part}: {size(plan.parts[part])}"
        parts.append(
            f'<rect x="{drawn}" y="{top}" width="{length}" height="22" fill="{COLOURS[part]}">'
            f"<title>{said}</title></rect>"
        )
        drawn += length
    parts.append(f'<text x="{drawn + 6}" y="{top + 16}">{size(plan.total_bytes)}</text>')
    return "\n".join(parts)


def _svg_legend(bottom: int) -> str:
    step = (_WIDTH - 16) // len(COLOURS)
    return "\n".join(
        f'<rect x="{8 + i * step}" y="{bottom - 10}" width="10" height="10" fill="{colour}"/>'
        f'<text x="{22 + i * step}" y="{bottom}" font-size="11">{part}</text>'
        for i, (part, colour) in enumerate(COLOURS.items())
    )
