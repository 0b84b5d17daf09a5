"""YAML in, positions and plain data out; nothing surprising, nothing dangerous."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_modelqa.core.errors import PlaybookError, UsageError
from pytest_modelqa.playbook import positions
from pytest_modelqa.playbook.positions import Flaw, parse, read_bytes


def data(text: str) -> Any:
    tree, flaws = parse(text.encode(), "f.yaml")
    assert not flaws
    return tree.plain()


def refusal(text: str | bytes) -> str:
    with pytest.raises(PlaybookError) as caught:
        parse(text if isinstance(text, bytes) else text.encode(), "f.yaml")
    return str(caught.value)


def flaws(text: str) -> list[str]:
    _, found = parse(text.encode(), "f.yaml")
    return [f"{f.at.line}:{f.at.column}: {f.message}" for f in found]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("yes", "yes"), ("1:30", "1:30"), ("012", "012"),
        ("0x1f", "0x1f"), ("1_000", "1_000"), ("2020-01-01", "2020-01-01"), (".inf", ".inf"),
        (".nan", ".nan"), ("1e999", "1e999"), ("9" * 30, "9" * 30), ("1e-5", 1e-5), ("1.0", 1.0),
        (".5", 0.5), ("-3", -3), ("0", 0), ("true", True), ("False", False), ("~", None),
        ("", None), ("'3'", "3"), ('"null"', "null"), ("!!str 4", "4"), ("!!int 5", 5),
        ("<<", "<<"), ("|\n  12\n", "12\n"),
    ],
)  # fmt: skip
def test_scalars_mean_what_a_reader_expects(text: str, value: object) -> None:
    found = data(f"a: {text}")["a"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text_whatever_they_look_like() -> None:
    assert data("on: 1\n12: 2\ntrue: 3\n~: 4") == {"on": 1, "12": 2, "true": 3, "~": 4}


def test_every_value_knows_its_place() -> None:
    tree, _ = parse(b"a:\n  - x\n  - {b: 1}\n", "f.yaml")
    inner = tree.nearest(("a", 1, "b"))
    assert (inner.at.line, inner.at.column) == (3, 9)
    assert inner.key_at is not None
    assert inner.key_at.column == 6
    assert tree.nearest(("a", 7)) is tree.value["a"]


def test_an_alias_repeats_its_anchor() -> None:
    assert data("a: &x [1, 2]\nb: *x") == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f.yaml:1:1: the file is empty"),
        ("# only a comment\n", "f.yaml:1:1: the file is empty"),
        ("- a", "f.yaml:1:1: not a mapping"),
        ("hello", "f.yaml:1:1: not a mapping"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a second document"),
        ("a:\n\tb: 1", "f.yaml:2:1: invalid YAML: a tab"),
        ("a: [1", "f.yaml:2:1: invalid YAML: did not find expected ',' or ']'"),
        ("a: b: c", "f.yaml:1:5: invalid YAML: mapping values are not allowed"),
        ("a: *nowhere", "f.yaml:1:4: invalid YAML: found undefined alias"),
        (b"a: 1\nb: \xff", "f.yaml:2:4: not UTF-8: byte 0xff"),
        ("a: 1\nb: \x01", "f.yaml:2:4: character U+0001"),
        ("a: &x [*x]", "nested deeper than 64 levels, or in itself"),
        ("a: " + "[" * 200 + "]" * 200, "f.yaml:1:67: nested deeper than 64 levels"),
    ],
)
def test_what_is_no_playbook_is_refused_with_its_place(text: str | bytes, expected: str) -> None:
    # The C scanner words some messages otherwise than the Python one, and counts "[1" differently.
    if not hasattr(yaml, "CSafeLoader") and "invalid YAML" in expected:
        expected = "invalid YAML"
    assert expected in refusal(text)


def test_a_hundred_thousand_brackets_do_not_kill_the_process() -> None:
    assert "nested deeper" in refusal("[" * 100_000)


def test_a_billion_laughs_are_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [" + ", ".join([f"*a{i - 1}"] * 10) + "]" for i in range(1, 9)]
    assert "more than 100,000 values" in refusal("\n".join(lines))


def test_small_mistakes_are_collected_with_positions() -> None:
    text = (
        "a: 1\na: 2\n<<: {x: 1}\n? [1]\n: 2\n"
        "b: !!python/object:os.system x\nc: !foo {d: 1}\ne: !!int x"
    )
    assert flaws(text) == [
        "2:1: duplicate key 'a'; the first is at 1:1",
        "3:1: merge keys (<<) are not supported; write the keys out",
        "4:3: a key must be text, not a list or a mapping",
        "6:4: the tag !!python/object:os.system is not supported here; remove it",
        "7:4: the tag !foo is not supported; remove it",
        "8:4: the tag !!int is not supported here; remove it",
    ]


def test_equal_keys_of_different_mappings_are_no_duplicates() -> None:
    assert flaws("a: {x: 1}\nb: {x: 1}") == []


def test_a_byte_order_mark_is_no_character() -> None:
    tree, _ = parse("\ufeffa: 1".encode(), "f.yaml")
    assert tree.plain() == {"a": 1}
    assert (tree.value["a"].at.line, tree.value["a"].at.column) == (1, 4)


def test_a_file_beyond_the_size_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"a" * (positions.MAX_BYTES + 1))
    with pytest.raises(PlaybookError, match="larger than 1,048,576 bytes"):
        read_bytes(path)
    path.write_bytes(b"a" * positions.MAX_BYTES)
    assert len(read_bytes(path)) == positions.MAX_BYTES


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such playbook"):
        read_bytes(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match="Is a directory"):
        read_bytes(tmp_path)


def test_paths_are_written_as_in_code() -> None:
    at = positions.Position("f", 1, 2)
    assert Flaw(at, ("a", "b", 2, "c"), "m").problem.path == "a.b[2].c"
