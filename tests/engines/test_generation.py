"""The generation loop: every way to end, and nothing after a NaN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from pytest_modelqa.core.request import Generate
from pytest_modelqa.engines.arrays import choose, keep_logits
from pytest_modelqa.engines.generation import Completion, Job, common_prefix, complete

STOP = 0


def spelt(ids: Sequence[int]) -> str:
    """Id 1 is "a", id 2 is "b"."""
    return "".join(" ab"[i] for i in ids)


def looped(
    rows: list[list[float]], max_tokens: int = 8, n_ctx: int = 100, stop: tuple[str, ...] = ()
) -> Completion:
    """Feed rows of logits one after the other; the last repeats."""
    left = list(rows)

    def feed(ids: list[int]) -> NDArray[np.float32]:
        assert ids
        return np.array(left.pop(0) if len(left) > 1 else left[0], dtype=np.float32)

    request = Generate(prompt="p", max_tokens=max_tokens, stop=stop)
    job = Job(prompt=[1, 2], request=request, stop_ids={STOP}, n_ctx=n_ctx, decode=spelt)
    return complete(feed, job)


def test_it_takes_the_greatest_logit_until_a_stop_token() -> None:
    loop = looped([[0, 1, 2], [0, 3, 2], [9, 0, 0]])
    assert (loop.ids, loop.finish) == ([2, 1], "stop")
    assert loop.peaks == [2.0, 3.0]


def test_it_ends_at_max_tokens_and_at_the_context() -> None:
    assert looped([[0, 1, 2]], max_tokens=3).finish == "length"
    short = looped([[0, 1, 2]], n_ctx=4)
    assert (len(short.ids), short.finish) == (2, "context")


def test_it_ends_where_the_text_holds_a_stop_text_and_not_where_the_prompt_does() -> None:
    a, b = [0.0, 1, 0], [0.0, 0, 1]
    loop = looped([a, a, b, a, a, b, a], stop=("baa", "xyz"), max_tokens=20)
    assert (spelt(loop.ids), loop.finish) == ("aabaa", "stop")
    assert looped([a, a, b, a], stop=("bb",), max_tokens=20).finish == "length"
    assert spelt(looped([a, b], stop=("ab",)).ids) == "ab", "the prompt's own ids end nothing"
    assert looped([a], stop=("a" * 9,), max_tokens=20).ids == [1] * 9


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_it_ends_at_the_first_logit_that_is_not_finite(bad: float) -> None:
    loop = looped([[0, 1, 2], [0, bad, 2], [0, 1, 2]])
    assert (loop.ids, loop.nonfinite_steps) == ([2], 1)


def test_sampling_repeats_with_its_seed_and_follows_the_weights() -> None:
    row = np.array([0.0, 5.0, 0.0], dtype=np.float32)
    draws = [choose(row, 1.0, np.random.default_rng(s)) for s in range(200)]
    assert draws == [choose(row, 1.0, np.random.default_rng(s)) for s in range(200)]
    assert 0.9 < draws.count(1) / 200 < 1.0
    assert choose(row, 0.0, np.random.default_rng(0)) == 1


def test_kept_logits_tell_nan_flatness_and_their_file(tmp_path: object) -> None:
    from pathlib import Path

    from safetensors.numpy import load_file

    folder = Path(str(tmp_path)) / "arrays"
    logits = np.array([[1, 2, 3], [4, 4, 4], [np.nan, 1, np.inf]], dtype=np.float32)
    kept = keep_logits(logits, folder)
    assert (kept.positions, kept.vocabulary, kept.nonfinite) == (3, 3, 2)
    assert kept.spread == 0.0
    assert kept.top1 == (2, 0, -1)
    np.testing.assert_array_equal(load_file(folder.parent / kept.file)["logits"], logits)


def test_what_prompts_share_leaves_each_something_of_its_own() -> None:
    assert common_prefix([[1, 2, 3], [1, 2, 4, 5]]) == 2
    assert common_prefix([[1, 2, 3], [1, 2]]) == 1
    assert common_prefix([[1, 2], [1, 2]]) == 1
    assert common_prefix([[1, 2], [3]]) == 0
    assert common_prefix([[7]]) == 0
