"""The layer trace as a picture: error by layer and sub-block, with the reference's noise beside it.

Two forms of the same: self-contained SVG (no script, no font, no link; colours for light and dark
pages) and a few lines for a terminal. Both are pure functions of a `TraceCompared`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from pytest_modelqa.core.comparison.trace import StageCompared, TraceCompared
from pytest_modelqa.core.stages import Block

FLOOR = 1e-8
"""The bottom of the logarithmic scale: below it float32 has nothing to say."""

CEILING = 10.0

_KINDS: tuple[tuple[str, tuple[Block, ...], str, str], ...] = (
    ("attention", ("value", "heads", "attention"), "#d1495b", "circle"),
    ("feed-forward", ("gate", "up", "inner", "ffn"), "#2a7fba", "square"),
    (
        "norms and sums",
        ("attention_norm", "attention_post_norm", "ffn_norm", "ffn_post_norm", "output",
         "final_norm"),
        "#3a9d5d", "diamond",
    ),
    ("embedding, logits", ("embedding", "logits"), "#b0761b", "triangle"),
)  # fmt: skip
"""Families of sub-blocks: name, members, colour, mark. Marks differ for who sees no colours."""

_LEFT, _TOP, _WIDTH, _HEIGHT, _BELOW = 64, 92, 820, 300, 52

_STYLE = """
.t{font:13px system-ui,sans-serif;fill:#333}.s{font-size:11px}.h{font-size:15px;font-weight:600}
.g{stroke:#888;stroke-opacity:.25;stroke-width:1}.e{fill:none;stroke:#777;stroke-width:2}
.n{fill:none;stroke:#999;stroke-width:1.5;stroke-dasharray:4 3}
.o{fill:none;stroke:#d1495b;stroke-width:2}.w{fill:#d1495b}
@media (prefers-color-scheme:dark){.t{fill:#ddd}.e{stroke:#aaa}.n{stroke:#888}.w{fill:#ff8fa0}}
"""


def svg(seen: TraceCompared, *, title: str, origin: StageCompared | None = None) -> str:
    """A figure of about 900 x 460; `origin` is ringed and named.

    Marks are each sub-block's own error, given the reference's input; the line is the error of the
    running model, the dashed line the reference's own noise. Errors beyond the scale, NaN among
    them, stand at its edge.
    """
    width, height = _LEFT + _WIDTH + 24, _TOP + _HEIGHT + _BELOW
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'width="{width}" height="{height}"><title>{escape(title)}</title><style>{_STYLE}</style>',
        _text(_LEFT, 24, title, "t h"),
        _text(_LEFT, 70, "marks: a sub-block's own error, given the reference's input", "t s"),
        *_legend(),
        *_grid(seen.stages),
        _line("n", [s.noise for s in seen.stages]),
        _line("e", [s.error for s in seen.stages]),
        *_marks(seen.stages),
        *_ring(seen.stages, origin),
        "</svg>",
    ]
    return "\n".join(parts)


def terminal(seen: TraceCompared, *, origin: StageCompared | None = None, columns: int = 80) -> str:
    """Each layer's largest own error as a bar, and what the running model's error is after it.

    The bars are logarithmic, from a tenth of the smallest of them; the origin's layer is marked.
    """
    rows = [
        (name, max(stages, key=lambda s: _log(s.own)), stages[-1])
        for name, stages in _layers(seen.stages)
    ]
    low = min((_log(largest.own) for _, largest, _ in rows if largest.layer >= 0), default=0.0) - 1
    room = max(8, columns - 67)
    lines = [f"{'layer':>10} {'own':>8}  {'largest in':<19} {'running':>8} {'noise':>8}"]
    for name, largest, last in rows:
        share = (_log(largest.own) - low) / (math.log10(CEILING) - low)
        mark = " < origin" if origin and _same(largest, origin) else ""
        lines.append(
            f"{name:>10} {largest.own:8.1e}  {largest.block:<19} {last.error:8.1e} "
            f"{last.noise:8.1e} {_bar(share, room)}{mark}"
        )
    return "\n".join(lines)


def _layers(stages: Iterable[StageCompared]) -> Iterator[tuple[str, list[StageCompared]]]:
    """Stages by layer; those outside of layers by their names."""
    rows: dict[str, list[StageCompared]] = {}
    for stage in stages:
        name = str(stage.layer) if stage.layer >= 0 else stage.block
        rows.setdefault(name, []).append(stage)
    yield from rows.items()


def _bar(share: float, room: int) -> str:
    """Eighths of a character."""
    eighths: int = round(max(0.0, min(1.0, share)) * room * 8)
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def _log(error: float) -> float:
    """Decades, within the scale; NaN is at the top."""
    if math.isnan(error):
        return math.log10(CEILING)
    return math.log10(min(CEILING, max(FLOOR, error)))


def _y(error: float) -> float:
    low, high = math.log10(FLOOR), math.log10(CEILING)
    return _TOP + _HEIGHT * (1 - (_log(error) - low) / (high - low))


def _x(index: int, count: int) -> float:
    return _LEFT + _WIDTH * (index + 0.5) / max(1, count)


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}"'
    return f'<text {place} class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'


def _legend() -> Iterator[str]:
    x = float(_LEFT)
    for name, _, colour, mark in _KINDS:
        yield _mark(mark, x + 6, 46, colour, name)
        yield _text(x + 16, 50, name, "t s")
        x += 36 + 6.3 * len(name)
    for kind, name in (("e", "running model"), ("n", "reference's noise")):
        yield f'<path class="{kind}" d="M{x:.1f} 46h22"/>'
        yield _text(x + 28, 50, name, "t s")
        x += 46 + 6.3 * len(name)


def _grid(stages: Sequence[StageCompared]) -> Iterator[str]:
    for decade in range(round(math.log10(FLOOR)), round(math.log10(CEILING)) + 1):
        y = _y(math.pow(10, decade))
        yield f'<path class="g" d="M{_LEFT} {y:.1f}h{_WIDTH}"/>'
        words = {1: "1000 %", 0: "100 %", -1: "10 %", -2: "1 %", -3: "0.1 %", -4: "0.01 %"}.get(
            decade, f"1e{decade}"
        )
        yield _text(_LEFT - 8, y + 4, words, "t s", "end")
    starts = [i for i, s in enumerate(stages) if not i or s.layer != stages[i - 1].layer]
    layers = sum(s.layer >= 0 for s in (stages[i] for i in starts))
    every = next(step for step in (1, 2, 5, 10, 20, 50, 100) if layers <= 20 * step)
    for start, end in zip(starts, [*starts[1:], len(stages)], strict=True):
        layer = stages[start].layer
        if layer >= 0 and layer % every == 0:
            x = _LEFT + _WIDTH * start / len(stages)
            yield f'<path class="g" d="M{x:.1f} {_TOP}v{_HEIGHT}"/>'
            middle = (_x(start, len(stages)) + _x(end - 1, len(stages))) / 2
            yield _text(middle, _TOP + _HEIGHT + 18, str(layer), "t s", "middle")
    yield _text(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 38, "layer", "t s", "middle")
    yield _text(8, _TOP - 12, "error", "t s")


def _line(kind: str, errors: Sequence[float]) -> str:
    points = " ".join(f"{_x(i, len(errors)):.1f},{_y(e):.1f}" for i, e in enumerate(errors))
    return f'<polyline class="{kind}" points="{points}"/>'


def _marks(stages: Sequence[StageCompared]) -> Iterator[str]:
    for i, stage in enumerate(stages):
        name, _, colour, mark = next(k for k in _KINDS if stage.block in k[1])
        where = f"layer {stage.layer}, " if stage.layer >= 0 else ""
        told = f"{where}{stage.block} ({name}): own {stage.own:.2e}, running {stage.error:.2e}"
        yield _mark(mark, _x(i, len(stages)), _y(stage.own), colour, told)


def _mark(mark: str, x: float, y: float, colour: str, told: str) -> str:
    path = {
        "circle": "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0",
        "square": "m-3 -3h6v6h-6z",
        "diamond": "m0 -4l4 4l-4 4l-4 -4z",
        "triangle": "m0 -4.5l4.5 8h-9z",
    }[mark]
    title = f"<title>{escape(told)}</title>"
    return f'<path d="M{x:.1f} {y:.1f}{path}" fill="{colour}" fill-opacity=".85">{title}</path>'


def _ring(stages: Sequence[StageCompared], origin: StageCompared | None) -> Iterator[str]:
    found = [i for i, s in enumerate(stages) if origin and _same(s, origin)]
    if not origin or not found:
        return
    x, y = _x(found[0], len(stages)), _y(origin.own)
    where = f"layer {origin.layer} " if origin.layer >= 0 else ""
    yield f'<circle class="o" cx="{x:.1f}" cy="{y:.1f}" r="8"/>'
    right = x > _LEFT + _WIDTH * 0.7
    words = f"origin: {where}{origin.block}, {origin.own:.2g}"
    yield _text(x - 14 if right else x + 14, y - 4, words, "t w", "end" if right else "start")


def _same(a: StageCompared, b: StageCompared) -> bool:
    return (a.block, a.layer) == (b.block, b.layer)
