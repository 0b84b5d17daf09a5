"""Reading JSONL: what is sound comes back as it was, what is not is named by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_modelqa.core.errors import UsageError
from training.records import DataError, Record, digest_of, read

GOOD = {"instruction": "Say hello.", "input": "", "output": "Hello."}
SOUND = json.dumps(GOOD)


def written(folder: Path, *lines: str | bytes) -> Path:
    path = folder / "set.jsonl"
    path.write_bytes(b"".join((x if isinstance(x, bytes) else x.encode()) + b"\n" for x in lines))
    return path


def test_records_are_read_in_order_and_know_their_line(tmp_path: Path) -> None:
    records = [
        Record(instruction="a", output="b", input="c", metadata={"set": "x"}),
        Record(instruction="Grüße", output="line\nbreak"),
    ]
    part = read(written(tmp_path, *(r.line() for r in records)), samples=2)
    assert part.records == tuple(records)
    assert part.place(1) == f"{tmp_path / 'set.jsonl'}:2"
    assert part.sha256 == digest_of(part.records)
    assert records[0].prompt == "a\n\nc"
    assert records[1].prompt == "Grüße"


def test_a_last_line_without_a_line_break_is_read(tmp_path: Path) -> None:
    path = tmp_path / "set.jsonl"
    path.write_text(f"{SOUND}\n{SOUND}")
    assert len(read(path).records) == 2


WRONG: dict[str, tuple[str | bytes, str, str]] = {
    "cut": (SOUND[:-5], "", "invalid JSON"),
    "no object": ("[1]", "", "must be a JSON object, found a list"),
    "text": ('"hello"', "", "must be a JSON object"),
    "missing": ('{"instruction": "a", "input": ""}', "output", "is missing"),
    "no input": ('{"instruction": "a", "output": "b"}', "input", "may be empty"),
    "null": ('{"instruction": "a", "input": null, "output": "b"}', "input", "must be text"),
    "number": ('{"instruction": "a", "input": "", "output": 3}', "output", "must be text"),
    "blank": ('{"instruction": " ", "input": "", "output": "b"}', "instruction", "is empty"),
    "no answer": ('{"instruction": "a", "input": "", "output": ""}', "output", "is empty"),
    "unknown": (SOUND[:-1] + ', "respons": "x"}', "respons", "unknown key 'respons'"),
    "twice": (SOUND[:-1] + ', "output": "x"}', "", "the key 'output' stands twice"),
    "nan": (SOUND[:-1] + ', "metadata": NaN}', "", "NaN is no JSON"),
    "metadata": (SOUND[:-1] + ', "metadata": []}', "metadata", "must be a mapping"),
    "empty line": ("", "", "an empty line"),
    "latin-1": ("é".encode("latin-1"), "", "not UTF-8: byte 0xe9"),
    "surrogate": (SOUND.replace("Hello.", "\\ud800"), "output", "half a surrogate"),
    "deep": ("[" * 100_000, "", "nested too deeply"),
    "huge": (" " * (1 << 20) + SOUND, "", "no record"),
}


@pytest.mark.parametrize("name", WRONG)
def test_negative_a_wrong_line_is_named_by_file_line_and_key(tmp_path: Path, name: str) -> None:
    line, key, said = WRONG[name]
    path = written(tmp_path, SOUND, line, SOUND)
    with pytest.raises(DataError) as caught:
        read(path)
    ((file, problem),) = caught.value.problems
    assert (file, problem.line, problem.path) == (str(path), 2, key)
    assert said in problem.message
    assert str(caught.value).startswith(f"{path}:2:")


def test_negative_all_wrong_lines_are_told_and_long_lists_are_cut(tmp_path: Path) -> None:
    path = written(tmp_path, *(["{"] * 60))
    with pytest.raises(DataError) as caught:
        read(path)
    assert [p.line for _, p in caught.value.problems] == list(range(1, 61))
    assert str(caught.value).endswith("... and 10 more")


@pytest.mark.parametrize("count", [1, 3])
def test_negative_a_file_with_another_number_of_records_is_refused(
    tmp_path: Path, count: int
) -> None:
    with pytest.raises(DataError, match=rf"holds 2 records, and the configuration says {count}"):
        read(written(tmp_path, SOUND, SOUND), samples=count)


def test_negative_an_empty_file_and_an_absent_one_are_errors(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    with pytest.raises(DataError, match="no records"):
        read(empty)
    with pytest.raises(UsageError, match="cannot be read"):
        read(tmp_path / "none.jsonl")
