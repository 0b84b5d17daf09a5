"""Where the playbooks and templates that come with the package are."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped_folder() -> Path:
    """The folder with `models/` and `templates/`: inside a wheel's package, else the checkout's."""
    installed = _PACKAGE / "_playbooks"
    return installed if installed.is_dir() else _PACKAGE.parent / "playbooks"


def templates() -> dict[str, Path]:
    """Name to file of the templates that `extends:` knows by name."""
    return {p.stem: p for p in sorted((shipped_folder() / "templates").glob("*.yaml"))}
