"""Runs pytest under hard conditions: `python -m suites.chaos.confine CONDITIONS ARGUMENTS...`.

CONDITIONS is a JSON object; whatever it imposes, pytest and all its workers inherit:

    {"cores": n}          only n cores of the machine may be used
    {"disk": [path, n]}   a disk of n bytes is mounted at path, in a namespace of our own (where
                          that is not allowed, no file grows beyond n / 4 bytes); what is on it
                          at the end is copied to path.kept, for the mount ends with us
    {"obey_modes": true}  root is bound by permission bits as everybody else
    {"clock": true}       the wall clock is wrong by what a file says, see `suites.chaos.clock`
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import runpy
import shutil
import sys
from pathlib import Path

from suites.chaos import clock
from suites.chaos.naming import CLOCK

_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 24, 1, 2
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_REC_PRIVATE = 0x4000 | 0x40000
_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Impose the conditions, then be pytest."""
    conditions = json.loads(sys.argv[1])
    if conditions.pop("obey_modes", False) and os.getuid() == 0:
        _obey_modes(conditions)
    if conditions.get("clock"):
        clock.falsify_all(Path(f"{os.environ[CLOCK]}.site"))
    if count := conditions.get("cores"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-count:])
    disk, size = conditions.get("disk", ("", 0))
    if disk:
        _small_disk(Path(disk), size)
    sys.argv = ["pytest", *sys.argv[2:]]
    try:
        runpy.run_module("pytest", run_name="__main__")
    finally:
        if disk:
            shutil.copytree(disk, f"{disk}.kept")


def _small_disk(path: Path, size: int) -> None:
    path.mkdir(exist_ok=True)
    try:
        _mount(path, size)
    except OSError:
        quota = size // 4
        resource.setrlimit(resource.RLIMIT_FSIZE, (quota, quota))


def _mount(path: Path, size: int) -> None:
    """A tmpfs that only this process and its children see. Raises OSError."""
    user, group = os.getuid(), os.getgid()
    _call(_LIBC.unshare(_CLONE_NEWNS if user == 0 else _CLONE_NEWNS | _CLONE_NEWUSER))
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _call(_LIBC.mount(b"none", b"/", None, _MS_REC_PRIVATE, None))
    _call(_LIBC.mount(b"tmpfs", str(path).encode(), b"tmpfs", 0, f"size={size}".encode()))


def _obey_modes(conditions: dict[str, object]) -> None:
    """Root loses the right to ignore modes; that takes effect at the next exec."""
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        _call(_LIBC.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0))
    again = [sys.executable, "-m", "suites.chaos.confine", json.dumps(conditions)]
    os.execv(sys.executable, [*again, *sys.argv[2:]])  # noqa: S606 - there is no shell


def _call(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
