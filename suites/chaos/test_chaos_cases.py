"""The 15 chaos cases of the reference, on real constructors and the real planner.

There they were arithmetic on local variables. Here transformers, peft, bitsandbytes and ggml say
what a configuration becomes, and the planner must say the same before anything is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from suites.conftest import Record

if TYPE_CHECKING:
    from training.memory import Architecture

pytestmark = [
    pytest.mark.tier2,
    pytest.mark.edge,
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:Initializing zero-element tensors"),
]

ALL = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
ATTENTION = ALL[:4]
MILLION = 1_000_000

Sizes = Callable[..., "Architecture"]
Case = Callable[[int, str, int, str], None]


@pytest.fixture
def sizes() -> Sizes:
    """The architecture of a hidden size, heads, layers, an inner width and a vocabulary."""
    from training.memory import Architecture  # noqa: PLC0415 - collecting stays cheap

    def made(
        hidden: int = 128, *, heads: int = 4, layers: int = 2, inner: int = 512, words: int = 1000
    ) -> Architecture:
        return Architecture(
            vocab_size=words,
            hidden_size=hidden,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
        )

    return made


@pytest.fixture
def case(row: Record) -> Case:
    """Leave a row: number and name of the case, points that were tried, what was compared."""

    def leave(number: int, name: str, points: int, compared: str) -> None:
        row("chaos_cases", {"case": number, "name": name, "points": points, "compared": compared})

    return leave


def agreed(made: Architecture) -> int:
    """The parameters of a model, which transformers' model and the planner agree on."""
    from suites.chaos import extremes  # noqa: PLC0415 - imports torch
    from training import plan_memory  # noqa: PLC0415

    model = extremes.built(made)
    plan = plan_memory(made)
    assert plan.parameters == plan.trainable_parameters == extremes.count(model)
    assert plan.weight_bytes == plan.gradient_bytes == extremes.stored(model)
    return plan.parameters


def test_extreme_vocab_size(sizes: Sizes, case: Case) -> None:
    without = agreed(sizes(words=1)) - 2 * 128
    for words in (1, 100_000, MILLION):
        assert agreed(sizes(words=words)) == without + 2 * words * 128
        assert (2 * words * 128 > without) is (words > 1)
    case(1, "extreme_vocab_size", 3, "parameters: transformers and plan")


@pytest.mark.parametrize("key", ["hidden_size", "vocab_size", "num_hidden_layers",
                                 "num_attention_heads", "intermediate_size"])  # fmt: skip
@pytest.mark.parametrize("value", [0, -8])
def test_zero_hidden_size(key: str, value: int, case: Case) -> None:
    """And every other size; of zeros, transformers accepts three and divides by the others."""
    from suites.chaos import extremes  # noqa: PLC0415
    from suites.chaos.invalid import planned  # noqa: PLC0415

    told = extremes.ending(lambda: planned(**{key: value}))
    assert told.startswith(f"typed: {key} is {value}, not between 1 and")
    case(2, "zero_hidden_size", 1, f"{key} = {value} is refused by name")


@pytest.mark.parametrize(("hidden", "heads"), [(128, 3), (100, 7), (256, 5)])
def test_non_divisible_hidden_size(hidden: int, heads: int, case: Case) -> None:
    from transformers.models.llama import LlamaConfig  # noqa: PLC0415

    from suites.chaos import extremes  # noqa: PLC0415
    from suites.chaos.invalid import planned  # noqa: PLC0415

    theirs = extremes.ending(lambda: LlamaConfig(hidden_size=hidden, num_attention_heads=heads))
    ours = extremes.ending(lambda: planned(hidden_size=hidden, num_attention_heads=heads))
    assert theirs.startswith("StrictDataclassClassValidationError")
    assert ours.startswith(f"typed: hidden_size {hidden} is no multiple of num_attention_heads")
    case(3, "non_divisible_hidden_size", 1, f"{hidden} by {heads}: refused by both")


SLOW = pytest.mark.tier3
"""Thousands of modules are seconds of Python."""


@pytest.mark.parametrize(
    "layers", [1, 100, pytest.param(500, marks=SLOW), pytest.param(1000, marks=SLOW)]
)
def test_extreme_layer_counts(layers: int, sizes: Sizes, case: Case) -> None:
    one, two = agreed(sizes(layers=1)), agreed(sizes(layers=2))
    assert agreed(sizes(layers=layers)) == one + (layers - 1) * (two - one)
    case(4, "extreme_layer_counts", 1, f"{layers} layers: transformers and plan")


def test_memory_allocation_stress(sizes: Sizes, case: Case) -> None:
    """From a million to ten thousand million parameters; the largest takes 43 GB, unallocated."""
    shapes = [(64, 1, 3_000), (512, 24, 32_000), (2048, 16, 32_000), (5120, 32, 32_000)]
    counts = [
        agreed(sizes(hidden, heads=hidden // 64, layers=layers, inner=4 * hidden, words=words))
        for hidden, layers, words in shapes
    ]
    for count, power in zip(counts, (6, 8, 9, 10), strict=True):
        assert 10**power / 4 < count < 4 * 10**power
    case(5, "memory_allocation_stress", 4, "bytes: torch (meta) and plan")


def ranks(made: Architecture, targets: Sequence[str], chosen: Sequence[int]) -> list[int]:
    """Bytes of adapters by rank, which peft and the planner agree on."""
    from suites.chaos import extremes  # noqa: PLC0415
    from training import plan_memory  # noqa: PLC0415
    from training.memory import Approach  # noqa: PLC0415

    found = []
    for rank in chosen:
        approach = Approach(kind="lora", rank=rank, targets=tuple(targets))
        plan = plan_memory(made, approach)
        model = extremes.with_adapters(made, rank=rank, targets=tuple(targets))
        assert plan.trainable_parameters == extremes.count(model, trained=True)
        assert plan.weight_bytes + plan.adapter_bytes == extremes.stored(model)
        found.append(plan.adapter_bytes)
    return found


def test_lora_rank_extremes(sizes: Sizes, case: Case) -> None:
    """Beyond half the hidden size, where the reference never came, an adapter is no saving."""
    chosen = (1, 8, 256, 512, 1024, 4096)
    made = sizes(4096, heads=32, layers=2, inner=11_008)
    assert ranks(made, ATTENTION, chosen) == [4 * 2 * 8 * rank * 4096 for rank in chosen]
    assert 2 * 4096 * max(chosen) > 4096 * 4096
    case(6, "lora_rank_extremes", len(chosen), "adapters: peft and plan")


def test_quantization_extremes(case: Case) -> None:
    """From 1.7 to 64 bits a number: fewer bytes, larger errors, as ggml, bitsandbytes and torch do.

    ggml's 1-bit type is TQ1_0 (three values in 1.6875 bits); nothing stores less.
    """
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    from suites.chaos import extremes  # noqa: PLC0415
    from training.memory.quantised import nf4  # noqa: PLC0415

    values = np.random.default_rng(0).standard_normal((64, 256)).astype(np.float32)
    kinds = {"TQ1_0": 54, "TQ2_0": 66, "Q4_0": 144, "Q5_0": 176, "Q8_0": 272, "F16": 512}
    kinds["F32"] = 1024
    told = {kind: extremes.ggml_error(kind, values) for kind in kinds}
    assert {kind: taken / 64 for kind, (taken, _) in told.items()} == kinds
    errors = [told[kind][1] for kind in ("TQ2_0", "Q4_0", "Q5_0", "Q8_0", "F16", "F32")]
    assert all(a > b for a, b in pairwise(errors))
    assert errors[-1] == 0
    for bits, name in ((8, "int8"), (16, "float16"), (32, "float32"), (64, "float64")):
        held = torch.empty(MILLION, dtype=extremes.DTYPES[name], device="meta")
        assert held.nbytes == MILLION * bits // 8
    for numbers in (1, 63, 64, 65, 4096, 16_384, MILLION):
        for double in (False, True):
            assert nf4(numbers, double=double).total == extremes.packed(numbers, double=double)
    case(7, "quantization_extremes", 12, "bytes and errors: ggml, bitsandbytes, torch, plan")


def test_rope_theta_extremes(case: Case) -> None:
    from suites import reference  # noqa: PLC0415
    from suites.chaos import extremes  # noqa: PLC0415

    thetas = (1.5, 10.0, 1e2, 1e3, 1e4, 1e5, 1e6, 1e30)
    for theta in thetas:
        found = extremes.frequencies(128, theta).tolist()
        wanted = [reference.rope_frequency(i, width=128, theta=theta) for i in range(64)]
        # float32: a power's exponent is rounded by 6e-8, times log(theta) up to 69
        assert found == pytest.approx(wanted, rel=2e-5)
        assert found[0] == 1
        assert all(0 < b < a for a, b in pairwise(found))
        assert (found[32] < 0.0099) is (theta > 1e4)
    case(8, "rope_theta_extremes", len(thetas), "frequencies: transformers and formula")


def test_configuration_explosion(sizes: Sizes, case: Case) -> None:
    chosen = [(128, 2, 2, 512, 8_716_928), (768, 12, 12, 3072, 162_417_408),
              (4096, 32, 32, 11_008, 6_738_415_616)]  # fmt: skip
    for hidden, heads, layers, inner, known in chosen:
        made = sizes(hidden, heads=heads, layers=layers, inner=inner, words=32_000)
        assert agreed(made) == known
    case(9, "configuration_explosion", 3, "parameters: transformers, plan, known figures")


def test_batch_size_stress(sizes: Sizes, case: Case) -> None:
    """A batch of 1024 takes exactly 1024 times what one takes, and its logits are 268 GB."""
    from suites.chaos import extremes  # noqa: PLC0415
    from training import plan_memory  # noqa: PLC0415
    from training.memory import Approach  # noqa: PLC0415

    batches = (1, 2, 32, 128, 512, 1024)
    made = sizes(words=32_000)
    plans = [plan_memory(made, Approach(batch=b, tokens=2048)) for b in batches]
    for batch, plan in zip(batches, plans, strict=True):
        given = extremes.logits(made, batch=batch, tokens=2048)
        assert plan.logit_bytes == 3 * given.nbytes == batch * plans[0].logit_bytes
        assert plan.weight_bytes == plans[0].weight_bytes
    grown = [b.activation_bytes - a.activation_bytes for a, b in pairwise(plans)]
    assert grown == [grown[0] * (b - a) for a, b in pairwise(batches)]
    assert plans[-1].logit_bytes == 3 * 4 * 1024 * 2048 * 32_000
    case(10, "batch_size_stress", len(batches), "logits: transformers (meta) and plan")


def test_intermediate_size_ratios(sizes: Sizes, case: Case) -> None:
    from suites.chaos import extremes  # noqa: PLC0415

    ratios = (0.5, 1, 2, 3, 4, 8)
    for ratio in ratios:
        inner = int(1024 * ratio)
        weights = extremes.projections(1024, inner)
        made = sizes(1024, heads=8, inner=inner)
        planned = {m.name: m.weights for m in made.matrices if m.name in ALL[4:]}
        assert planned == {name.removesuffix(".weight"): n for name, n in weights.items()}
        assert sum(weights.values()) == 3 * 1024 * inner
    case(11, "intermediate_size_ratios", len(ratios), "projections: transformers and plan")


def test_adapter_memory_scaling(sizes: Sizes, case: Case) -> None:
    chosen = (8, 16, 32, 64, 128)
    taken = ranks(sizes(4096, heads=32, layers=2, inner=11_008), ALL, chosen)
    assert all(2 * a == b for a, b in pairwise(taken))
    assert taken[0] > 0
    case(12, "adapter_memory_scaling", len(chosen), "adapter bytes: peft and plan")


def test_head_count_constraints(sizes: Sizes, case: Case) -> None:
    """All 128: what the planner takes, transformers build; what it refuses, it refuses by name."""
    from suites.chaos import extremes  # noqa: PLC0415

    taken = []
    for heads in range(1, 129):
        told = extremes.ending(partial(sizes, heads=heads, layers=1))
        if told == "done":
            taken.append(heads)
            assert sizes(heads=heads).width * heads == 128
        else:
            assert told.startswith("typed: ")
            assert "no multiple" in told or "even number" in told
    assert taken == [1, 2, 4, 8, 16, 32, 64]
    assert len({agreed(sizes(heads=heads, layers=1)) for heads in taken}) == 1
    case(13, "head_count_constraints", 128, "heads: transformers and plan")


def test_overflow_detection(sizes: Sizes, case: Case) -> None:
    """Where torch cannot count the bytes any more, the plan still can; nothing wraps around."""
    from suites.chaos import extremes  # noqa: PLC0415
    from training import plan_memory  # noqa: PLC0415

    assert agreed(sizes(16_384, heads=128, layers=1, inner=65_536, words=100_000)) > 2**32
    huge = sizes(2**30, heads=2**20, layers=1, inner=1, words=2**40)
    told = extremes.ending(lambda: extremes.built(huge))
    assert told.startswith("RuntimeError: Storage size calculation overflowed")
    plan = plan_memory(huge)
    exact = 2 * 2**40 * 2**30 + 4 * 2**60 + 3 * 2**30 + 3 * 2**30
    assert plan.parameters == exact > 2**63
    assert plan.weight_bytes == 4 * exact
    largest = extremes.ending(lambda: sizes(2**63, heads=1))
    assert largest.startswith("typed: hidden_size is 9223372036854775808, not between 1 and")
    case(14, "overflow_detection", 3, "plan in exact integers; torch says overflow")


@pytest.mark.parametrize("budget", [8_000_000_000, 1_000_000_000, 30_000_000])
def test_graceful_degradation(budget: int, sizes: Sizes, case: Case) -> None:
    """What is left of a 7B model is planned to fit its budget, and is what real modules hold."""
    from suites.chaos import extremes  # noqa: PLC0415
    from suites.chaos.degrading import degraded  # noqa: PLC0415
    from training.memory import Approach  # noqa: PLC0415

    whole = sizes(4096, heads=32, layers=16, inner=4 * 4096, words=32_000)
    plan = degraded(whole, Approach(batch=8, tokens=512), budget)
    left, how = plan.architecture, plan.approach
    assert plan.total_bytes <= budget
    model = extremes.with_adapters(left, rank=how.rank, targets=how.targets)
    trained = extremes.count(model, trained=True)
    assert trained == plan.trainable_parameters
    assert extremes.count(model) == plan.parameters
    kept = f"{how.kind}, {left.num_hidden_layers} layers of {left.hidden_size}, {how.tokens} tokens"
    case(15, "graceful_degradation", 1, f"{budget / 1e6:,.0f} MB: {kept}")


def test_graceful_degradation_fits_as_bitsandbytes_and_torch_store_it(sizes: Sizes) -> None:
    """Codes, scales, tables, adapters, gradients and two moments, in bytes that were taken."""
    from suites.chaos import extremes  # noqa: PLC0415
    from suites.chaos.degrading import degraded  # noqa: PLC0415
    from training.memory import Approach  # noqa: PLC0415

    budget = 30_000_000
    whole = sizes(4096, heads=32, layers=32, inner=4 * 4096, words=32_000)
    plan = degraded(whole, Approach(kind="qlora", tokens=512), budget)
    left, how = plan.architecture, plan.approach
    layer = sum(extremes.packed(matrix.weights, double=True) for matrix in left.matrices)
    model = extremes.with_adapters(left, rank=how.rank, targets=how.targets)
    trained = 4 * extremes.count(model, trained=True)
    taken = left.num_hidden_layers * layer + 4 * left.other_weights + 4 * trained
    assert plan.static_bytes - taken <= 4 * 14 * left.num_hidden_layers + trained
    assert taken <= plan.total_bytes <= budget < 2 * plan.total_bytes


def test_negative_a_budget_that_nothing_fits_is_an_error_and_no_plan(sizes: Sizes) -> None:
    from suites.chaos import extremes  # noqa: PLC0415
    from suites.chaos.degrading import degraded  # noqa: PLC0415
    from training.memory import Approach  # noqa: PLC0415

    told = extremes.ending(lambda: degraded(sizes(), Approach(), 1000))
    assert told.startswith("typed: nothing fits 1,000 bytes")
    assert "try: give it more memory" in told


def test_negative_a_planner_that_forgets_something_is_found(
    sizes: Sizes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan without the norms, with 32-bit products, or with one matrix too few is red."""
    from training.memory.architecture import Architecture  # noqa: PLC0415

    healthy = sizes()
    agreed(healthy)
    for wrong in (
        lambda _: (),  # no norms
        lambda self: (self.hidden_size,),  # one of two
    ):
        with monkeypatch.context() as patch:
            patch.setattr(Architecture, "norms", property(wrong))
            with pytest.raises(AssertionError):
                agreed(healthy)
    with monkeypatch.context() as patch:
        exact: property = vars(Architecture)["matrix_weights"]
        patch.setattr(
            Architecture, "matrix_weights", property(lambda made: exact.__get__(made) % 2**32)
        )
        agreed(healthy)
        with pytest.raises(AssertionError):
            agreed(sizes(16_384, heads=128, layers=4, inner=65_536))
    agreed(healthy)
