"""Edits of JSON-like trees: values of another type or absurd size, keys gone, twice, or moved."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from suites.fuzz.byte_edits import EXTREMES

HUGE = 10**4000
"""An integer of 4001 digits: Python reads it from JSON, and refuses to write a product of two."""

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 1.5, -0.0, 1e-320, 1e308, float("inf"), float("-inf"),
    float("nan"), HUGE, -HUGE, 10**400, "", " ", "0", "-1", "true", "null", "../x", "/etc/passwd",
    "a" * 300, "\x00", "\n", "\ud800", "\u202e", "\U0001f600", [], {}, [[]], [None], {"": None},
)  # fmt: skip

NUMBERS: tuple[Any, ...] = (
    0, -1, 1, 1.5, 0.5, -2.5, 1e-320, 1e308, float("inf"), float("nan"), HUGE, -HUGE, 10**400,
)  # fmt: skip
Place = tuple[Any, Any]
"""A container, and the key or index of a value in it."""
Edit = Callable[[Random, Any, Place], None]


def value(dice: Random) -> Any:
    """A value that few expect."""
    pick = dice.randrange(8)
    if pick < 2:
        return dice.choice(EXTREMES) * dice.choice((1, -1))
    if pick == 2:
        return _deep(dice)
    return cloned(dice.choice(_VALUES))


def _deep(dice: Random) -> Any:
    made: Any = dice.choice((None, 0, "x"))
    for _ in range(dice.choice((2, 8, 70, 300))):
        made = [made] if dice.random() < 0.5 else {"a": made}
    return made


def places(tree: Any) -> Iterator[Place]:
    """Every value below the root, with what holds it."""
    if not isinstance(tree, (dict, list)):
        return
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, child in list(items):
        yield tree, key
        yield from places(child)


def replace(dice: Random, _tree: Any, place: Place) -> None:
    """Another value."""
    place[0][place[1]] = value(dice)


def nudge(dice: Random, _tree: Any, place: Place) -> None:
    """A number a little off; a text with a letter gone; else another value."""
    found = place[0][place[1]]
    if type(found) in (int, float):
        place[0][place[1]] = (
            found + dice.choice((-1, 1, -64, 64)) if found else dice.choice((1, -1))
        )
    elif isinstance(found, str) and found:
        at = dice.randrange(len(found))
        place[0][place[1]] = found[:at] + found[at + 1 :]
    else:
        replace(dice, _tree, place)


def remove(_dice: Random, _tree: Any, place: Place) -> None:
    """Take a key or an item out."""
    del place[0][place[1]]


def rename(dice: Random, _tree: Any, place: Place) -> None:
    """The same value under another key; an item goes to the end of its list."""
    holder, key = place
    moved = holder.pop(key)
    if isinstance(holder, dict):
        holder[dice.choice((f"{key}x", str(key)[:-1], str(key).upper(), "", "__proto__"))] = moved
    else:
        holder.append(moved)


def graft(dice: Random, tree: Any, place: Place) -> None:
    """The value of another place."""
    holder, key = dice.choice(list(places(tree)))
    place[0][place[1]] = cloned(holder[key])


def wrap(dice: Random, _tree: Any, place: Place) -> None:
    """The value within a list or an object, or as its text."""
    found = place[0][place[1]]
    shapes: tuple[Any, ...] = ([found], {"value": found}, [found, found], str(type(found)))
    place[0][place[1]] = dice.choice(shapes)


def several(dice: Random, tree: Any, _place: Place) -> None:
    """Extreme numbers in the place of about half of all numbers: what one alone does not break."""
    for holder, key in list(places(tree)):
        if type(holder[key]) in (int, float) and dice.randrange(2):
            holder[key] = dice.choice((*NUMBERS, dice.choice(EXTREMES)))


EDITS: tuple[Edit, ...] = (several, replace, replace, nudge, nudge, remove, rename, graft, wrap)


def cloned(tree: Any) -> Any:
    """A copy that shares no container; ten times as fast as `copy.deepcopy`."""
    if isinstance(tree, Mapping):
        return {key: cloned(value) for key, value in tree.items()}
    return [cloned(value) for value in tree] if isinstance(tree, list) else tree


def edited(dice: Random, tree: Any, most: int = 3) -> Any:
    """A copy of the tree after one to `most` edits."""
    made = cloned(tree)
    for _ in range(dice.randint(1, most)):
        found = list(places(made))
        if not found:
            break
        dice.choice(EDITS)(dice, made, dice.choice(found))
    return made


def text(dice: Random, tree: Any) -> bytes:
    """The tree as JSON; sometimes with a key twice, or not quite JSON."""
    made = _dumped(tree)
    pick = dice.randrange(16)
    if pick == 0 and made.startswith(b"{") and len(made) > 2:
        inner = made[1:-1]
        return b"{" + inner + b"," + inner + b"}"
    if pick == 1:
        at = dice.randrange(len(made) + 1)
        return made[:at] + dice.choice((b"\xff", b"\x00", b",", b"}", b"\\", b'"')) + made[at:]
    return made


def _dumped(tree: Any) -> bytes:
    """JSON as the standard library writes it, with integers of any length."""
    return json.dumps(tree, default=str).encode()
