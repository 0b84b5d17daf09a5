"""Prompts that a registered function makes: the entry-point group `modelqa.prompts`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.playbook.ship_lines import Read, mistakes
from tests.playbook.stubs import Sum


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Install a distribution with a generator `numbers` that has this body."""

    def run(body: str) -> None:
        site = tmp_path / "site"
        info = site / "making-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: making\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[modelqa.prompts]\nnumbers = making_numbers:made\n")
        (site / "making_numbers.py").write_text(f"def made(options):\n    {body}\n")
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, "making_numbers", raising=False)

    return run


ASKED: dict[str, Any] = {"prompts": {"generator": "numbers", "count": 3}}


def test_a_generator_makes_the_lines_from_its_options(
    gated: Read, install: Callable[[str], None]
) -> None:
    install(
        "return [{'id': str(i), 'prompt': f'{i}?', 'expected': i} for i in range(options['count'])]"
    )
    book = gated(ASKED)
    assert book.ship is not None
    prompts = book.ship.harnesses[0].prompts
    assert [(p.id, p.text, p.oracle) for p in prompts] == [
        (str(i), f"{i}?", Sum(expected=i)) for i in range(3)
    ]
    assert gated({**ASKED, "samples": 2}).sha256 != book.sha256


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return []", "prompts: the generator 'numbers' gives no entries"),
        ("return [3]", "gives entry 0 is the number 3, no mapping"),
        (
            "import time; return [{'id': str(time.perf_counter_ns()), 'prompt': '1'}]",
            "the generator 'numbers' gives another list each time",
        ),
        ("return 3", "the generator 'numbers' fails: TypeError"),
        ("raise OSError('gone')", "the generator 'numbers' fails: OSError: gone"),
        ("return [{'id': 'a', 'promt': '1'}]", "prompts[0].promt: unknown key 'promt'"),
        ("return [{'id': 'a', 'prompt': float('nan')}]", "fails: ValueError"),
        ("return [{'id': 'a', 'prompt': '1'}] * 2", "prompts[1].id: a second prompt 'a'"),
    ],
)
def test_ship_negative_what_a_generator_does_wrong_is_told(
    gated: Read, install: Callable[[str], None], body: str, told: str
) -> None:
    install(body)
    found = mistakes(gated, ASKED)
    assert any(told in line for line in found), found


def test_ship_negative_an_unknown_generator_lists_the_known_ones(
    gated: Read, install: Callable[[str], None]
) -> None:
    install("return []")
    found = mistakes(gated, {"prompts": {"generator": "number"}})
    assert any("did you mean 'numbers'?" in line for line in found), found
