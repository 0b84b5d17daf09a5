"""The readers say the same of every made file as they did, to the last word and byte."""

from __future__ import annotations

import json

import pytest

from tests.artifacts.readings import READERS, SAMPLE


@pytest.mark.parametrize("reader", READERS)
def test_what_a_reader_says_of_every_made_file_is_as_committed(reader: str) -> None:
    committed = json.loads(SAMPLE.read_text(encoding="utf-8"))[reader]
    said = json.loads(json.dumps(READERS[reader]()))
    assert said.keys() == committed.keys(), "python -m tests.artifacts.readings"
    for name, reading in said.items():
        assert reading == committed[name], name


def test_sound_files_are_read_and_broken_ones_are_told() -> None:
    committed = json.loads(SAMPLE.read_text(encoding="utf-8"))
    for reader in READERS:
        assert committed[reader]["sound"]["findings"] == []
        assert sum(bool(r["findings"]) for r in committed[reader].values()) >= 6
