"""Registers the engines of `planted.py` as an installed package would, without importing them."""

from __future__ import annotations

from pathlib import Path

ENGINES = ("Healthy", "Swapped", "OffByOne", "Unclean", "Gapped")


def planted_site(folder: Path) -> Path:
    """A folder for `sys.path` with a distribution whose entry points name them in small letters."""
    info = folder / "planted-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1\n")
    points = "".join(f"{e.lower()} = tests.engines.planted:{e}\n" for e in ENGINES)
    (info / "entry_points.txt").write_text(f"[modelqa.engines]\n{points}")
    return folder
