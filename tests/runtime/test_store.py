"""Evidence survives a kill in mid-line, and nobody edits it unnoticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_modelqa.core.errors import ExitCode, OutputError, UsageError
from pytest_modelqa.runtime.store import Store, read


def stored(folder: Path) -> Path:
    store = Store(folder, "run")
    for number in range(3):
        store.write({"type": "answer", "number": number, "text": "é\ud800🙂"})
    store.close()
    return store.path


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    stored(tmp_path)
    assert [r["number"] for r in read([tmp_path])] == [0, 1, 2]
    assert next(read([tmp_path]))["text"] == "é\ud800🙂"


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    file = stored(tmp_path)
    file.write_bytes(file.read_bytes()[:-20])
    assert [r["number"] for r in read([tmp_path])] == [0, 1]


def test_an_edited_line_is_an_error_with_its_position(tmp_path: Path) -> None:
    file = stored(tmp_path)
    file.write_bytes(file.read_bytes().replace(b'"number":1', b'"number":7'))
    with pytest.raises(UsageError, match=r"run\.evidence\.jsonl:2: damaged line"):
        list(read([tmp_path]))


def test_a_folder_without_evidence_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \*\.evidence\.jsonl here"):
        list(read([tmp_path]))


def test_a_file_in_the_way_of_the_folder_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError) as caught:
        Store(tmp_path / "taken", "run")
    assert caught.value.exit_code is ExitCode.OUTPUT


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full: run on Linux")
def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "run.evidence.jsonl").symlink_to("/dev/full")
    store = Store(tmp_path, "run")
    with pytest.raises(OutputError, match="No space left on device"):
        store.write({"type": "answer"})
    store.close()


def test_the_latest_run_is_read_last_whatever_its_folder_is_called(tmp_path: Path) -> None:
    for folder, run in (("b", "20260101T000000Z-1"), ("a", "20260102T000000Z-2")):
        store = Store(tmp_path / folder, run)
        store.write({"type": "answer", "number": run})
        store.close()
    for folders in (["a", "b"], ["b", "a"]):
        numbers = [r["number"] for r in read([tmp_path / name for name in folders])]
        assert numbers == ["20260101T000000Z-1", "20260102T000000Z-2"]
