"""Gradients of the architecture of an artifact, as rows: registered under `modelqa.measurements`.

The model is made small and its parameters normal values; no weight of the artifact is read, because
what is checked is the arithmetic of its modules. Casts to float32 inside them are answered in
float64 (see `exact`), so that the bound need not be widened for them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from pytest_modelqa.core.errors import UsageError
from suites.gradients.architecture import LENGTH, small_model
from suites.gradients.case import Case, Maker
from suites.gradients.differences import (
    Measured,
    Probes,
    analytic,
    compare,
    numeric,
    probes_for,
    probes_of,
    step_for,
    upstream_for,
)
from suites.gradients.exact import Exact
from suites.gradients.generic import ids_of, layer_case, layers_of, loss_case

Row = dict[str, str | int | float | bool | None]

_NOISE = 10.0
"""Rounding errors of one evaluation, in units of eps times the sum of what the loss adds up."""

_LENGTH = 1e-3
"""Euclidean length by which the finer scheme moves a tensor; its own error is near 1e-12."""

_SHORTER = 1 / 60
"""The step of the shorter scheme, as a share of the usual one: 1e-7."""

_MOST_LAYERS = 32


def measure(artifact: Path, options: Mapping[str, str | int | float | bool]) -> list[Row]:
    """A row for each tensor of each layer that `layers` names ("0,3"), and for each of the loss.

    `seed` decides all values. Errors are absolute and relative (to the largest derivative probed);
    `largest` is that derivative, `resolution` the absolute error that differences may have.
    Raises UsageError for other options, Refused and Unavailable as `architecture` does.
    """
    layers, seed = _layers(str(options.get("layers", "0"))), int(options.get("seed", 0))
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # on tensors of a few dozen numbers more threads only cost
    try:
        with Exact():
            return list(_rows(artifact, layers, seed))
    finally:
        torch.set_num_threads(before)


def _layers(listed: str) -> list[int]:
    try:
        found = [int(part) for part in listed.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 <= n < _MOST_LAYERS for n in found):
        raise UsageError(
            f"layers {listed!r} are no numbers from 0 to {_MOST_LAYERS - 1}",
            remedy="gradients: {layers: [0, 1]}",
        )
    return found


def _rows(artifact: Path, layers: list[int], seed: int) -> Iterator[Row]:
    count = max(layers) + 2  # one more than is looked at: none of these is the last by accident
    model = small_model(artifact, layers=count, dtype=torch.float64)
    make = Maker(torch.float64, seed=seed)
    make.fill(model)
    ids = ids_of(model, LENGTH, seed)
    blocks = layers_of(model, count)
    for number in layers:
        yield from _measured(f"layer {number}", layer_case(model, blocks[number], ids, make))
    yield from _measured("loss", loss_case(model, ids))


def _measured(part: str, case: Case) -> Iterator[Row]:
    """One side by autograd through the modules, the other by differences of their forward."""
    probes, step = probes_of(case), step_for(torch.float64)
    with torch.no_grad():
        output = case.run(case.tensors)
        upstream = upstream_for(output)
    truth = dict(numeric(case, probes, upstream, step))
    ours = analytic(case, probes, upstream)
    for found in compare(case, probes, ours, truth):
        if not found.ok:
            name = found.tensor
            truth[name] = _settled(case, name, probes[name], upstream, (ours[name], truth[name]))
    added = float((upstream * output).abs().sum())
    resolution = _NOISE * torch.finfo(torch.float64).eps * added / step
    for found in compare(case, probes, ours, truth):
        sides = float(ours[found.tensor].abs().max()), float(truth[found.tensor].abs().max())
        yield {
            "name": f"{part}: {found.tensor}",
            "part": part,
            "subject": case.subject,
            "elements": found.elements,
            "probes": found.probes,
            "relative_error": found.relative,
            "absolute_error": found.absolute,
            "largest": max(sides) if all(map(math.isfinite, sides)) else math.nan,
            "resolution": resolution,
            "worst": _worst(case, found, upstream),
        }


def _settled(
    case: Case, tensor: str, probes: Probes, upstream: Tensor, sides: tuple[Tensor, Tensor]
) -> Tensor:
    """Of three schemes of differences the one that agrees best: a wrong backward agrees with none.

    The plain one has an error of step**2, which shows where the slope is small and the curvature
    large; Richardson's combination cancels it, but moves far enough to meet the kinks of ReLU; the
    short step meets fewest of those, and rounds most.
    """
    ours, plain = sides
    step = _LENGTH / float(probes.directions[0].norm())
    near, far, short = (
        numeric(case, {tensor: probes}, upstream, h)[tensor]
        for h in (step, 2 * step, step_for(torch.float64) * _SHORTER)
    )
    schemes = (plain, (4 * near - far) / 3, short)
    return min(schemes, key=lambda scheme: float((ours - scheme).abs().max()))


def _worst(case: Case, found: Measured, upstream: Tensor) -> str:
    """Where a gradient beyond the suite's bound is most wrong, of up to 64 elements."""
    if found.ok or not math.isfinite(found.absolute):
        return ""
    values = case.tensors[found.tensor]
    probes = {found.tensor: probes_for(values, elementwise=64)}
    truth = numeric(case, probes, upstream, step_for(torch.float64))[found.tensor]
    ours = analytic(case, probes, upstream)[found.tensor]
    at = int((ours - truth).abs().argmax())
    place = [int(i) for i in probes[found.tensor].directions[at].nonzero()[0]]
    said = f"{float(ours[at]):.6g}, differences say {float(truth[at]):.6g}"
    if probes[found.tensor].method == "elements":
        return f"at {place}: {said}"
    return f"along one direction: {said}"
