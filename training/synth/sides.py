"""The generator: nine sets of any size, the same for the same size and seed on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random

from pytest_modelqa.core.errors import UsageError
from training.records import (
    HOLD_OUT,
    HOLD_OUT_SIZE,
    TRAINING_SETS,
    Record,
    RecordFile,
    digest_of,
)
from training.synth.draw import Draw, Side
from training.synth.sets import MAKERS
from training.synth.words import POOLS, QUALIFIERS, ROLES

GENERATOR = "pytest-modelqa synth 6"
"""Named in every record's metadata; the number rises when the same seed gives other records."""
_PATIENCE = 200
"""Draws in a row that give a known prompt before a set is called exhausted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """The eight training sets in the seed's order, and the hold-out."""

    train: tuple[RecordFile, ...]
    hold_out: RecordFile

    @property
    def files(self) -> tuple[RecordFile, ...]:
        """All nine."""
        return (*self.train, self.hold_out)


def sizes(size: int) -> Mapping[str, int]:
    """`size` records over the nine sets in the seed's proportions, by largest remainder.

    Each set has one record at least. Raises UsageError below nine.
    """
    wanted = {**TRAINING_SETS, HOLD_OUT: HOLD_OUT_SIZE}
    if size < len(wanted):
        raise UsageError(f"{size} records do not fill nine sets", remedy="--size 9 or more")
    free = size - len(wanted)
    total = sum(n - 1 for n in wanted.values())
    shares = {name: divmod(free * (n - 1), total) for name, n in wanted.items()}
    counts = {name: 1 + whole for name, (whole, _) in shares.items()}
    by_rest = sorted(wanted, key=lambda name: (-shares[name][1], name))
    for name in by_rest[: size - sum(counts.values())]:
        counts[name] += 1
    return counts


def generate(size: int, seed: int) -> Sets:
    """Make all nine sets in the seed's proportions. Raises what `sizes` and `drawn` raise."""
    return drawn(sizes(size), seed)


def drawn(counts: Mapping[str, int], seed: int) -> Sets:
    """Make the sets that are counted, the hold-out among them, from one record each.

    Raises UsageError where a grammar cannot make so many prompts.
    """
    train = tuple(
        _file(name, _records(_only(name), counts[name], name, "train", seed))
        for name in TRAINING_SETS
        if name in counts
    )
    held = _records(_mixed(), counts[HOLD_OUT], HOLD_OUT, "held", seed)
    return Sets(train=train, hold_out=_file(HOLD_OUT, held))


def _file(name: str, records: tuple[Record, ...]) -> RecordFile:
    return RecordFile(name=name, where=f"{name}.jsonl", records=records, sha256=digest_of(records))


Choice = Callable[[Random], str]


def _only(name: str) -> Choice:
    return lambda _: name


def _mixed() -> Choice:
    """The hold-out asks of all eight sets, as often as they are large."""
    names, weights = list(TRAINING_SETS), list(TRAINING_SETS.values())
    return lambda rng: rng.choices(names, weights)[0]


def _records(choice: Choice, count: int, name: str, side: Side, seed: int) -> tuple[Record, ...]:
    """A larger count begins with the records of a smaller one."""
    known: set[str] = set()
    made: list[Record] = []
    misses = 0
    for record in _endless(choice, name, side, seed):
        if record.prompt in known:
            misses += 1
            if misses > _PATIENCE:
                raise UsageError(
                    f"the grammar of {name} makes no more than {len(made):,} different prompts",
                    remedy="a smaller --size",
                )
            continue
        misses = 0
        known.add(record.prompt)
        made.append(record)
        if len(made) == count:
            break
    return tuple(made)


def _endless(choice: Choice, name: str, side: Side, seed: int) -> Iterator[Record]:
    start = hashlib.sha256(f"{seed}:{name}:{side}".encode()).digest()
    rng = Random(int.from_bytes(start))  # noqa: S311 - data, not secrets
    while True:
        kind = choice(rng)
        draw = Draw(rng, side, POOLS)
        role = draw.pick(ROLES) if draw.chance(0.8) else ""
        draw.bind(entity=draw.pick(QUALIFIERS) + role)
        draw.bind(count=str(draw.number(8, 90)), times=str(draw.number(2, 9)))
        made = MAKERS[kind](draw)
        metadata = {
            "synthetic": True,
            "generator": GENERATOR,
            "set": kind,
            "template": made.template,
            "split": side,
        }
        yield Record(
            instruction=made.instruction, input=made.input, output=made.output, metadata=metadata
        )
