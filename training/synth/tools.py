"""The tools that the generated sets call, each with the JSON Schema of its arguments."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def _schema(*required: str, **more: str) -> dict[str, Any]:
    names = {**dict.fromkeys(required, "string"), **more}
    return {
        "type": "object",
        "properties": {name: {"type": kind} for name, kind in names.items()},
        "required": list(required),
        "additionalProperties": False,
    }


TOOLS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "read_file": _schema("path"),
        "create_file": _schema("path", "content"),
        "edit_file": _schema("path", "old", "new"),
        "delete_file": _schema("path"),
        "list_files": _schema("path"),
        "search": _schema("query", path="string"),
        "run_command": _schema("command"),
        "run_tests": _schema("path"),
    }
)
"""Names to schemas. A call is `{"name": ..., "arguments": {...}}`, in JSON or in XML."""
