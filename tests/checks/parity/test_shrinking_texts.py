"""Shrinking of texts: every reduction is simpler, and what remains is small."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_modelqa.checks.parity.shrinking import PER_ROUND, ROUNDS, reductions, simplicity


def shrunk(text: str, differs: Callable[[str], bool]) -> tuple[str, int]:
    """What the rounds of the check would come to, and how many it took."""
    for turn in range(ROUNDS):
        found = [t for t in reductions(text) if differs(t)]
        if not found:
            return text, turn
        text = min(found, key=simplicity)
    return text, ROUNDS


@given(st.text(max_size=300))
def test_reductions_are_few_different_and_simpler(text: str) -> None:
    found = reductions(text)
    assert len(found) <= PER_ROUND
    assert len(set(found)) == len(found)
    assert all(simplicity(t) < simplicity(text) for t in found)


@pytest.mark.parametrize(
    ("text", "needle", "smallest"),
    [
        ("x" * 3000 + "ing" + "y" * 2000, "ing", "ing"),
        ("The quick brown  7 foxes", "  7", "  7"),
        ("\u4e2d\u6587 caf\u00e9", "\u00e9", "\u00e9"),
        ("<|im_start|>user\nhi<|im_end|>", "<|im_end|>", "<|im_end|>"),
        ("ing", "ing", "ing"),
    ],
)
def test_a_text_shrinks_to_the_part_that_differs(text: str, needle: str, smallest: str) -> None:
    assert shrunk(text, lambda t: needle in t)[0] == smallest


def test_characters_that_do_not_matter_become_simple_ones() -> None:
    found, _ = shrunk("Zq%Wnd!", lambda t: len(t) >= 3 and t[1] == "q")
    assert found == "aqa"


def test_two_parts_far_apart_are_both_kept() -> None:
    text = "#" + "m" * 700 + "@" + "m" * 300
    found, _ = shrunk(text, lambda t: "#" in t and "@" in t)
    assert found == "#@"


def test_what_always_differs_shrinks_to_nothing_and_the_empty_text_is_done() -> None:
    assert shrunk("a" * 1000, lambda _: True)[0] == ""
    assert reductions("") == ()
