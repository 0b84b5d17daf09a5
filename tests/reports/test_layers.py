"""The picture of a layer trace: well-formed, self-contained, and it shows what is wrong."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from pytest_modelqa.core.comparison.trace import StageCompared, TraceCompared
from pytest_modelqa.core.stages import Block, StageStatistics
from pytest_modelqa.reports.layers import svg, terminal

SVG = "{http://www.w3.org/2000/svg}"
BLOCKS: tuple[Block, ...] = ("attention_norm", "heads", "attention", "ffn_norm", "ffn", "output")


def stage(block: Block, layer: int, own: float = 1e-3) -> StageCompared:
    both = StageStatistics(
        block=block,
        layer=layer,
        positions=8,
        width=4,
        nonfinite=0,
        rms=1.0,
        typical=1.0,
        mean=0.0,
        max_abs=1.0,
        across=0.5,
        within=0.5,
    )
    return StageCompared(
        block=block,
        layer=layer,
        error=own,
        own=own,
        worst=own,
        text=0,
        at=0,
        noise=1e-7,
        cosine=1.0,
        profile=(own,),
        candidate=both,
        reference=both,
    )


def seen(layers: int = 3) -> TraceCompared:
    inner = [stage(b, n) for n in range(layers) for b in BLOCKS]
    return TraceCompared(
        texts=1,
        positions=8,
        stages=(stage("embedding", -1), *inner, stage("final_norm", -1), stage("logits", -1)),
        unmatched=(),
        candidate_engine="llamacpp",
        reference_engine="transformers",
        dtype="F16",
    )


def texts(figure: str) -> list[str]:
    return ["".join(t.itertext()) for t in ET.fromstring(figure).iter(f"{SVG}text")]


def test_the_figure_is_xml_without_scripts_links_or_fonts() -> None:
    figure = svg(seen(), title="a < b & c")
    assert ET.fromstring(figure).tag == f"{SVG}svg"
    assert "a < b & c" in texts(figure)
    for foreign in ("<script", "href", "url(", "@import", "<image"):
        assert foreign not in figure


def test_every_stage_has_its_mark_with_its_numbers() -> None:
    figure = svg(seen(), title="t")
    told = [t.text or "" for t in ET.fromstring(figure).iter(f"{SVG}title")]
    assert sum("own 1.00e-03" in t for t in told) == len(seen().stages)
    assert figure.count("<polyline") == 2


def test_the_origin_is_ringed_and_named() -> None:
    trace = seen()
    stages = list(trace.stages)
    stages[8] = stage("heads", 1, own=0.9)
    wrong = replace(trace, stages=tuple(stages))
    figure = svg(wrong, title="t", origin=stages[8])
    assert "origin: layer 1 heads, 0.9" in texts(figure)
    assert figure.count("<circle") == 1
    assert "origin" not in svg(trace, title="t")
    assert terminal(wrong, origin=stages[8]).count("< origin") == 1


@pytest.mark.parametrize("own", [math.nan, math.inf, 0.0, -0.0, 1e30])
def test_any_error_stays_within_the_figure(own: float) -> None:
    trace = replace(seen(), stages=(stage("embedding", -1, own), *seen().stages[1:]))
    root = ET.fromstring(svg(trace, title="t"))
    low, high = 92, 392
    for line in root.iter(f"{SVG}polyline"):
        ys = [float(p.split(",")[1]) for p in line.attrib["points"].split()]
        assert all(low <= y <= high for y in ys)
    assert "embedding" in terminal(trace)


@pytest.mark.parametrize("layers", [1, 3, 32, 80])
def test_layer_labels_do_not_crowd(layers: int) -> None:
    labels = [t for t in texts(svg(seen(layers), title="t")) if t.isdigit()]
    assert 1 <= len(labels) <= 20


def test_the_terminal_has_one_line_a_layer_within_its_columns() -> None:
    lines = terminal(seen(30), columns=80).splitlines()
    assert len(lines) == 1 + 30 + 3
    assert max(map(len, lines)) <= 80


def test_a_longer_bar_is_a_larger_error() -> None:
    stages = list(seen().stages)
    stages[8] = stage("heads", 1, own=1.0)
    lines = terminal(replace(seen(), stages=tuple(stages))).splitlines()
    bars = [sum(c in "█▏▎▍▌▋▊▉" for c in line) for line in lines[2:5]]
    assert bars[1] > bars[0] == bars[2]
