"""Our two engines against the same libraries used bare and one prompt at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from benchmarks import models
from benchmarks.measuring import THREADS, Measured, NotMeasured, interleaved, module
from benchmarks.ours import Asked, ours
from benchmarks.table import Line, at_least, middle, ratio, why_not

LAYOUTS = ("streams", "unified")
SEQUENCES = (16, 32, 64)
BATCHES = (64, 100)
TRIED = 100
"""Prompts that each variant of a bare loop answers once before the best is chosen."""
FEW = 40
"""Prompts that transformers is asked one at a time: 200 would take minutes, at the same rate."""

Rows = dict[str, list[Measured]]
Way = Callable[[], Measured]


def llamacpp(count: int, repeats: int, quantisations: Sequence[str]) -> list[Line]:
    """Fast and exact mode on every file: `count` prompts, `repeats` times."""
    lines: list[Line] = []
    for quantisation in quantisations:
        print(f"llama.cpp, {quantisation}", file=sys.stderr)
        path = models.gguf(quantisation)
        bare = {
            f"{sequences} {layout}": partial(
                module,
                "bare_llamacpp",
                model=path,
                layout=layout,
                sequences=sequences,
                threads=THREADS,
            )
            for layout in LAYOUTS
            for sequences in SEQUENCES
            if sequences <= max(count, SEQUENCES[0])
        }
        asked = partial(Asked, path=path, format="gguf", quantization=quantisation, count=count)
        name = best_of(bare, count)
        rows = interleaved(
            {
                "bare": partial(bare[name], count=count),
                "fast": partial(ours, asked(mode="fast")),
                "exact": partial(ours, asked(mode="exact")),
                "single": partial(
                    module, "single_llamacpp", model=path, count=count, threads=THREADS
                ),
            },
            repeats,
        )
        lines += [*_rates(quantisation, rows, name), *_llamacpp_ratios(quantisation, rows)]
    return lines


def transformers(count: int, repeats: int, dtypes: Sequence[str]) -> list[Line]:
    """Fast mode on the dequantised folder, in float32 and bfloat16."""
    lines: list[Line] = []
    for dtype in dtypes:
        print(f"transformers, {dtype}", file=sys.stderr)
        path = models.safetensors()
        bare = partial(module, "bare_transformers", model=path, dtype=dtype, threads=THREADS)
        sizes = [b for b in BATCHES if b <= max(count, BATCHES[0])]
        batched = {f"batches of {b}": partial(bare, batch=b) for b in sizes}
        name = best_of(batched, count)
        asked = Asked(
            path=path,
            format="safetensors",
            quantization={"float32": "f32", "bfloat16": "bf16"}[dtype],
            mode="fast",
            count=count,
        )
        ways: dict[str, Way] = {
            "bare": partial(batched[name], count=count),
            "fast": partial(ours, asked),
            "single": partial(bare, batch=1, count=min(count, FEW)),
        }
        rows = interleaved(ways, repeats)
        label = f"transformers {dtype}"
        lines += [
            *_rates(label, rows, name),
            _ratio(f"{label}: fast over bare", rows, "fast", "bare", 0.90),
            _ratio(f"{label}: fast over one at a time", rows, "fast", "single", 5.0),
        ]
    return lines


def best_of(ways: Mapping[str, Callable[..., Measured]], count: int) -> str:
    """The way with the highest rate in one try each. Raises NotMeasured when none runs."""
    few = min(count, TRIED)
    rows = interleaved({name: partial(way, count=few) for name, way in ways.items()}, 1)
    ran = {name: _rate(row[0]) for name, row in rows.items() if "failed" not in row[0]}
    if not ran:
        raise NotMeasured(why_not([row[0] for row in rows.values()]))
    return max(ran, key=ran.__getitem__)


def _rate(row: Measured) -> float:
    """Tokens/s while answering, the model being loaded."""
    return float(row["tokens"] / row["answering_s"])


def _rated(rows: Sequence[Measured]) -> list[Measured]:
    return [r if "failed" in r else {**r, "rate": _rate(r)} for r in rows]


def _rates(label: str, rows: Rows, bare: str) -> list[Line]:
    names = {
        "bare": f"bare loop, {bare}",
        "fast": "ours, fast",
        "exact": "ours, exact",
        "single": "one at a time",
    }
    return [
        Line(
            what=f"{label}: {names[name]}",
            value=middle(_rated(taken), "rate"),
            unit="tokens/s",
            note=why_not(taken) or _seconds(taken),
        )
        for name, taken in rows.items()
    ]


def _seconds(rows: Sequence[Measured]) -> str:
    wall, answering = middle(rows, "wall_s"), middle(rows, "answering_s")
    return f"{answering:.1f} s of {wall:.1f} s from start to end"


def _llamacpp_ratios(label: str, rows: Rows) -> list[Line]:
    return [
        _ratio(f"{label}: fast over bare", rows, "fast", "bare", 0.90),
        _ratio(f"{label}: fast over one at a time", rows, "fast", "single", 2.3),
        _ratio(f"{label}: exact over one at a time", rows, "exact", "single", 1.5),
        _same(f"{label}: texts of fast equal to exact", rows["fast"], rows["exact"]),
        _same(f"{label}: texts of exact equal to one at a time", rows["exact"], rows["single"]),
    ]


def _ratio(what: str, rows: Rows, over: str, under: str, bound: float) -> Line:
    """The median of the quotients taken turn by turn: both sides had the same minute."""
    both, one = _rated(rows[over]), _rated(rows[under])
    quotients = [
        {"quotient": ratio(a.get("rate"), b.get("rate"))} for a, b in zip(both, one, strict=False)
    ]
    values = [q["quotient"] for q in quotients if q["quotient"] is not None]
    spread = f"{min(values):.2f} to {max(values):.2f}" if len(values) > 1 else ""
    return Line(
        what=what,
        value=middle(quotients, "quotient"),
        promise=at_least(bound),
        note=why_not(both) or why_not(one) or spread,
    )


def _same(what: str, ours_: Sequence[Measured], theirs: Sequence[Measured]) -> Line:
    """How many of the first repeat's texts are equal, surrounding white space aside."""
    if why := why_not(ours_) or why_not(theirs):
        return Line(what=what, value=None, note=why)
    pairs = list(zip(ours_[0]["texts"], theirs[0]["texts"], strict=True))
    equal = sum(a.strip() == b.strip() for a, b in pairs)
    return Line(what=what, value=float(equal), note=f"of {len(pairs)}")
