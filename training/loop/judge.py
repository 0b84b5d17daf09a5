"""What a run's records and an adapter's file say of it; no model is loaded for these checks."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pytest_modelqa.artifacts.adapter import SETTINGS, WEIGHTS
from pytest_modelqa.artifacts.hashing import measured
from training.adapters import Adapter, Matrix
from training.distances import Distances
from training.findings import Finding, counted, failed, held
from training.loop import output
from training.loop.reading import Run
from training.written import RUN

FILES = (
    WEIGHTS, SETTINGS, output.STATISTICS, output.STEPS, RUN,
    output.MANIFEST, "tokenizer.json", "tokenizer_config.json",
)  # fmt: skip
_POSITIVE = (
    "train_runtime", "train_samples_per_second", "train_tokens_per_second", "train_loss",
    "final_loss", "steps", "epochs", "total_samples", "samples_seen", "tokens",
    "peak_memory_bytes", "max_gradient_norm", "trainable_parameters", "parameters",
)  # fmt: skip
_TEXTS = ("timestamp", "config_sha256", "data_sha256", "base_sha256")
_MOST_SHARE = 0.2
"""More trainable parameters than a fifth of the model is no low-rank adapter."""
_HEADER_BYTES = 200
"""A tensor's entry in a safetensors header: its name, dtype, shape and offsets."""
_LEAST_EFFECT = 1e-6
"""Nats; two float32 passes of the same weights differ by less."""


def complete(run: Run) -> Finding:
    """Every expected file is there and not empty."""
    missing = [n for n in FILES if not (run.folder / n).is_file()]
    empty = [n for n in FILES if n not in missing and not (run.folder / n).stat().st_size]
    wants_logs = run.config["training"]["report_to"] == "tensorboard"
    if wants_logs and not list((run.folder / output.LOGS).glob("events*")):
        missing.append(f"{output.LOGS}/events*")
    if missing or empty:
        said = [f"{n} is missing" for n in missing] + [f"{n} is empty" for n in empty]
        return counted("files", len(said), len(FILES), "; ".join(said))
    return held("files", f"{len(FILES)} expected files are there", len(FILES))


def unchanged_files(run: Run) -> Finding:
    """Every file has the hash that the run wrote down when it ended."""
    listed = run.manifest.get("files")
    if not isinstance(listed, dict) or not listed:
        return failed("manifest", f"{output.MANIFEST} lists no files")
    for name, sha256 in listed.items():
        path = run.folder / name
        if not path.is_file():
            return failed("manifest", f"{name} is gone")
        if measured(path) != sha256:
            return failed("manifest", f"{name} is not what the run wrote")
    return held("manifest", f"{len(listed)} files are what the run wrote", len(listed))


def plausible(run: Run) -> Finding:
    """The statistics are there, finite, positive, of this run, and agree with its steps."""
    problem = _statistics_problem(run)
    if problem:
        return failed("statistics", problem)
    s = run.statistics
    reason = f"{s['steps']} steps, {s['samples_seen']} samples, {s['tokens']} tokens, "
    return held("statistics", f"{reason}final loss {s['final_loss']:.4f}", len(_POSITIVE))


def _statistics_problem(run: Run) -> str:
    s = run.statistics
    for key in _POSITIVE:
        value = s.get(key)
        if not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
            return f"{key} is {value!r}, a positive number is expected"
    for key in _TEXTS:
        if not isinstance(s.get(key), str) or not s[key]:
            return f"{key} is {s.get(key)!r}, a text is expected"
    if s["trainable_parameters"] > _MOST_SHARE * s["parameters"]:
        share = s["trainable_parameters"] / s["parameters"]
        return f"{share:.0%} of the parameters were trained: no low-rank adapter"
    return _disagreement(run)


def _disagreement(run: Run) -> str:
    """Between the statistics, the steps and what the run set out to do."""
    s, facts = run.statistics, run.facts
    wanted = {
        "steps": len(run.steps),
        "total_samples": facts["data"]["samples"],
        "config_sha256": facts["config_sha256"],
        "data_sha256": facts["data"]["sha256"],
        "base_sha256": facts["base"]["sha256"],
    }
    for key, value in wanted.items():
        if s[key] != value:
            return f"{key} is {s[key]!r}, the run's records say {value!r}"
    t = run.config["training"]
    if t["max_steps"]:
        return "" if s["steps"] == t["max_steps"] else f"{s['steps']} of {t['max_steps']} steps"
    ended = math.isclose(s["epochs"], t["epochs"], abs_tol=1 / max(1, s["steps"]))
    return "" if ended else f"{s['epochs']:.2f} of {t['epochs']} epochs"


def as_configured(run: Run, adapter: Adapter) -> Finding:
    """Rank, alpha and target modules are those that the run was asked for."""
    lora = run.config["lora"]
    found = (adapter.r, adapter.alpha, adapter.targets)
    wanted = (lora["r"], float(lora["alpha"]), tuple(sorted(lora["target_modules"])))
    modules = {module.rsplit(".", 1)[-1] for module in adapter.modules}
    absent = sorted(set(lora["target_modules"]) - modules)
    if found != wanted:
        return failed("adapter-settings", f"r, alpha, modules are {found}, asked for was {wanted}")
    if absent:
        return failed("adapter-settings", f"no matrices of {', '.join(absent)}")
    reason = f"r {adapter.r}, alpha {adapter.alpha:g}, {len(modules)} kinds"
    return held("adapter-settings", reason, 2 + len(modules))


def expected_size(run: Run, adapter: Adapter, base: Mapping[str, tuple[int, ...]]) -> Finding:
    """The file is as large as rank and the base's shapes make it: r * (inputs + outputs) each."""
    ends = set(run.config["lora"]["target_modules"])
    targets = [
        shape for name, shape in base.items()
        if name.removesuffix(".weight").rsplit(".", 1)[-1] in ends and len(shape) == 2  # noqa: PLR2004
    ]  # fmt: skip
    wanted = sum(adapter.r * (rows + columns) * 4 for rows, columns in targets)
    slack = 8 + 8 + 64 + 2 * len(targets) * _HEADER_BYTES
    size = (run.folder / WEIGHTS).stat().st_size
    reason = (
        f"{size:,} bytes; {len(targets)} modules of rank {adapter.r} in float32 take {wanted:,}"
    )
    return Finding(
        check="adapter-size",
        value=size,
        least=wanted,
        most=wanted + slack,
        tested=len(targets),
        reason=reason,
    )


def finite_weights(adapter: Adapter) -> Finding:
    """No NaN or Inf in any matrix."""
    odd = [
        f"{module} has NaN or Inf in {name}"
        for module, a, b in adapter.matrices()
        for name, matrix in (("A", a), ("B", b))
        if not np.isfinite(matrix).all()
    ]
    count = 2 * len(adapter.modules)
    return counted("adapter-finite", len(odd), count, odd[0] if odd else f"{count} matrices")


def moved(run: Run, adapter: Adapter) -> Finding:
    """A and B of every module differ from what they were before the first step."""
    initial: Mapping[str, Any] = run.facts["initial"]
    still = []
    for module, a, b in adapter.matrices():
        for name, matrix in zip(adapter.modules[module], (a, b), strict=True):
            if name not in initial:
                return failed("adapter-moved", f"the run does not say what {name} was at first")
            if hash_of(matrix) == initial[name]:
                still.append(name)
    count = 2 * len(adapter.modules)
    reason = f"all {count} matrices moved"
    if still:
        reason = f"{len(still)} of {count} never trained; first {still[0]}"
    return counted("adapter-moved", len(still), count, reason)


def hash_of(matrix: Matrix) -> str:
    """Of the values in float32, row by row, little-endian."""
    return hashlib.sha256(np.ascontiguousarray(matrix, dtype="<f4").tobytes()).hexdigest()


def effective(seen: Distances) -> Finding:
    """With the adapter, the model says something else than without."""
    reason = f"KL {seen.largest:.3g} nats at most, {seen.mean:.3g} on average"
    if not seen.finite:
        reason = "not all distributions are finite"
    return Finding(
        check="adapter-effect",
        value=seen.largest,
        least=_LEAST_EFFECT,
        tested=max(1, seen.positions),
        reason=f"{reason}, over {seen.positions} positions",
    )
