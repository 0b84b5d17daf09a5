"""`modelqa quantize`: a smaller GGUF, what its tensors really are, and how far it is off."""

from __future__ import annotations

import json
import math
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pytest_modelqa.artifacts.convert.kinds import QUANTISER_TYPES, source_path, target_kind
from pytest_modelqa.artifacts.convert.run import Converted, convert
from pytest_modelqa.artifacts.folders import locked
from pytest_modelqa.artifacts.hashing import cache_root, sha256_of
from pytest_modelqa.artifacts.quantised import Quantised, described, examine, rungs
from pytest_modelqa.cli.comparing import Options, compared, subject
from pytest_modelqa.core.errors import ExitCode, ModelQAError, Refused, UsageError
from pytest_modelqa.core.model import FLOATS
from pytest_modelqa.qualify import Qualifier
from pytest_modelqa.receiving import received
from pytest_modelqa.runtime.merge import records
from pytest_modelqa.runtime.store import read

app = typer.Typer()
_SHOWN = 8
"""Fallbacks that are listed on a terminal; JSON has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One quantisation that was tried. `kl` is the mean over positions in nats, None unmeasured."""

    made: Converted
    seen: Quantised
    kl: float | None = None
    positions: int = 0

    def holds(self, budget: float | None) -> bool:
        """Whether it is within the budget; NaN, and nothing compared, are not."""
        if budget is None:
            return True
        return self.kl is not None and self.positions > 0 and self.kl <= budget


class BudgetExceeded(ModelQAError):
    """No quantisation of the ladder is near enough to its source."""

    exit_code = ExitCode.FAILED


@app.command()
def quantize(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", help="a safetensors folder, or a .gguf or .apr file")
    ],
    quant: Annotated[str, typer.Option("--quant", help="q4_k_m, q8_0 ...")] = "q4_k_m",
    budget: Annotated[
        float | None,
        typer.Option("--kl-budget", min=0.0, help="nats a token at most, else the next type"),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep-intermediate", help="keep the float GGUF in the cache")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="copy the result to this new file")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
) -> None:
    """Quantise, with more bits until the KL budget holds; print the file and its hash."""
    first = _asked(quant)
    if output is not None and output.exists():
        raise UsageError("exists already", where=str(output), remedy="choose another name")
    tried = _climb(source_path(source), first, budget)
    last = tried[-1]
    if not keep:
        _remove_intermediates([rung.made for rung in tried])
    path = last.made.made.path
    if output is not None and last.holds(budget):
        path = _copied(path, output)
    _tell(tried, path, budget, as_json=as_json)
    if not last.holds(budget):
        raise BudgetExceeded(
            f"no quantisation up to {last.seen.asked} is within {budget} nats of its source",
            where=str(source),
            remedy="raise --kl-budget, or ship the model in f16",
        )


def _asked(quant: str) -> str:
    wanted = quant.lower()
    if wanted in FLOATS or wanted not in QUANTISER_TYPES:
        raise UsageError(
            f"{quant!r} is no quantisation",
            remedy=f"one of {', '.join(sorted(q for q in QUANTISER_TYPES if q not in FLOATS))}",
        )
    return wanted


def _climb(source: Path, first: str, budget: float | None) -> list[Rung]:
    """Rungs of the ladder up to the first one that holds. Raises what `convert` raises, Refused."""
    tried: list[Rung] = []
    for quantisation in rungs(first) if budget is not None else (first,):
        made = convert(
            source,
            target_kind("gguf", quantisation),
            cache_root(),
            lambda text: typer.echo(text, err=True),
        )
        seen = examine(made.made.path, quantisation)
        if seen.problem:
            where = made.made.path
            raise Refused(seen.problem, where=str(where), remedy=f"rm -r {where.parent}")
        kl, positions = _divergence(made.made.path, source) if budget is not None else (None, 0)
        tried.append(Rung(made=made, seen=seen, kl=kl, positions=positions))
        if tried[-1].holds(budget):
            break
    return tried


def _divergence(candidate: Path, reference: Path) -> tuple[float, int]:
    """Mean KL of all positions of the parity block's prompts, nats, and how many there are."""
    options = Options(parts=("logits",))
    plan = compared(subject(str(candidate)), subject(str(reference)), options)
    with tempfile.TemporaryDirectory(prefix="modelqa-quantize-") as folder:
        run_id = secrets.token_hex(4)
        qualifier = Qualifier(plan, Path(folder), run_id=run_id)
        for case in plan.cases:
            qualifier.result(case)
        qualifier.close(interrupted=False)
        lines = list(read([Path(folder)]))
        (record,) = records(lines, run_id)
        for receipt, _ in received(Path(folder), plan, record, lines).values():
            return receipt.summary.kl_mean, receipt.summary.positions
    return math.nan, 0


def _remove_intermediates(made: Sequence[Converted]) -> None:
    """What lay between source and result and was made for it; others' conversions stay."""
    for result in made:
        for stage in result.stages[:-1]:
            if stage.fresh:
                entry = stage.path.parent
                with locked(entry.with_suffix(".lock")):
                    shutil.rmtree(entry, ignore_errors=True)


def _copied(path: Path, output: Path) -> Path:
    """Beside the target first, then renamed: it appears whole or not at all."""
    part = output.with_name(f".{output.name}.part")
    try:
        shutil.copyfile(path, part)
        part.rename(output)
    finally:
        part.unlink(missing_ok=True)
    return output


def _tell(tried: Sequence[Rung], path: Path, budget: float | None, *, as_json: bool) -> None:
    last = tried[-1]
    if as_json:
        typer.echo(json.dumps(_values(tried, path, budget)))
        return
    for rung in tried:
        typer.echo(_line(rung, budget), err=True)
    for name, kind in last.seen.fallbacks[:_SHOWN]:
        typer.echo(f"  {name} is {kind}: its rows do not divide into the type's blocks", err=True)
    if (more := len(last.seen.fallbacks) - _SHOWN) > 0:
        typer.echo(f"  and {more} matrices more", err=True)
    typer.echo(f"{path}\nsha256 {sha256_of(path, cache_root())}")


def _line(rung: Rung, budget: float | None) -> str:
    seen = rung.seen
    sizes = ", ".join(f"{count} {kind}" for kind, count in seen.mix.tensors.items())
    text = (
        f"{seen.asked}: {seen.bytes:,} bytes, {seen.mix.bits_per_weight:.2f} bits per weight "
        f"({seen.lowest:.2f} to {seen.highest:.2f} expected); tensors: {sizes}"
    )
    if seen.nominal:
        text += f"; {seen.asked} in name only: {seen.mix.fallback:.0%} of the matrices fell back"
    if rung.kl is not None:
        held = "within" if rung.holds(budget) else "NOT within"
        text += f"; KL {rung.kl:.4g} nats over {rung.positions} positions, {held} {budget}"
    return text


def _values(tried: Sequence[Rung], path: Path, budget: float | None) -> dict[str, Any]:
    last = tried[-1]
    return {
        "path": str(path),
        "sha256": last.made.made.sha256,
        "bytes": last.seen.bytes,
        "quantization": last.seen.asked,
        **described(last.seen),
        "kl_budget": budget,
        "holds": last.holds(budget),
        "tried": [
            {
                "quantization": rung.seen.asked,
                "bytes": rung.seen.bytes,
                "bits_per_weight": rung.seen.mix.bits_per_weight,
                "kl_mean": rung.kl if rung.kl is None or math.isfinite(rung.kl) else None,
                "positions": rung.positions,
                "holds": rung.holds(budget),
            }
            for rung in tried
        ],
    }
