"""A merge is judged by its numbers: each way to spoil one is found by name, a sound one holds."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from training.distances import Distances, summary
from training.findings import Finding, all_hold
from training.merge.judge import judge_logits, judge_modules, judge_untouched
from training.merge.measured import Divergence, ModuleDelta, Untouched

R, SCALE = 4, 2.0


def parts(dtype: str = "float32") -> tuple[Any, Any, Any, Any]:
    """Base weights (48, 32) in a type, A, B, and scale * B A."""
    import torch

    source = torch.Generator().manual_seed(3)
    base = (0.05 * torch.randn(48, 32, generator=source)).to(getattr(torch, dtype))
    a = 0.1 * torch.randn(R, 32, generator=source)
    b = 0.1 * torch.randn(48, R, generator=source)
    return base, a, b, SCALE * (b @ a)


def measured(merged: Any, *, dtype: str = "float32", wanted: Any = None) -> ModuleDelta:
    from training.merge.measure import delta_of

    base, _, _, sound = parts(dtype)
    return delta_of("layers.0.q_proj", base, merged, sound if wanted is None else wanted, R)


def broken(findings: list[Finding]) -> dict[str, str]:
    return {f.check: f.reason for f in findings if not f.passed}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_a_sound_merge_holds_every_check(dtype: str) -> None:
    base, _, _, wanted = parts(dtype)
    found = judge_modules([measured((base.float() + wanted).to(base.dtype), dtype=dtype)])
    assert not broken(found)
    assert len(found) == 5


def test_a_float32_base_merged_to_bfloat16_holds() -> None:
    import torch

    base, _, _, wanted = parts()
    delta = measured((base + wanted).to(torch.bfloat16))
    assert not broken(judge_modules([delta]))


def test_negative_the_base_in_place_of_the_merged_model() -> None:
    found = broken(judge_modules([measured(parts()[0])]))
    assert "the merge did nothing" in found["merge-applied"]
    assert "merge-norm" in found


def test_negative_merged_twice() -> None:
    base, _, _, wanted = parts()
    found = broken(judge_modules([measured(base + 2 * wanted)]))
    assert "merged twice" in found["merge-applied"]
    assert "layers.0.q_proj" in found["merge-applied"]


@pytest.mark.parametrize("alpha", [0.5, 0.97, 1.05, 1.5])
def test_negative_wrong_alpha_is_told_with_its_factor(alpha: float) -> None:
    base, _, _, wanted = parts()
    found = broken(judge_modules([measured(base + alpha * wanted)]))
    assert "alpha is wrong" in found["merge-applied"]
    assert f"{alpha:.3f}" in found["merge-applied"]


def test_negative_a_full_rank_change_is_no_merge() -> None:
    import torch

    base, _, _, wanted = parts()
    noise = 1e-4 * torch.randn(wanted.shape, generator=torch.Generator().manual_seed(1))
    assert {"merge-rank", "merge-exact"} <= broken(
        judge_modules([measured(base + wanted + noise)])
    ).keys()


def test_negative_another_adapter_of_the_same_norm() -> None:
    base, _, _, wanted = parts()
    assert "merge-applied" in broken(judge_modules([measured(base + wanted.flip(0))]))


def test_negative_a_change_that_the_type_rounds_away() -> None:
    import torch

    base, _, _, wanted = parts("bfloat16")
    small = wanted * 1e-3
    delta = measured((base.float() + small).to(torch.bfloat16), dtype="bfloat16", wanted=small)
    assert "merge-precision" in broken(judge_modules([delta]))


def test_negative_nan_weights_hold_nothing_that_looks_at_them() -> None:
    base, _, _, wanted = parts()
    merged = base + wanted
    merged[3, 3] = math.nan
    found = broken(judge_modules([measured(merged)])).keys()
    assert found == {"merge-applied", "merge-rank", "merge-norm", "merge-exact"}


def test_negative_an_adapter_of_zeros_is_no_merge() -> None:
    base, _, _, wanted = parts()
    delta = measured(base, wanted=0 * wanted)
    assert {"merge-applied", "merge-norm", "merge-precision"} <= broken(
        judge_modules([delta])
    ).keys()


def test_negative_one_bad_module_among_many_is_named() -> None:
    base, _, _, wanted = parts()
    good = measured(base + wanted)
    bad = replace(measured(base), module="layers.7.v_proj")
    found = broken(judge_modules([good, good, bad, good]))
    assert "layers.7.v_proj" in found["merge-applied"]
    assert "1 of 4" in found["merge-applied"]


def test_negative_no_modules_are_no_pass() -> None:
    assert not all_hold(judge_modules([]))


def test_singular_values_are_those_of_the_exact_method() -> None:
    import torch

    from training.merge.measure import largest

    _, _, _, wanted = parts()
    exact = torch.linalg.svdvals(wanted)[:R].tolist()
    assert largest(wanted, R + 8)[:R] == pytest.approx(exact, rel=1e-5)


FAR = Distances(positions=90, mean=0.4, largest=2.0, finite=True)
NEAR = Distances(positions=90, mean=1e-12, largest=1e-11, finite=True)


def test_equal_logits_of_an_adapter_that_does_something_hold() -> None:
    assert all_hold(judge_logits(Divergence(of_base=FAR, of_merged=NEAR), half=False))
    rounded = replace(NEAR, largest=1e-3)
    assert all_hold(judge_logits(Divergence(of_base=FAR, of_merged=rounded), half=True))


@pytest.mark.parametrize("half", [False, True])
def test_negative_logits_of_the_base_are_not_those_of_the_adapter(half: bool) -> None:
    found = broken(judge_logits(Divergence(of_base=FAR, of_merged=FAR), half=half))
    assert list(found) == ["merged-logits"]


def test_negative_an_adapter_without_effect() -> None:
    found = broken(judge_logits(Divergence(of_base=NEAR, of_merged=NEAR), half=False))
    assert list(found) == ["adapter-effect"]


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [math.inf]])
def test_negative_missing_or_infinite_logits_are_no_pass(values: list[float]) -> None:
    seen = summary(values)
    assert not all_hold(judge_logits(Divergence(of_base=FAR, of_merged=seen), half=False))
    assert not all_hold(judge_logits(Divergence(of_base=seen, of_merged=NEAR), half=True))


def test_negative_other_counts_of_positions_are_no_pass() -> None:
    fewer = replace(NEAR, positions=89)
    assert not all_hold(judge_logits(Divergence(of_base=FAR, of_merged=fewer), half=False))


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (Untouched(tensors=9, differing=("norm.weight",), missing=(), added=()), "differs"),
        (Untouched(tensors=9, differing=(), missing=("lm_head.weight",), added=()), "missing"),
        (Untouched(tensors=9, differing=(), missing=(), added=("x",)), "not the base's"),
        (Untouched(tensors=0, differing=(), missing=(), added=()), "0 are"),
    ],
)
def test_negative_untouched_tensors_must_be_there_and_the_same(seen: Untouched, word: str) -> None:
    found = judge_untouched(seen)
    assert not found.passed
    assert word in found.reason


def test_untouched_tensors_that_are_the_same_hold() -> None:
    assert judge_untouched(Untouched(tensors=9, differing=(), missing=(), added=())).passed
