"""An adapter as it lies on disk: its settings, and the pair of matrices of every module.

Read with our own readers and numpy, not with the library that wrote it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.artifacts import safetensors
from pytest_modelqa.artifacts.adapter import WEIGHTS, settings_of
from pytest_modelqa.core.errors import Refused

_PREFIX = "base_model.model."
_ENDS = {".lora_A.weight": 0, ".lora_B.weight": 1}
_UNKNOWN = ("use_dora", "use_qalora", "use_bdlora", "modules_to_save", "trainable_token_indices",
            "target_parameters", "layer_replication", "fan_in_fan_out", "lora_bias")  # fmt: skip
"""Settings under which the weights are not base + scale * B A; none of our runs sets one."""

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """`modules` maps a module's name in the base to its matrices' names; `shapes` to theirs."""

    folder: Path
    r: int
    alpha: float
    scale: float
    targets: tuple[str, ...]
    modules: Mapping[str, tuple[str, str]]
    shapes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    settings: Mapping[str, Any]

    def matrices(self) -> Iterator[tuple[str, Matrix, Matrix]]:
        """Module, A (r, inputs) and B (outputs, r), one pair in memory at a time."""
        from safetensors import safe_open  # noqa: PLC0415 - loads numpy's part alone

        with safe_open(self.folder / WEIGHTS, framework="np") as file:
            for module, (a, b) in sorted(self.modules.items()):
                yield module, _float(file.get_tensor(a)), _float(file.get_tensor(b))


def read(folder: Path) -> Adapter:
    """Read an adapter's settings and header. Raises Refused where it is none of ours."""
    settings = settings_of(folder)
    if settings.get("peft_type") != "LORA":
        raise _refused(folder, f"is of type {settings.get('peft_type')!r}, not LORA")
    if used := [name for name in _UNKNOWN if settings.get(name)]:
        raise _refused(folder, f"uses {', '.join(used)}, which is not understood here")
    r, alpha = settings.get("r"), settings.get("lora_alpha")
    if not isinstance(r, int) or r <= 0 or not isinstance(alpha, int | float) or not alpha > 0:
        raise _refused(folder, f"has r {r!r} and alpha {alpha!r}; both must be positive")
    if settings.get("rank_pattern") or settings.get("alpha_pattern"):
        raise _refused(folder, "has ranks or alphas by module, which is not understood here")
    shapes = _shapes(folder)
    modules = _modules(folder, shapes)
    return Adapter(
        folder=folder,
        r=r,
        alpha=float(alpha),
        scale=alpha / (math.sqrt(r) if settings.get("use_rslora") else r),
        targets=tuple(sorted(settings.get("target_modules") or ())),
        modules=modules,
        shapes={module: (shapes[a], shapes[b]) for module, (a, b) in modules.items()},
        settings=settings,
    )


def require_fit(adapter: Adapter, base: Mapping[str, tuple[int, ...]]) -> None:
    """Raise Refused where a module is not in the base, or not of the adapter's shape."""
    for module, (a, b) in adapter.shapes.items():
        found = base.get(f"{module}.weight")
        if found != (b[0], a[1]) or a[0] != adapter.r or b[1] != adapter.r:
            state = f"is {list(found)}" if found else "does not exist"
            raise Refused(
                f"base and adapter are of different models: the adapter's {module} is "
                f"{[b[0], a[1]]} with rank {a[0]}, the base's {state}",
                where=str(adapter.folder),
                remedy="name the base that it was trained on with --base",
            )


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    path = folder / WEIGHTS
    if not path.is_file():
        raise _refused(folder, f"has no {WEIGHTS}")
    header = safetensors.read_file(path)
    if header.findings:
        first = header.findings[0]
        raise _refused(folder, f"{first.code} {first.where}: {first.message}")
    return {t.name: t.shape for t in header.tensors}


def _modules(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for name in shapes:
        end = next((e for e in _ENDS if name.endswith(e)), "")
        if not end or len(shapes[name]) != 2:  # noqa: PLR2004 - a matrix
            raise _refused(folder, f"{name} is no LoRA matrix")
        module = name.removeprefix(_PREFIX).removesuffix(end)
        found.setdefault(module, ["", ""])[_ENDS[end]] = name
    lone = sorted(module for module, pair in found.items() if not all(pair))
    if lone or not found:
        raise _refused(folder, f"{lone[0]} lacks A or B" if lone else "holds no module")
    return {module: (pair[0], pair[1]) for module, pair in found.items()}


def _float(tensor: NDArray[Any]) -> Matrix:
    return np.asarray(tensor, dtype=np.float32)


def _refused(folder: Path, what: str) -> Refused:
    return Refused(f"the adapter {what}", where=str(folder), remedy="train it again")
