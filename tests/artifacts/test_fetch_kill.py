"""Killed at any moment: no bad file under a final name, and the next fetch completes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_modelqa.artifacts.fetching.fetch import obtain
from pytest_modelqa.artifacts.fetching.settings import Settings
from pytest_modelqa.core.errors import ExitCode
from tests.artifacts.hub import Hub, serving
from tests.artifacts.locking import assert_no_bad_file, entry, entry_of, locked

ROOT = Path(__file__).parents[2]
FILES = {"a.safetensors": bytes(range(256)) * 2000, "sub/b.json": b"{}" * 50}
SIZE = len(FILES["a.safetensors"])
CLI = (
    "import sys; from pytest_modelqa import cli; from pytest_modelqa.cli import fetch; "
    "cli.app.add_typer(fetch.app); sys.exit(cli.main(sys.argv[1:]))"
)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("MODELQA_CACHE", str(tmp_path / "cache"))
    with serving(FILES) as hub:
        yield hub


def fetching(lock: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CLI, "fetch", "--all", "--json", "--lock", str(lock)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def parts(cache: Path) -> list[int]:
    return [p.stat().st_size for p in (cache / "blobs").glob("*.part")]


def test_a_fetch_killed_at_every_step_leaves_what_the_next_one_completes(
    tmp_path: Path, hub: Hub
) -> None:
    lock = locked(tmp_path, entry_of(f"{hub.endpoint}/", FILES))
    command = [sys.executable, "-m", "tests.artifacts.killing", str(lock), str(tmp_path / "each")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30, "steps: locks, parts, flushes, renames, links, digests"


@pytest.mark.parametrize("at", [0, 1, 100_000, SIZE - 1])
def test_a_fetch_killed_between_bytes_is_continued(tmp_path: Path, hub: Hub, at: int) -> None:
    pinned = entry(tmp_path, f"{hub.endpoint}/", FILES)
    hub.moods.append(f"pause:{at}")
    with fetching(tmp_path / "models.lock.json") as process:
        until(lambda: parts(tmp_path / "cache") == [at] and bool(hub.asked), process)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert_no_bad_file(tmp_path / "cache")
    assert parts(tmp_path / "cache") == [at]
    got = obtain(pinned, tmp_path / "cache", Settings())
    assert {n: (got.path / n).read_bytes() for n in FILES} == FILES
    assert hub.asked[1].headers.get("Range") == (f"bytes={at}-" if at else None)
    assert not parts(tmp_path / "cache")


def test_a_fetch_killed_in_its_second_file_keeps_the_first(tmp_path: Path, hub: Hub) -> None:
    pinned = entry(tmp_path, f"{hub.endpoint}/", FILES)
    hub.moods += ["", "pause:10"]
    with fetching(tmp_path / "models.lock.json") as process:
        until(lambda: parts(tmp_path / "cache") == [10], process)
        process.kill()
    assert_no_bad_file(tmp_path / "cache")
    assert obtain(pinned, tmp_path / "cache", Settings()).state == "fetched"
    assert [a.path for a in hub.asked] == ["/a.safetensors", "/sub/b.json", "/sub/b.json"]


def test_ctrl_c_ends_with_its_code_and_leaves_a_part_to_continue(tmp_path: Path, hub: Hub) -> None:
    pinned = entry(tmp_path, f"{hub.endpoint}/", FILES)
    hub.moods.append("pause:100000")
    with fetching(tmp_path / "models.lock.json") as process:
        until(lambda: parts(tmp_path / "cache") == [100_000], process)
        process.send_signal(signal.SIGINT)
        said, errors = process.communicate()
    assert process.returncode == ExitCode.INTERRUPTED
    assert said == ""
    assert "the same command continues" in errors
    assert "Traceback" not in errors
    assert obtain(pinned, tmp_path / "cache", Settings()).state == "fetched"
    assert hub.asked[1].headers["Range"] == "bytes=100000-"


def test_two_processes_at_once_download_once(tmp_path: Path, hub: Hub) -> None:
    lock = locked(tmp_path, entry_of(f"{hub.endpoint}/", FILES))
    hub.moods.append("pause:1000")
    with fetching(lock) as one, fetching(lock) as other:
        until(lambda: parts(tmp_path / "cache") == [1000], one)
        until(lambda: at_the_lock(one.pid) and at_the_lock(other.pid), one)
        hub.go.set()
        said = [p.communicate()[0] for p in (one, other)]
    assert [one.returncode, other.returncode] == [0, 0]
    assert len(hub.asked) == len(FILES)
    assert all('"failures": []' in s for s in said)


def at_the_lock(pid: int) -> bool:
    """Whether a process has the lock file open; where /proc does not say, chance orders them."""
    try:
        return any(str(p.readlink()).endswith(".lock") for p in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return True
