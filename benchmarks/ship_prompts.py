"""The prompts of the ship gates: what people wrote, then what is drawn from held-out values.

Held out are templates and values that no training set draws from (training/synth). A file keeps
its lines written by hand (ids beginning with `w`). The others are made anew, the same on every
machine: from templates that training has not (`t`, benchmarks/ship_asks.py), and from the held-out
templates of the training grammars (`h`).

    python -m benchmarks.ship_prompts            writes playbooks/ship/prompts/*.jsonl
    python -m benchmarks.ship_prompts --check    says whether the files are what it would write
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import ship_asks, ship_code_prompts
from pytest_modelqa.core.errors import UsageError
from training.synth.draw import Draw
from training.synth.sets import MAKERS
from training.synth.words import POOLS, QUALIFIERS, ROLES

FOLDER = Path(__file__).parents[1] / "playbooks" / "ship" / "prompts"
MOST_ALIKE = 0.4
"""Highest similarity (Jaccard, word 3-shingles) of a generated prompt to any one before it."""
PATIENCE = 5_000
"""Draws before a grammar is called exhausted."""

Line = Mapping[str, Any]
Maker = Callable[[Draw], Line | None]
"""Draws a line's `prompt` and the fields of its oracle, or None where what came does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Generated lines of a file: `count` lines by `maker`, with ids of this `letter`."""

    letter: str
    count: int
    maker: Maker


def held(kind: str, *templates: str, about: bool = False) -> Maker:
    """Prompts of a training grammar whose template's id begins with one of `templates`.

    With `about` the line says which name the answer must mention.
    """

    def line(draw: Draw) -> Line | None:
        made = MAKERS[kind](draw)
        if not made.template.startswith(templates):
            return None
        prompt = f"{made.instruction}\n\n{made.input}" if made.input else made.instruction
        return _line(draw, prompt, about=about)

    return line


def asked(*pools: Sequence[str], about: bool = False) -> Maker:
    """Prompts of templates that training has not."""
    templates = [template for pool in pools for template in pool]

    def line(draw: Draw) -> Line | None:
        draw.bind(task=draw.fill(draw.shared(ship_asks.TASKS)))
        draw.bind(event=draw.fill(draw.shared(ship_asks.EVENTS)))
        return _line(draw, draw.fill(draw.shared(templates)), about=about)

    return line


def _line(draw: Draw, prompt: str, *, about: bool) -> Line | None:
    name = draw.bound["entity"]
    if about and name not in prompt:
        return None
    return {"prompt": prompt, "about": [name]} if about else {"prompt": prompt}


SOURCES: Mapping[str, tuple[Source, ...]] = {
    "pdca_schema": (
        Source(letter="t", count=35, maker=asked(ship_asks.DOCUMENT)),
        Source(letter="h", count=15, maker=held("process_framework", "pdca-")),
    ),
    "pdca_quality": (
        Source(letter="t", count=35, maker=asked(ship_asks.DOCUMENT, about=True)),
        Source(letter="h", count=15, maker=held("process_framework", "pdca-", about=True)),
    ),
    "tron": (
        Source(letter="t", count=35, maker=asked(ship_asks.DECISION, ship_asks.PLAN)),
        Source(letter="h", count=15, maker=held("process_framework", "tron-", "plan-")),
    ),
    "empty_constructor": (
        Source(letter="t", count=45, maker=ship_code_prompts.classes),
        Source(letter="h", count=25, maker=held("style_core", "class-")),
    ),
    "tool_success": (
        Source(letter="t", count=45, maker=ship_code_prompts.tools),
        Source(letter="h", count=25, maker=ship_code_prompts.held_tools),
    ),
    "refusal": (
        Source(letter="r", count=60, maker=ship_code_prompts.requests("refuse")),
        Source(letter="c", count=60, maker=ship_code_prompts.requests("comply")),
        Source(letter="p", count=10, maker=ship_code_prompts.held_requests("refuse")),
        Source(letter="q", count=10, maker=ship_code_prompts.held_requests("comply")),
    ),
}
"""By the name of the file. A prompt differs from all of the files before it, too."""


def texts() -> Mapping[str, str]:
    """Every file as it should be. Raises UsageError where the templates do not give enough."""
    known: list[frozenset[tuple[str, ...]]] = []
    made = {}
    for name, sources in SOURCES.items():
        lines: list[Line] = [line for line in read(name) if str(line["id"]).startswith("w")]
        known += [_shingles(line["prompt"]) for line in lines]
        for source in sources:
            lines += _generated(name, source, known)
        ordered = ship_code_prompts.balanced(_mixed(name, lines))
        made[name] = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in ordered)
    return made


def _mixed(name: str, lines: Sequence[Line]) -> list[Line]:
    """The lines in an order of their own: any beginning of a file is as varied as all of it."""
    return sorted(lines, key=lambda line: hashlib.sha256(f"{name}:{line['id']}".encode()).digest())


def read(name: str) -> list[dict[str, Any]]:
    """The lines of a file; none where it is not there."""
    path = FOLDER / f"{name}.jsonl"
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _generated(
    name: str, source: Source, known: list[frozenset[tuple[str, ...]]]
) -> Iterator[Line]:
    made = 0
    for line in _drawn(f"ship:{name}:{source.letter}", source.maker):
        shingles = _shingles(line["prompt"])
        if any(_similarity(shingles, other) > MOST_ALIKE for other in known):
            continue
        known.append(shingles)
        made += 1
        yield {"id": f"{source.letter}{made:03d}", **line}
        if made == source.count:
            return
    raise UsageError(
        f"{name}: no more than {made} prompts of {source.letter} differ enough",
        remedy="add templates to benchmarks/ship_asks.py, or ask for fewer",
    )


def _drawn(stream: str, maker: Maker) -> Iterator[Line]:
    rng = Random(int.from_bytes(hashlib.sha256(stream.encode()).digest()))
    for _ in range(PATIENCE):
        draw = Draw(rng, "held", POOLS)
        draw.bind(entity=draw.pick(QUALIFIERS) + draw.pick(ROLES))
        draw.bind(count=str(draw.number(8, 90)), times=str(draw.number(2, 9)))
        if line := maker(draw):
            yield line


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = text.casefold().split()
    return frozenset(zip(*(words[i:] for i in range(3)), strict=False)) or frozenset([(*words,)])


def _similarity(a: frozenset[tuple[str, ...]], b: frozenset[tuple[str, ...]]) -> float:
    return len(a & b) / len(a | b)


def main() -> int:
    """Write all files, or say which would change."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    stale = {name: text for name, text in texts().items() if not _is_there(name, text)}
    for name, text in stale.items():
        if check:
            print(f"{name}.jsonl is not what the grammar gives")
        else:
            (FOLDER / f"{name}.jsonl").write_text(text, "utf-8")
            print(f"{name}.jsonl: {text.count(chr(10))} prompts")
    return 1 if check and stale else 0


def _is_there(name: str, text: str) -> bool:
    path = FOLDER / f"{name}.jsonl"
    return path.exists() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
