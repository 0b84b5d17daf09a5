"""The target `lora_config`: adapters by exact arithmetic, and who refuses which configuration.

The seed's inputs: hidden and rank of 16 bits, layers of 8, alpha a 16-bit number over ten, 4 bits
or not. Where it returned early (a zero, a rank above the hidden size) this one looks: the planner
and the training configuration refuse with our error, peft's layer with its own; and a rank above
half of the hidden size is counted as what it is, an adapter larger than what it adapts.
"""

from __future__ import annotations

import math
import warnings
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig
from peft.tuners.lora import Linear
from pydantic import BaseModel, ValidationError

from pytest_modelqa.core.errors import UsageError
from suites.fuzz.numeric import Batch, Numeric, Tally
from suites.fuzz.planned import approaches, architectures
from training.config.border import model_of
from training.config.values import LoraSection
from training.memory import plan as planner
from training.memory.approach import ATTENTION, Approach
from training.memory.architecture import Architecture
from training.memory.plan import make_plan, quantised_matrices

_SCALAR_ROWS, _PEFT_ROWS = 8, 2
_MOST_RANK, _MOST_ALPHA = 4096, 65_536
"""What a training configuration allows."""
_EDGES = (0, 1, 2, 3, 7, 8, 63, 64, 255, 256, 4095, 4096, 4097, 65_535)
_EDGE_SHARE = 0.2
_RATES = (0.0, 0.05, 0.5, 0.999, 1.0, 1.5, -0.1, math.nan, math.inf)


def draw(source: np.random.Generator, count: int) -> Batch:
    """The seed's fields, with zeros and edges among them."""
    settings = {
        "four_bits": bool(source.integers(2)),
        "double": bool(source.integers(2)),
        "rslora": bool(source.integers(2)),
    }
    columns: dict[str, NDArray[Any]] = {
        "hidden": _edged(source, count, 1 << 16),
        "layers": _edged(source, count, 1 << 8),
        "rank": _edged(source, count, 1 << 16),
        "alpha_tenths": _edged(source, count, 1 << 16),
        "dropout": source.integers(0, len(_RATES), count),
    }
    near = source.random(count) < _EDGE_SHARE  # the rank around half of the hidden size
    half = columns["hidden"] // 2 + source.integers(-2, 3, count)
    columns["rank"] = np.where(near, half.clip(0), columns["rank"])
    return Batch(settings=settings, columns=columns)


def _edged(source: np.random.Generator, count: int, high: int) -> NDArray[np.int64]:
    made = source.integers(0, high, count)
    edges = np.array([e for e in _EDGES if e < high])
    at = source.random(count) < _EDGE_SHARE
    made[at] = edges[source.integers(0, len(edges), int(at.sum()))]
    return made


def check(batch: Batch, tally: Tally) -> None:
    """Everything that must hold of a batch."""
    sound = (batch.columns["hidden"] > 0) & (batch.columns["layers"] > 0)
    sound &= batch.columns["rank"] > 0
    _counts(batch, tally, sound)
    _bytes(batch, tally)
    rows = range(0, len(batch), max(1, len(batch) // _SCALAR_ROWS))
    for row in rows:
        _planner(batch, tally, row)
        _configuration(batch, tally, row)
    for row in list(rows)[:: max(1, _SCALAR_ROWS // _PEFT_ROWS)]:
        _peft(batch, tally, row)


def _model(batch: Batch) -> Any:
    """Attention of square matrices, as in the seed; the MLP is of no matter here."""
    hidden, layers = batch.columns["hidden"], batch.columns["layers"]
    return architectures(
        vocab_size=1, hidden_size=hidden, intermediate_size=hidden, num_hidden_layers=layers,
        num_attention_heads=1, num_key_value_heads=1, head_dim=hidden,
    )  # fmt: skip


def _counts(batch: Batch, tally: Tally, sound: NDArray[np.bool_]) -> None:
    """8 * r * h * L on attention, and a reduction between 0 and 100 % just where 2 * r < h."""
    hidden, layers, rank = (batch.columns[name] for name in ("hidden", "layers", "rank"))
    approach = approaches(Approach(kind="lora", targets=ATTENTION), rank=rank)
    model = _model(batch)
    adapters = planner.adapter_parameters(model, approach)
    tally.equal("adapters", batch, adapters, 8 * rank * hidden * layers)
    base = sum(m.weights for m in model.matrices if m.name in ATTENTION) * layers
    tally.equal("attention", batch, base, 4 * hidden * hidden * layers)
    with np.errstate(all="ignore"):
        reduction = 100 * (1 - adapters / base)
    reduces = (reduction > 0) & (reduction < 100)
    agrees = ~sound | (reduces == (2 * rank < hidden))
    tally.must("reduces_below_half", batch, agrees, lambda r: f"{reduction[r]} %")
    tally.notes["adapter no smaller than its base"] += int((sound & (2 * rank >= hidden)).sum())


def _bytes(batch: Batch, tally: Tally) -> None:
    """Four bits: half a byte a weight and its scales, and never more than a fifth of float32."""
    if not batch.settings["four_bits"]:
        return
    hidden, layers = batch.columns["hidden"], batch.columns["layers"]
    double = batch.settings["double"]
    found = quantised_matrices(_model(batch), double=double)
    weights = hidden * hidden
    tally.equal("four_bit_codes", batch, found.codes, 7 * layers * ((weights + 1) // 2))
    blocks = (weights + 63) // 64
    scales = blocks + (blocks + 255) // 256 * 4 + 4 if double else 4 * blocks
    tally.equal("four_bit_scales", batch, found.scales, 7 * layers * scales)
    large = hidden >= _LARGE
    saves = 5 * (found.codes + found.scales) < 7 * layers * 4 * weights
    tally.must("four_bits_save", batch, saves | ~large | (layers == 0), lambda r: f"{hidden[r]}")


_LARGE = 64


def _row(batch: Batch, row: int) -> dict[str, Any]:
    found = {name: int(column[row]) for name, column in batch.columns.items()}
    return {**found, "dropout": _RATES[found["dropout"]], "alpha": found["alpha_tenths"] / 10}


def _planner(batch: Batch, tally: Tally, row: int) -> None:
    """Refused with our error just where a number is out of bounds; else planned as together."""
    at = _row(batch, row)
    hidden, layers = at["hidden"], at["layers"]
    valid = hidden > 0 and layers > 0 and at["rank"] > 0 and not hidden % 2
    valid = valid and 0 <= at["dropout"] < 1
    try:
        approach = Approach(kind="lora", rank=at["rank"], targets=ATTENTION, dropout=at["dropout"])
        model = Architecture(
            vocab_size=1, hidden_size=hidden, intermediate_size=hidden, num_hidden_layers=layers,
            num_attention_heads=1,
        )  # fmt: skip
        plan = make_plan(model, approach)
    except UsageError as error:
        tally.one("planner_refuses_what_is_wrong", batch, row, not valid, str(error))
        return
    tally.one("planner_refuses_what_is_wrong", batch, row, valid, f"{at} is planned")
    expected = 8 * at["rank"] * hidden * layers
    tally.one("planned_alone", batch, row, plan.trainable_parameters == expected, str(expected))
    share = plan.trainable_share * (plan.base_parameters + expected)
    tally.one("share", batch, row, math.isclose(share, expected), f"{plan.trainable_share}")


@cache
def _section() -> type[BaseModel]:
    return model_of(LoraSection)


def _configuration(batch: Batch, tally: Tally, row: int) -> None:
    """The `lora` section of a training configuration takes what is within its bounds, no more."""
    at = _row(batch, row)
    valid = 1 <= at["rank"] <= _MOST_RANK and 0 < at["alpha"] <= _MOST_ALPHA
    valid = valid and 0 <= at["dropout"] < 1
    try:
        _section()(r=at["rank"], alpha=at["alpha"], dropout=at["dropout"])
    except ValidationError as error:
        where = {str(e["loc"][0]) for e in error.errors()}
        sound = not valid and where <= {"r", "alpha", "dropout"}
        tally.one("section_refuses_what_is_wrong", batch, row, sound, f"{at}: {where}")
    else:
        tally.one("section_refuses_what_is_wrong", batch, row, valid, f"{at} is taken")


def _peft(batch: Batch, tally: Tally, row: int) -> None:
    """A real layer of peft: its numbers, its scaling, and no layer without a rank."""
    at = _row(batch, row)
    hidden, rank, alpha = max(1, at["hidden"]), at["rank"], at["alpha"]
    rslora = batch.settings["rslora"]
    settings: Any = {"r": rank, "lora_alpha": alpha, "use_rslora": rslora}
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = torch.nn.Linear(hidden, hidden, bias=False)
        config = LoraConfig(**settings, init_lora_weights=False)
        try:
            made = Linear(base, "default", config, r=rank, lora_alpha=alpha)
        except ValueError as error:
            tally.one("peft_refuses_no_rank", batch, row, rank <= 0, str(error))
            return
    tally.one("peft_refuses_no_rank", batch, row, rank > 0, f"rank {rank} is taken")
    count = sum(p.numel() for n, p in made.named_parameters() if "lora_" in n)
    tally.one("peft_counts", batch, row, count == 2 * rank * hidden, f"{count}")
    expected = alpha / (math.sqrt(rank) if rslora else rank)
    found = made.scaling["default"]
    tally.one("peft_scales", batch, row, math.isclose(found, expected), f"{found}, not {expected}")


TARGET = Numeric(name="lora_config", draw=draw, check=check)
