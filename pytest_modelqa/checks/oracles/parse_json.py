"""JSON: data, not sentences."""

from __future__ import annotations

import json
from typing import Any

from pytest_modelqa.checks.oracles.parsing import NotCode, no_constant


def value(text: str) -> Any:
    """Parse one JSON document (RFC 8259: no NaN, no comments). Raises NotCode."""
    try:
        return json.loads(text, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise NotCode(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise NotCode(f"the parser gives up: {error}") from None


def entries(text: str) -> int:
    """Members of the one object or array. A scalar is refused: "4" is valid JSON, and prose."""
    found = value(text)
    if not isinstance(found, dict | list):
        raise NotCode(f"an object or array is expected, this is {json.dumps(found)[:40]}")
    return max(len(found), 1)
