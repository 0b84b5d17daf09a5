"""Free space, looked at before the first byte is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

from pytest_modelqa.core.errors import OutputError

SPARE_BYTES = 32 << 20
"""What stays free: a disk that is full to the last byte hurts others than us."""


def ensure_room(folder: Path, needed: int) -> None:
    """Raises OutputError where `needed` bytes more do not fit beside SPARE_BYTES."""
    there = next(p for p in (folder, *folder.parents) if p.is_dir())
    free = shutil.disk_usage(there).free
    if needed and needed + SPARE_BYTES > free:
        raise OutputError(
            f"{needed / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free",
            where=str(folder),
            remedy="free space, or set MODELQA_CACHE to a folder on a larger disk",
        )
