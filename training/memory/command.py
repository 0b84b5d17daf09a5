"""`modelqa memory`: what training a model takes, and what fits."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.console import Console

from pytest_modelqa.core.errors import ExitCode, UsageError
from training.memory.approach import ALL_PROJECTIONS, Approach, Kind
from training.memory.architecture import Architecture
from training.memory.chart import legend, size, svg, table
from training.memory.claims import Claims, claims
from training.memory.fit import Fit, budget, fit
from training.memory.models import MODELS, architecture
from training.memory.page import page
from training.memory.plan import MemoryPlan, make_plan

_PLAIN = Approach()


def command(  # noqa: PLR0913 - every parameter is an option of the command line
    *,
    config: Annotated[
        str, typer.Argument(metavar="CONFIG|NAME", help="a config.json, its folder, or a name")
    ] = "",
    approach: Annotated[str, typer.Option(help="full, lora, qlora; default: all three")] = "",
    rank: Annotated[int, typer.Option(help="of the adapters")] = _PLAIN.rank,
    targets: Annotated[
        str, typer.Option(help="projections with adapters, with commas between")
    ] = ",".join(ALL_PROJECTIONS),
    dropout: Annotated[float, typer.Option(help="of the adapters")] = _PLAIN.dropout,
    weights: Annotated[str, typer.Option(help="float32 or bfloat16")] = _PLAIN.weights,
    optimizer: Annotated[str, typer.Option(help="adamw, momentum or sgd")] = _PLAIN.optimizer,
    batch: Annotated[int, typer.Option(help="sequences of a step")] = _PLAIN.batch,
    tokens: Annotated[int, typer.Option(help="tokens of a sequence")] = _PLAIN.tokens,
    checkpointing: Annotated[
        bool, typer.Option("--checkpointing", help="recompute layers")
    ] = False,
    single_quantisation: Annotated[
        bool, typer.Option("--single-quantisation", help="qlora without double quantisation")
    ] = False,
    within: Annotated[str, typer.Option("--budget", help="find what fits: 24GB, 22.5GiB")] = "",
    image: Annotated[Path | None, typer.Option("--svg", help="write the bars here")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    names: Annotated[bool, typer.Option("--list", help="print the known names")] = False,
    figures: Annotated[bool, typer.Option("--page", help="print the tables of the docs")] = False,
) -> int:
    """Plan the memory of a training step: weights, scales, gradients, optimizer, activations."""
    if figures or names:
        typer.echo(page() if figures else "\n".join(MODELS), nl=names)
        return ExitCode.OK
    if not config:
        raise UsageError("no model is named", remedy="modelqa memory llama-2-7b")
    wanted = Approach(
        kind=approach or "full",  # type: ignore[arg-type]  # Approach checks it
        rank=rank,
        targets=tuple(targets.split(",")),
        dropout=dropout,
        weights=weights,  # type: ignore[arg-type]
        optimizer=optimizer,  # type: ignore[arg-type]
        batch=batch,
        tokens=tokens,
        checkpointing=checkpointing,
        double_quantisation=not single_quantisation,
    )
    model = architecture(config)
    kinds: tuple[Kind, ...] = (wanted.kind,) if approach else get_args(Kind)
    plans: dict[str, MemoryPlan] = {
        kind: make_plan(model, replace(wanted, kind=kind)) for kind in kinds
    }
    found = fit(model, wanted, budget(within)) if within else None
    if found:
        plans["fits"] = found.plan
    if image:
        image.write_text(svg(f"{config}: memory of a training step", plans))
    held = claims(model, wanted)
    if as_json:
        typer.echo(json.dumps(_values(config, plans, held, found)))
    else:
        _print(config, model, plans, held)
        _print_fit(found)
    return ExitCode.OK


def _values(
    config: str, plans: dict[str, MemoryPlan], held: Claims, found: Fit | None
) -> dict[str, Any]:
    return {
        "model": config,
        "plans": {
            name: {
                **asdict(plan),
                "trainable_share": plan.trainable_share,
                "parts": plan.parts,
                "moments": plan.moments,
                "total_bytes": plan.total_bytes,
                "peak_bytes": plan.peak_bytes,
            }
            for name, plan in plans.items()
        },
        "claims": {
            "lora_leaves_alone": float(held.reduction),
            "qlora_saves_of_full": float(held.saved_of_full),
            "qlora_saves_of_lora": float(held.saved_of_lora),
        },
        "fit": {"budget_bytes": found.budget_bytes, "given_up": found.given_up} if found else None,
    }


def _print(config: str, model: Architecture, plans: dict[str, MemoryPlan], held: Claims) -> None:
    console = Console(highlight=False, markup=False, emoji=False)
    console.print(f"{config}: {model.family}, {model.parameters:,} parameters", soft_wrap=True)
    console.print(table(plans))
    console.print(legend())
    for name, plan in plans.items():
        parts = ", ".join(f"{part} {size(count)}" for part, count in plan.parts.items() if count)
        share = f"{plan.trainable_parameters:,} trained ({100 * plan.trainable_share:.2f} %)"
        console.print(f"{name}: {share}; {parts}", soft_wrap=True)
    said = f"LoRA of rank {held.rank} on {held.targets} projections leaves"
    alone, full, lora = (
        float(100 * x) for x in (held.reduction, held.saved_of_full, held.saved_of_lora)
    )
    console.print(
        f"{said} {alone:.3f} % of the parameters alone: {_than(held.reduces, '99 %')}",
        f"QLoRA saves {full:.1f} % of full training: {_than(held.saves_of_full, '70 %')};",
        f"{lora:.1f} % of LoRA: {_than(held.saves_of_lora, '70 %')}",
        sep="\n",
        soft_wrap=True,
    )


def _than(more: bool, bound: str) -> str:
    return f"more than {bound}" if more else f"NOT more than {bound}"


def _print_fit(found: Fit | None) -> None:
    if found is None:
        return
    gave = ", ".join(found.given_up) or "nothing"
    total, room = size(found.plan.total_bytes), size(found.budget_bytes)
    typer.echo(f"fits: {total} of {room} with batch {found.plan.approach.batch}; given up: {gave}")
