"""Measuring a merge against base and adapter, read from disk; torch, one module at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from pytest_modelqa.artifacts import safetensors
from training.adapters import Adapter
from training.merge.measured import ModuleDelta, Untouched

_MORE = 8
"""Singular values that are looked at beyond the adapter's rank."""
_POWERS = 2
_UNIT = {torch.float32: 2.0**-24, torch.bfloat16: 2.0**-9, torch.float16: 2.0**-11}
"""Half a unit in the last place, relative to the number; the most that rounding moves it."""
_ABOVE_NOISE = 4.0


class Weights:
    """The tensors of a folder by name, whichever shard they are in."""

    def __init__(self, folder: Path, open_files: ExitStack) -> None:
        self._places: dict[str, Any] = {}
        self.types = {}
        for tensor in safetensors.read_folder(folder).tensors:
            self.types[tensor.name] = tensor.type
            self._places[tensor.name] = tensor.file
        self._files = {
            file: open_files.enter_context(safe_open(file, framework="pt"))
            for file in set(self._places.values())
        }

    @property
    def names(self) -> set[str]:
        """Of all tensors."""
        return set(self._places)

    def of(self, name: str) -> torch.Tensor:
        """One tensor, in its stored type."""
        tensor: torch.Tensor = self._files[self._places[name]].get_tensor(name)
        return tensor


def deltas(base: Path, adapter: Adapter, merged: Path) -> Iterator[ModuleDelta]:
    """Every target module's change, in the adapter's order of names."""
    with ExitStack() as files:
        before, after = Weights(base, files), Weights(merged, files)
        for module, a, b in adapter.matrices():
            name = f"{module}.weight"
            if name not in after.names:
                continue  # told as missing
            wanted = adapter.scale * (torch.from_numpy(b) @ torch.from_numpy(a))
            yield delta_of(module, before.of(name), after.of(name), wanted, adapter.r)


def delta_of(
    module: str, before: torch.Tensor, after: torch.Tensor, wanted: torch.Tensor, r: int
) -> ModuleDelta:
    """Compare a module's weights (outputs, inputs) with base + wanted; all sums in float32."""
    start, end = before.float(), after.float()
    target = (start + wanted).to(after.dtype).float()
    found, expected = end - start, target - start
    unit = _UNIT[after.dtype]
    one_place = 2 * unit * torch.maximum(target.abs(), end.abs())
    square = float((expected.double() ** 2).sum())
    rows, columns = found.shape
    noise = unit * float(end.square().mean().sqrt()) * (rows**0.5 + columns**0.5)
    singular = largest(found, r + _MORE)
    return ModuleDelta(
        module=module,
        r=r,
        found_norm=float(found.norm()),
        wanted_norm=float(wanted.norm()),
        expected_norm=square**0.5,
        coefficient=float((found.double() * expected).sum()) / square if square else float("nan"),
        off=float((~((end - target).abs() <= one_place)).double().mean()),
        singular=singular,
        floor=_ABOVE_NOISE * noise + 1e-6 * singular[0],
    )


def largest(matrix: torch.Tensor, count: int) -> tuple[float, ...]:
    """The largest singular values, by a random projection with two power steps; NaN of NaN.

    Halko, Martinsson and Tropp, "Finding structure with randomness" (2011), algorithm 4.4.
    """
    count = min(count, *matrix.shape)
    if not bool(torch.isfinite(matrix).all()):
        return (float("nan"),) * count
    source = torch.Generator().manual_seed(0)
    basis = matrix @ torch.randn(matrix.shape[1], count, generator=source)
    for _ in range(_POWERS):
        basis = torch.linalg.qr(basis).Q
        basis = matrix @ torch.linalg.qr(matrix.T @ basis).Q
    small = torch.linalg.qr(basis).Q.T @ matrix  # (count, columns)
    return tuple(torch.linalg.svdvals(small).tolist())


def untouched(base: Path, adapter: Adapter, merged: Path) -> Untouched:
    """Compare all that the adapter has no part in, in the merged model's type, bit by bit."""
    targets = {f"{module}.weight" for module in adapter.modules}
    with ExitStack() as files:
        before, after = Weights(base, files), Weights(merged, files)
        shared = sorted((before.names & after.names) - targets)
        return Untouched(
            tensors=len(shared),
            differing=tuple(n for n in shared if not _same(before.of(n), after.of(n))),
            missing=tuple(sorted(before.names - after.names)),
            added=tuple(sorted(after.names - before.names)),
        )


def _same(before: torch.Tensor, after: torch.Tensor) -> bool:
    return torch.equal(before.to(after.dtype).view(torch.uint8), after.view(torch.uint8))
