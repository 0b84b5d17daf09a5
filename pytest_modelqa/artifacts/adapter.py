"""A LoRA adapter's folder: its settings, its weights, and the base that it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_modelqa.artifacts import safetensors
from pytest_modelqa.artifacts.json_objects import parsed
from pytest_modelqa.artifacts.safetensors import Header
from pytest_modelqa.core.answer import Finding
from pytest_modelqa.core.errors import Refused

WEIGHTS = "adapter_model.safetensors"
SETTINGS = "adapter_config.json"
_MOST = 1 << 20
"""Bytes of the settings; peft's are some 2 kB."""


def base_of(folder: Path) -> Path:
    """The folder of the base, which `adapter_config.json` names.

    Raises Refused where it is not named, or not here: nothing is looked up in a network.
    """
    named = settings_of(folder).get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise Refused("names no base model", where=str(folder / SETTINGS))
    if not Path(named).is_dir():
        raise Refused(
            f"the base {named!r} is no folder here",
            where=str(folder / SETTINGS),
            remedy="train again, or set base_model_name_or_path to the folder of the base",
        )
    return Path(named)


def read(folder: Path) -> Header:
    """The adapter's tensors, with what is wrong with them, the settings, and the base's header."""
    header = safetensors.read_file(folder / WEIGHTS)
    try:
        base = safetensors.read_folder(base_of(folder))
    except Refused as error:
        header.findings.append(Finding(code="ADAPTER-BASE", where=SETTINGS, message=error.what))
        return header
    header.checked += 1 + base.checked
    header.findings += base.findings
    return header


def settings_of(folder: Path) -> dict[str, Any]:
    """The values of `adapter_config.json`. Raises Refused where it is none."""
    path = folder / SETTINGS
    try:
        with path.open("rb") as file:
            found, _ = parsed(file.read(_MOST))
    except (OSError, ValueError, RecursionError) as error:
        raise Refused(
            f"{SETTINGS} cannot be read: {error}",
            where=str(folder),
            remedy="name the folder of a finished run",
        ) from error
    if not isinstance(found, dict):
        raise Refused(f"{SETTINGS} is no JSON object", where=str(folder), remedy="train it again")
    return found
