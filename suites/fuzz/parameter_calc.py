"""The target `parameter_calc`: the planner's counts and bytes against exact integers.

Two of three batches stay within the seed's 16-bit sizes, as int64; the third has sizes up to 2**40,
as Python's own integers, in which nothing overflows. Rows of each batch also go through the real
constructors and the whole plan, with wrong sizes among them, and a few through transformers itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_modelqa.core.errors import UsageError
from suites.fuzz import closed_form
from suites.fuzz.closed_form import Decoder
from suites.fuzz.numeric import Batch, Numeric, Tally
from suites.fuzz.planned import approaches, architectures
from training.memory import plan as planner
from training.memory import plan_memory
from training.memory.activations import activation_bytes
from training.memory.approach import ALL_PROJECTIONS, Approach
from training.memory.architecture import FAMILIES, Architecture
from training.memory.peak import logit_bytes
from training.memory.plan import MemoryPlan, quantised_matrices

_NAMES = {
    "vocabulary": "vocab_size",
    "layers": "num_hidden_layers",
    "hidden": "hidden_size",
    "inner": "intermediate_size",
    "heads": "num_attention_heads",
    "key_heads": "num_key_value_heads",
    "width": "head_dim",
}
"""Our columns, and what config.json calls them."""
_WIDE_EVERY, _WIDE_ROWS = 3, 256
_SCALAR_ROWS = 12
_SEQUENCES = (1, 128, 512, 1024, 2048)
_RANKS = tuple(1 << n for n in range(10))
"""The seed's: 1, 2, 4 to 512."""
_OPTIONAL = ("num_key_value_heads", "head_dim")
WRONG_SIZES: tuple[tuple[str, Any], ...] = tuple(
    (name, value)
    for name in _NAMES.values()
    for value in (0, -1, 1.0, True, "8", None, 2**63, float("nan"))
    if not (value is None and name in _OPTIONAL)
)
"""A size and a value that it must not have; the column `wrong` draws which of them a row tries."""


def draw(source: np.random.Generator, count: int) -> Batch:
    """Sound sizes: key heads divide the heads, a head's width is even."""
    wide = source.integers(_WIDE_EVERY) == 0
    count = min(count, _WIDE_ROWS) if wide else count
    kind = str(source.choice(("full", "lora", "qlora")))
    settings = {
        "family": str(source.choice(FAMILIES)),
        "kind": kind,
        "double": bool(source.integers(2)),
        "weights": str(source.choice(("float32", "bfloat16"))),
        "dropout": float(source.choice((0.0, 0.1))) if kind != "full" else 0.0,
        "checkpointing": bool(source.integers(2)),
        "targets": [str(t) for t in source.choice(ALL_PROJECTIONS, source.integers(1, 8), False)],
        **{name: bool(source.integers(2)) for name in ("tied", "attention_bias", "mlp_bias")},
    }
    high = 1 << 40 if wide else 1 << 16
    columns: dict[str, NDArray[Any]] = {
        "vocabulary": _sizes(source, count, high),
        "hidden": _sizes(source, count, high),
        "inner": _sizes(source, count, high),
        "layers": _sizes(source, count, 1001 if wide else 256),
        "key_heads": _sizes(source, count, 32),
        "groups": _sizes(source, count, 9),
        "half_width": _sizes(source, count, 513),
        "rank": source.choice(_RANKS, count).astype(np.int64),
        "batch": _sizes(source, count, 129),
        "tokens": source.choice(_SEQUENCES, count).astype(np.int64),
        "wrong": source.integers(0, len(WRONG_SIZES), count),
    }
    if wide:
        columns = {name: column.astype(object) for name, column in columns.items()}
    return Batch(settings=settings, columns=columns)


def _sizes(source: np.random.Generator, count: int, high: int) -> NDArray[np.int64]:
    """Half of them of any magnitude, half uniform: small sizes are where formulas differ most."""
    even = source.integers(1, high, count)
    steep = np.exp(source.random(count) * np.log(high)).astype(np.int64).clip(1, high - 1)
    return np.where(source.random(count) < 0.5, even, steep)


def check(batch: Batch, tally: Tally) -> None:
    """Everything that must hold of a batch."""
    decoder, model = _decoder(batch), _model(batch)
    tally.notes["wide" if batch.columns["hidden"].dtype == object else "16 bit"] += len(batch)
    tally.equal("parameters", batch, model.parameters, closed_form.parameters(decoder))
    tally.equal("projections", batch, model.matrix_weights, closed_form.matrices(decoder))
    _steps(batch, tally, decoder, model)
    _adapters(batch, tally, decoder, model)
    _quantised(batch, tally, decoder, model)
    _activations(batch, tally, model)
    for row in _rows(batch):
        _alone(batch, tally, row, model)


def _fields(batch: Batch) -> dict[str, Any]:
    columns = dict(batch.columns)
    return {
        **{
            name: columns[name] for name in ("vocabulary", "layers", "hidden", "inner", "key_heads")
        },
        "heads": columns["key_heads"] * columns["groups"],
        "width": 2 * columns["half_width"],
    }


_SWITCHES = {"tied": "tie_word_embeddings", "attention_bias": "attention_bias",
             "mlp_bias": "mlp_bias", "family": "family"}  # fmt: skip


def _decoder(batch: Batch) -> Decoder:
    return Decoder(**_fields(batch), **{name: batch.settings[name] for name in _SWITCHES})


def _model(batch: Batch, **changes: Any) -> Any:
    fields = {**_fields(batch), **changes}
    switches = {theirs: batch.settings[ours] for ours, theirs in _SWITCHES.items()}
    return architectures(**{_NAMES[k]: v for k, v in fields.items()}, **switches)


def _steps(batch: Batch, tally: Tally, decoder: Decoder, model: Any) -> None:
    """One layer more, one token more: exactly a layer's and a token's weights more."""
    deeper = _model(batch, layers=decoder.layers + 1).parameters - model.parameters
    once = decoder._replace(vocabulary=0, layers=1)
    layer = closed_form.parameters(once) - decoder.hidden
    tally.equal("a_layer_more", batch, deeper, layer)
    wider = _model(batch, vocabulary=decoder.vocabulary + 1).parameters - model.parameters
    tally.equal("a_token_more", batch, wider, (1 if decoder.tied else 2) * decoder.hidden)


def _approach(batch: Batch, /, **changes: Any) -> Any:
    s = batch.settings
    made = Approach(
        kind=s["kind"],
        targets=tuple(s["targets"]),
        dropout=s["dropout"],
        weights=s["weights"],
        double_quantisation=s["double"],
        checkpointing=s["checkpointing"],
    )
    arrays = {name: batch.columns[name] for name in ("rank", "batch", "tokens")}
    return approaches(made, **{**arrays, **changes})


def _adapters(batch: Batch, tally: Tally, decoder: Decoder, model: Any) -> None:
    """LoRA's parameters, whatever trains the rest; twice the rank is twice as many."""
    approach = _approach(batch)
    full = approach.kind == "full"
    targets = tuple(batch.settings["targets"])
    expected = 0 if full else closed_form.adapters(decoder, batch.columns["rank"], targets)
    found = planner.adapter_parameters(model, approach)
    tally.equal("adapters", batch, found + 0 * batch.columns["rank"], expected)


def _quantised(batch: Batch, tally: Tally, decoder: Decoder, model: Any) -> None:
    double = batch.settings["double"]
    found = quantised_matrices(model, double=double)
    tally.equal("nf4_codes", batch, found.codes, closed_form.nf4_codes(decoder))
    tally.equal("nf4_scales", batch, found.scales, closed_form.nf4_scales(decoder, double=double))


def _activations(batch: Batch, tally: Tally, model: Any) -> None:
    """Exactly linear in the batch; the log-probabilities take 12 bytes a token and position."""
    columns = batch.columns
    found: list[Any] = [
        activation_bytes(model, _approach(batch, batch=columns["batch"] * n)) for n in (1, 2, 3)
    ]
    one, two, three = found
    tally.equal("linear_in_batch", batch, three - two, two - one)
    tally.must("grows_with_batch", batch, two > one, lambda r: f"{one[r]} and {two[r]}")
    logits = 12 * columns["batch"] * columns["tokens"] * columns["vocabulary"]
    tally.equal("logit_bytes", batch, logit_bytes(model, _approach(batch)), logits)


def _rows(batch: Batch) -> list[int]:
    """Rows that are also planned alone: evenly spread."""
    return list(range(0, len(batch), max(1, len(batch) // _SCALAR_ROWS)))


def _alone(batch: Batch, tally: Tally, row: int, model: Any) -> None:
    """The real constructors and the whole plan of one row."""
    fields = {k: int(v[row]) for k, v in _fields(batch).items()}
    switches = {theirs: batch.settings[ours] for ours, theirs in _SWITCHES.items()}
    sizes: dict[str, Any] = {_NAMES[k]: v for k, v in fields.items()}
    approach = _scalar_approach(batch, row)
    plan = plan_memory(Architecture(**sizes, **switches), approach)
    same = plan.base_parameters == model.parameters[row]
    tally.one("alone_as_together", batch, row, bool(same), f"{plan.base_parameters}")
    wrong = _bytes_wrong(plan)
    tally.one("bytes_follow_counts", batch, row, not wrong, wrong)
    _refusals(batch, tally, row, {**sizes, **switches})


def _scalar_approach(batch: Batch, row: int) -> Approach:
    numbers = {name: int(batch.columns[name][row]) for name in ("rank", "batch", "tokens")}
    many = _approach(batch)
    fields = {name: getattr(many, name) for name in Approach.__dataclass_fields__}
    return Approach(**{**fields, **numbers})


def _bytes_wrong(plan: MemoryPlan) -> str:
    """The name of a part that does not follow from the counts, or nothing."""
    width = 4 if plan.approach.weights == "float32" else 2
    full = plan.approach.kind == "full"
    trained = plan.base_parameters if full else plan.adapter_parameters
    state = width if full else 4
    wanted = {
        "trainable_parameters": trained,
        "gradient_bytes": trained * state,
        "adapter_bytes": 4 * plan.adapter_parameters,
        "total_bytes": sum(plan.parts.values()),
    }
    if plan.approach.kind != "qlora":
        wanted["weight_bytes"] = plan.base_parameters * width
    wrong = [name for name, value in wanted.items() if getattr(plan, name) != value]
    low = plan.static_bytes <= plan.peak_bytes <= plan.total_bytes
    share = 0 < plan.trainable_share <= 1
    return ", ".join(wrong) or ("" if low else "peak_bytes") or ("" if share else "share")


def _refusals(batch: Batch, tally: Tally, row: int, sound: Mapping[str, Any]) -> None:
    """A wrong size is refused with our error, whatever the others are; a sound one never is."""
    name, value = WRONG_SIZES[int(batch.columns["wrong"][row])]
    try:
        Architecture(**{**sound, name: value})
    except UsageError as error:
        told = name in str(error)
        tally.one("wrong_sizes_are_refused", batch, row, told, f"{name}={value!r}: {error}")
    except Exception as error:  # noqa: BLE001 - any other exception is the defect looked for
        what = f"{name}={value!r}: {type(error).__name__}: {error}"
        tally.one("wrong_sizes_are_refused", batch, row, False, what)
    else:
        tally.one("wrong_sizes_are_refused", batch, row, False, f"{name}={value!r} is taken")


TARGET = Numeric(name="parameter_calc", draw=draw, check=check)
